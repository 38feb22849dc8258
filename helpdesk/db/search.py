"""The search index: which words stand in which ticket.

A document is a ticket's own text (number 0) or its n-th comment. Words come from domain/words.py;
nothing a person typed is ever read as FTS5 syntax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Integer, Select, column, literal_column, select, table, text

from helpdesk.db.engine import Connection

DOCUMENT_BITS = 24  # room for 16 million comments a ticket and 2**39 tickets in SQLite's 64-bit rowid

Scope = Literal["everything", "public", "title"]
_COLUMNS: dict[Scope, str] = {"everything": "", "public": "{title body} : ", "title": "{title} : "}

_INSERT = text("INSERT INTO search (rowid, title, body, internal) VALUES (:rowid, :title, :body, :internal)")
_DELETE = text(
    "INSERT INTO search (search, rowid, title, body, internal) VALUES ('delete', :rowid, :title, :body, :internal)"
)
_search = table("search", column("rowid", Integer))


def add(
    conn: Connection, ticket_id: int, document: int, *, title: str = "", body: str = "", internal: str = ""
) -> None:
    """Index a new document; the texts are words with blanks between."""
    conn.execute(
        _INSERT,
        {"rowid": (ticket_id << DOCUMENT_BITS) + document, "title": title, "body": body, "internal": internal},
    )


def remove(conn: Connection, ticket_id: int, document: int, *, title: str = "", body: str = "") -> None:
    """Take a document out. The texts must be those it was added with: the index keeps no copy."""
    conn.execute(
        _DELETE,
        {"rowid": (ticket_id << DOCUMENT_BITS) + document, "title": title, "body": body, "internal": ""},
    )


def expression(word: str, scope: Scope) -> str:
    """The FTS5 query for words that begin with `word` (letters and digits only) where `scope` says."""
    return f'{_COLUMNS[scope]}"{word}" *'


def tickets_with(parameter: str) -> Select[int]:
    """A query for the ids of tickets that match the FTS5 query bound as `parameter`."""
    return (
        select(literal_column(f"rowid >> {DOCUMENT_BITS}", Integer))
        .select_from(_search)
        .where(text(f"search MATCH :{parameter}"))
    )


def names(words: Sequence[str]) -> list[str]:
    """Names of bind parameters, one for each word."""
    return [f"word_{n}" for n in range(len(words))]
