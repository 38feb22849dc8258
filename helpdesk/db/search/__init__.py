"""Which words stand in which ticket: FTS5 on SQLite, tsvector on PostgreSQL, the same answers from both.

A document is a ticket's own text (number 0) or a comment (its id). Words come from domain/words.py;
nothing a person typed is ever read as a search engine's syntax.
"""

from __future__ import annotations

from collections.abc import Sequence

from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.search import fts5, tsvector
from helpdesk.db.search.documents import Document, body_text

__all__ = ["Document", "add", "add_all", "body_text", "remove"]


def add(
    conn: Connection,
    ticket_id: int,
    document: int,
    *,
    owner_id: int,
    title: str = "",
    body: str = "",
    internal: str = "",
) -> None:
    """Index a new document; see Document."""
    add_all(conn, [Document(ticket_id, document, owner_id, title, body, internal)])


def add_all(conn: Connection, documents: Sequence[Document]) -> None:
    """Index many new documents."""
    if not is_sqlite(conn):
        tsvector.add_all(conn, documents)
        return
    for ticket_id, number, owner_id, title, body, internal in documents:
        fts5.add(conn, ticket_id, number, owner_id=owner_id, title=title, body=body, internal=internal)


def remove(conn: Connection, ticket_id: int, document: int, *, owner_id: int, title: str = "", body: str = "") -> None:
    """Take a document out. The texts must be those it was added with: FTS5 keeps no copy."""
    if is_sqlite(conn):
        fts5.remove(conn, ticket_id, document, owner_id=owner_id, title=title, body=body)
    else:
        tsvector.remove(conn, ticket_id, document)
