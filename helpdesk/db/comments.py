"""Queries on comments."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, func, select

from helpdesk.db.engine import Connection, new_id, row_as
from helpdesk.db.schema import comments, users
from helpdesk.terms import Role


class CommentRow(msgspec.Struct, frozen=True):
    """A comment with its author."""

    id: int
    ticket_id: int
    parent: int | None
    body: str
    internal: bool
    created_at: int
    author_id: int
    author_username: str
    author_name: str | None
    author_role: Role


_INSERT = comments.insert()
_ROWS = select(
    comments.c.id,
    comments.c.ticket_id,
    comments.c.parent,
    comments.c.body,
    comments.c.internal,
    comments.c.created_at,
    users.c.id,
    users.c.username,
    users.c.name,
    users.c.role,
).join_from(comments, users, users.c.id == comments.c.author_id)
_OF_TICKET = _ROWS.where(comments.c.ticket_id == bindparam("ticket_id"))
_PUBLIC_OF_TICKET = _OF_TICKET.where(comments.c.internal.is_(False))
_BY_ID = _ROWS.where(comments.c.id == bindparam("id"))
_PUBLIC_PAGE = _PUBLIC_OF_TICKET.order_by(comments.c.id).limit(bindparam("limit")).offset(bindparam("offset"))
# What is passed over is read in the index alone, where nothing is hidden.
_IDS = (
    select(comments.c.id)
    .where(comments.c.ticket_id == bindparam("ticket_id"))
    .order_by(comments.c.id)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_PAGE = _ROWS.where(comments.c.id.in_(_IDS)).order_by(comments.c.id)
_NEWEST = {
    internal: rows.order_by(comments.c.id.desc()).limit(bindparam("limit"))
    for internal, rows in ((True, _OF_TICKET), (False, _PUBLIC_OF_TICKET))
}
_BEFORE = {
    internal: select(func.count())
    .select_from(comments)
    .where(comments.c.ticket_id == bindparam("ticket_id"), comments.c.id < bindparam("id"), *conditions)
    for internal, conditions in ((True, ()), (False, (comments.c.internal.is_(False),)))
}


def insert(
    conn: Connection,
    *,
    ticket_id: int,
    parent: int | None,
    author_id: int,
    body: str,
    internal: bool,
    created_at: int,
) -> int:
    """Insert a comment and return its id."""
    result = conn.execute(
        _INSERT,
        {
            "ticket_id": ticket_id,
            "parent": parent,
            "author_id": author_id,
            "body": body,
            "internal": internal,
            "created_at": created_at,
        },
    )
    return new_id(result)


def by_id(conn: Connection, comment_id: int) -> CommentRow | None:
    """Return the comment, or None."""
    row = conn.execute(_BY_ID, {"id": comment_id}).first()
    return row_as(CommentRow, row) if row else None


def page(conn: Connection, ticket_id: int, *, internal: bool, limit: int, offset: int) -> list[CommentRow]:
    """Return a page of a ticket's comments, oldest first; internal ones only with `internal`."""
    values = {"ticket_id": ticket_id, "limit": limit, "offset": offset}
    return [row_as(CommentRow, row) for row in conn.execute(_PAGE if internal else _PUBLIC_PAGE, values)]


def count_before(conn: Connection, ticket_id: int, comment_id: int, *, internal: bool) -> int:
    """How many of a ticket's comments stand before that one; internal ones only with `internal`."""
    found: int = conn.execute(_BEFORE[internal], {"ticket_id": ticket_id, "id": comment_id}).scalar_one()
    return found


def newest(conn: Connection, ticket_id: int, *, internal: bool, limit: int) -> list[CommentRow]:
    """Return the newest comments of a ticket, oldest first."""
    rows = conn.execute(_NEWEST[internal], {"ticket_id": ticket_id, "limit": limit})
    return [row_as(CommentRow, row) for row in rows][::-1]
