"""What the search index is made from: the texts of tickets and comments, as documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, tuple_

from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.schema import comments, tickets

Words = Callable[[str], str]  # turns a text into what the index is given
Key = tuple[Any, ...]

_TICKET_TEXTS = (
    select(tickets.c.id, tickets.c.creator_id, tickets.c.title, tickets.c.description, tickets.c.tags)
    .where(tickets.c.id > bindparam("ticket_id"))
    .order_by(tickets.c.id)
    .limit(bindparam("limit"))
)
_TICKET_TEXTS_LOCKED = _TICKET_TEXTS.with_for_update(read=True)
_COMMENT_TEXTS = (
    select(comments.c.ticket_id, comments.c.id, tickets.c.creator_id, comments.c.body, comments.c.internal)
    .join_from(comments, tickets, tickets.c.id == comments.c.ticket_id)
    .where(tuple_(comments.c.ticket_id, comments.c.id) > tuple_(bindparam("ticket_id"), bindparam("comment_id")))
    .order_by(comments.c.ticket_id, comments.c.id)
    .limit(bindparam("limit"))
)


class Document(NamedTuple):
    """One text of a ticket that `owner_id` created; its places hold words with blanks between.

    `number` is 0 for the ticket's own text, and the id of the comment for a comment's.
    """

    ticket_id: int
    number: int
    owner_id: int
    title: str = ""
    body: str = ""
    internal: str = ""


def body_text(description: str, tags: str) -> str:
    """Return the text of a ticket beside its title. `tags` are as the row holds them; they count as text."""
    return f"{description}\n{tags}"


def of_tickets(conn: Connection, after: Key, *, limit: int, words: Words) -> tuple[list[Document], Key]:
    """Return the documents of the next tickets after the one with the key `after`, () before the first, and their key.

    Until the transaction ends nobody changes these tickets.
    """
    (ticket_id,) = after or (0,)
    query = _TICKET_TEXTS if is_sqlite(conn) else _TICKET_TEXTS_LOCKED
    rows = conn.execute(query, {"ticket_id": ticket_id, "limit": limit}).all()
    documents = [
        Document(row.id, 0, row.creator_id, title=words(row.title), body=words(body_text(row.description, row.tags)))
        for row in rows
    ]
    return documents, (rows[-1].id,) if rows else after


def of_comments(conn: Connection, after: Key, *, limit: int, words: Words) -> tuple[list[Document], Key]:
    """Return the same of the next comments."""
    ticket_id, comment_id = after or (0, 0)
    rows = conn.execute(_COMMENT_TEXTS, {"ticket_id": ticket_id, "comment_id": comment_id, "limit": limit}).all()
    documents = []
    for row in rows:
        texts = {"internal" if row.internal else "body": words(row.body)}
        documents.append(Document(row.ticket_id, row.id, row.creator_id, **texts))
    return documents, (rows[-1].ticket_id, rows[-1].id) if rows else after
