"""The search index on PostgreSQL: one row for each document, its words in a tsvector under a GIN index.

The words are ours, not those of a text search configuration: array_to_tsvector takes them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, cast, column, exists, func, select, table, text
from sqlalchemy.dialects.postgresql import TSQUERY

from helpdesk.db import ticket_lists
from helpdesk.db.engine import COMPILED_MAX, Connection
from helpdesk.db.schema import tickets
from helpdesk.db.search.documents import Document
from helpdesk.db.ticket_lists import Filter, Order, Scope, Shape, Stamp

# Words that the planner may begin with, the longest first, since they are the rarest; it weighs all
# orders of these. What they let through is asked for the others in one go.
GUIDES_MAX = 4
WORD_MAX = 500  # characters of a word that count; a lexeme has at most 2,046 bytes

_PLACES: dict[Scope, str] = {"everything": "tbi", "public": "tb", "title": "t"}

_search = table("search", column("ticket_id"), column("document"), column("words"))
_INSERT = text(
    "INSERT INTO search (ticket_id, document, words)"
    " VALUES (:ticket_id, :document, array_to_tsvector(CAST(:words AS text[])))"
)
_REPLACE = text(f"{_INSERT.text} ON CONFLICT (ticket_id, document) DO UPDATE SET words = excluded.words")
_DELETE = _search.delete().where(
    _search.c.ticket_id == bindparam("row_ticket"), _search.c.document == bindparam("row_document")
)


def add_all(conn: Connection, documents: Sequence[Document]) -> None:
    """Index new documents."""
    if documents:
        conn.execute(_INSERT, [_row(document) for document in documents])


def replace_all(conn: Connection, documents: Sequence[Document]) -> None:
    """Index documents, whether they are in the index already or not."""
    if documents:
        conn.execute(_REPLACE, [_row(document) for document in documents])


def _row(document: Document) -> dict[str, Any]:
    words = [
        *_lexemes("t", document.title),
        *_lexemes("b", document.body),
        *_lexemes("i", document.internal),
    ]
    return {"ticket_id": document.ticket_id, "document": document.number, "words": words}


def _lexemes(place: str, words: str) -> Iterable[str]:
    return (place + word[:WORD_MAX] for word in words.split())


def remove(conn: Connection, ticket_id: int, document: int) -> None:
    """Take a document out."""
    conn.execute(_DELETE, {"row_ticket": ticket_id, "row_document": document})


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """The stamps of a page of tickets that have all of `where.words`, in order.

    One statement: from its statistics the planner knows whether to go along the words or along the order.
    """
    any_due = ticket_lists.any_due(conn, where, now=now)
    query = _statement(ticket_lists.shape_of(where), order, any_due=any_due, words=len(where.words))
    values = ticket_lists.values(where, now=now, limit=limit, offset=offset)
    for n, word in enumerate(sorted(where.words, key=len, reverse=True)):
        values |= {f"word_{n}": _tsquery(word, where.scope), f"title_{n}": _tsquery(word, "title")}
    return [Stamp(*row[:5]) for row in conn.execute(query, values)]


def _tsquery(word: str, scope: Scope) -> str:
    """Words that begin with `word` (letters and digits only) in the places of `scope`."""
    return " | ".join(f"'{place}{word[:WORD_MAX]}':*" for place in _PLACES[scope])


@lru_cache(maxsize=COMPILED_MAX)
def _statement(shape: Shape, order: Order, *, any_due: bool, words: int) -> Select[Any]:
    has_all = _has_all("word", words)
    if order.column != "relevance":
        return ticket_lists.statement(shape, order, any_due=any_due).where(*has_all)
    query = ticket_lists.statement(shape, Order(), any_due=any_due)
    # Those with every word in the title first, then the others, each the newest first; or all reversed.
    best = and_(*_has_all("title", words))
    keys = (best.asc(), tickets.c.id.asc()) if order.descending else (best.desc(), tickets.c.id.desc())
    return query.where(*has_all).order_by(None).order_by(*keys)


def _has_all(prefix: str, words: int) -> Iterator[ColumnElement[bool]]:
    """Conditions that the ticket has all words, each in any of its documents."""
    matches = [_search.c.words.op("@@")(cast(bindparam(f"{prefix}_{n}"), TSQUERY)) for n in range(words)]
    for match in matches[:GUIDES_MAX]:
        yield exists(select(_search.c.document).where(_search.c.ticket_id == tickets.c.id, match))
    if rest := matches[GUIDES_MAX:]:
        found = and_(*(func.bool_or(match) for match in rest))
        yield select(found).where(_search.c.ticket_id == tickets.c.id).scalar_subquery()
