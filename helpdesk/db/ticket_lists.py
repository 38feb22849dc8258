"""What a list of tickets may be asked for, and its query on PostgreSQL, whose planner knows how frequent a value is.

Lists on SQLite are in sqlite_lists.py; those with words in search/.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, exists, not_, or_, select, union_all

from helpdesk.db import clocks
from helpdesk.db.engine import COMPILED_MAX, Connection
from helpdesk.db.schema import ticket_tags, tickets
from helpdesk.terms import Priority, Status

Scope = Literal["everything", "public", "title"]  # where words are looked for


class Filter(msgspec.Struct, frozen=True):
    """Which tickets a list holds; None and () leave a thing open. Every one of `words` must occur."""

    words: tuple[str, ...] = ()
    scope: Scope = "everything"
    status: tuple[Status, ...] = ()
    priority: tuple[Priority, ...] = ()
    owner_id: int | None = None  # the requester whose tickets alone may be seen
    creator_id: int | None = None
    assignee_id: int | None = None
    unassigned: bool = False
    tag: str | None = None
    breached: bool | None = None
    without_id: int | None = None  # a ticket that is left out


class Order(msgspec.Struct, frozen=True):
    """Ties go by id in the direction of the sort."""

    column: str = "created_at"
    descending: bool = True


class Stamp(msgspec.Struct, frozen=True):
    """Tells one state of a ticket, as lists show it, from every other, but for the names of people."""

    id: int
    version: int
    comment_count: int
    breached: bool
    created_at: int


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """Return the stamps of a page of tickets, in order, on PostgreSQL. `where.words` is not looked at.

    `now` decides which clocks have passed their deadline.
    """
    bound = values(where, now=now, limit=limit, offset=offset)
    late = any_due(conn, where, now=now)
    query = statement(shape_of(where), order, any_due=late)
    is_narrow = where.owner_id or where.creator_id or where.assignee_id or where.tag
    if len(where.status) > 1 and not is_narrow:
        query = _of_each_status(shape_of(where), order, len(where.status), any_due=late)
        bound |= {f"status_{n}": status for n, status in enumerate(where.status)} | {"reach": limit + offset}
    return [Stamp(*row[:5]) for row in conn.execute(query, bound)]


def one(conn: Connection, ticket_id: int, where: Filter, *, now: int) -> Stamp | None:
    """Return the stamp of the ticket if `where` lets it through, on PostgreSQL."""
    query = statement(shape_of(where), Order(), any_due=any_due(conn, where, now=now))
    query = query.where(tickets.c.id == bindparam("ticket_id"))
    row = conn.execute(query, values(where, now=now, limit=1, offset=0) | {"ticket_id": ticket_id}).first()
    return Stamp(*row[:5]) if row else None


_ANY_DUE = select(exists(clocks.overdue_tickets()))

Shape = tuple[tuple[str, bool | None], ...]


def values(where: Filter, *, now: int, limit: int, offset: int) -> dict[str, Any]:
    """What `statement` binds."""
    names = ("owner_id", "creator_id", "assignee_id", "tag", "status", "priority", "without_id")
    return {"now": now, "limit": limit, "offset": offset} | {name: getattr(where, name) for name in names}


def any_due(conn: Connection, where: Filter, *, now: int) -> bool:
    """Whether breaches that have no entry yet may matter to this list.

    Nearly always no deadline lies between its moment and its entry: then one index answers.
    """
    return where.breached is not None and bool(conn.execute(_ANY_DUE, {"now": now}).scalar())


def shape_of(where: Filter) -> Shape:
    """What `where` filters by, without the values: one statement serves all filters of one shape."""
    names = ("status", "priority", "owner_id", "creator_id", "assignee_id", "unassigned", "tag", "without_id")
    used: list[tuple[str, bool | None]] = [(name, None) for name in names if getattr(where, name)]
    return (*used, ("breached", where.breached)) if where.breached is not None else tuple(used)


@lru_cache(maxsize=COMPILED_MAX)
def statement(shape: Shape, order: Order, *, any_due: bool) -> Select[Any]:
    """The statement for all filters of one shape; its values are bound under the names of Filter."""
    query = _unlimited(shape, order, any_due=any_due)
    return query.limit(bindparam("limit")).offset(bindparam("offset"))


def _unlimited(shape: Shape, order: Order, *, any_due: bool) -> Select[Any]:
    used = dict(shape)
    created_at: ColumnElement[int] = tickets.c.created_at
    tie: ColumnElement[int] = tickets.c.id
    query = select(tickets.c.id, tickets.c.version, tickets.c.comment_count, tickets.c.breached, tickets.c.created_at)
    if "tag" in used:
        # Walk the tag's own list, which is in the order of creation.
        query = query.join(ticket_tags, ticket_tags.c.ticket_id == tickets.c.id)
        query = query.where(ticket_tags.c.tag == bindparam("tag"))
        created_at, tie = ticket_tags.c.created_at, ticket_tags.c.ticket_id
    for condition in _conditions(used, any_due):
        query = query.where(condition)
    key = created_at if order.column == "created_at" else tickets.c[_COLUMN_OF.get(order.column, order.column)]
    return query.add_columns(key.label("key")).order_by(*_in_order(order, key, tie))


@lru_cache(maxsize=COMPILED_MAX)
def _of_each_status(shape: Shape, order: Order, statuses: int, *, any_due: bool) -> Select[Any]:
    """The same for several statuses: the head of each one's list, which its index has in order, merged.

    One condition `status IN (…)` has all that match sorted: at a million tickets, 50,000 of them.
    """
    rest = tuple(part for part in shape if part[0] != "status")
    each = _unlimited(rest, order, any_due=any_due).limit(bindparam("reach"))
    heads = [select(each.where(tickets.c.status == bindparam(f"status_{n}")).subquery()) for n in range(statuses)]
    merged = union_all(*heads).subquery()
    query = select(merged).order_by(*_in_order(order, merged.c.key, merged.c.id))
    return query.limit(bindparam("limit")).offset(bindparam("offset"))


def _in_order(order: Order, key: ColumnElement[Any], tie: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    return (key.desc(), tie.desc()) if order.descending else (key, tie)


_COLUMN_OF = {"priority": "priority_rank"}


def _conditions(used: dict[str, bool | None], any_due: bool) -> Iterator[ColumnElement[bool]]:
    for name in ("status", "priority"):
        if name in used:
            yield tickets.c[name].in_(bindparam(name, expanding=True))
    if "owner_id" in used:
        yield tickets.c.creator_id == bindparam("owner_id")
    if "creator_id" in used:
        yield tickets.c.creator_id == bindparam("creator_id")
    if "assignee_id" in used:
        yield tickets.c.assignee_id == bindparam("assignee_id")
    if "unassigned" in used:
        yield tickets.c.assignee_id.is_(None)
    if "without_id" in used:
        yield tickets.c.id != bindparam("without_id")
    if "breached" in used:
        yield _is_breached(any_due) if used["breached"] else not_(_is_breached(any_due))


def _is_breached(any_due: bool) -> ColumnElement[bool]:
    if not any_due:
        return tickets.c.breached
    return or_(tickets.c.breached, tickets.c.id.in_(clocks.overdue_tickets()))
