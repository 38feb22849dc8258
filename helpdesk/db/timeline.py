"""Queries on the timeline: what happened, in commit order. Entries are never changed or removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Select, bindparam, func, select

from helpdesk.db.engine import Connection, is_sqlite, row_as, touch
from helpdesk.db.prepared import Prepared
from helpdesk.db.schema import tickets, timeline, users
from helpdesk.terms import Action, ClockName, Role


class EntryRow(msgspec.Struct, frozen=True):
    """An entry with its actor; the four `actor_` fields are None for the system."""

    id: int
    ticket_id: int
    action: Action
    data: str
    internal: bool
    created_at: int
    actor_id: int | None
    actor_username: str | None
    actor_name: str | None
    actor_role: Role | None


_INSERT = Prepared(timeline.insert().values({c.name: bindparam(c.name) for c in timeline.c if c.name != "id"}))
_ROWS = select(
    timeline.c.id,
    timeline.c.ticket_id,
    timeline.c.action,
    timeline.c.data,
    timeline.c.internal,
    timeline.c.created_at,
    users.c.id,
    users.c.username,
    users.c.name,
    users.c.role,
).join_from(timeline, users, users.c.id == timeline.c.actor_id, isouter=True)
_ALL_OF_TICKET = _ROWS.where(timeline.c.ticket_id == bindparam("ticket_id"))
_PUBLIC_OF_TICKET = _ALL_OF_TICKET.where(timeline.c.internal.is_(False))
# What is passed over is read in the index alone, where nothing is hidden.
_IDS = (
    select(timeline.c.id)
    .where(timeline.c.ticket_id == bindparam("ticket_id"))
    .order_by(timeline.c.id)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)


def _page(*, internal: bool, of_action: bool) -> Select[Any]:
    if internal and not of_action:
        return _ROWS.where(timeline.c.id.in_(_IDS)).order_by(timeline.c.id)
    page = _of_ticket(internal=internal).order_by(timeline.c.id).limit(bindparam("limit")).offset(bindparam("offset"))
    return page.where(timeline.c.action == bindparam("action")) if of_action else page


def _of_ticket(*, internal: bool) -> Select[Any]:
    return _ALL_OF_TICKET if internal else _PUBLIC_OF_TICKET


_PAGES = {(internal, of): _page(internal=internal, of_action=of) for internal in (True, False) for of in (True, False)}
_OLDEST = {
    internal: _of_ticket(internal=internal)
    .where(timeline.c.id > bindparam("after"))
    .order_by(timeline.c.id)
    .limit(bindparam("limit"))
    for internal in (True, False)
}
_NEWEST = {
    internal: _of_ticket(internal=internal).order_by(timeline.c.id.desc()).limit(bindparam("limit"))
    for internal in (True, False)
}
_BETWEEN = (
    _ROWS.where(timeline.c.id > bindparam("after"), timeline.c.id <= bindparam("until"))
    .order_by(timeline.c.id)
    .limit(bindparam("limit"))
)
_BY_IDS = _ROWS.where(timeline.c.id.in_(bindparam("ids", expanding=True))).order_by(timeline.c.id)
_RANGE = (timeline.c.id > bindparam("after"), timeline.c.id <= bindparam("until"))
# From the creator's tickets to their entries, in indexes alone. On PostgreSQL the sort stands apart: a
# planner that sees its LIMIT may walk the whole timeline instead, hoping to find enough soon.
_MINE = (
    select(timeline.c.id)
    .join_from(tickets, timeline, timeline.c.ticket_id == tickets.c.id)
    .where(tickets.c.creator_id == bindparam("creator"), *_RANGE)
    .cte("mine")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_IDS_OF_CREATOR = select(_MINE.c.id).order_by(_MINE.c.id).limit(bindparam("limit"))
# The other way, for a short stretch of the timeline. `+ 0` keeps SQLite from the index on creators.
_IDS_IN_STRETCH = (
    select(timeline.c.id)
    .join_from(timeline, tickets, timeline.c.ticket_id == tickets.c.id)
    .where(tickets.c.creator_id + 0 == bindparam("creator"), *_RANGE)
    .order_by(timeline.c.id)
    .limit(bindparam("limit"))
)
STRETCH = 1_000  # entries that are looked through, whosever they are, rather than all tickets of their creator
_LAST_ID = select(func.coalesce(func.max(timeline.c.id), 0))
_HORIZON = select(func.timeline_horizon())
_CHANGES_SINCE = (
    select(timeline.c.data)
    .where(
        timeline.c.ticket_id == bindparam("ticket_id"),
        timeline.c.version > bindparam("version", type_=BigInteger),  # which a client makes up
        timeline.c.action == "updated",
    )
    .order_by(timeline.c.id.desc())
    .limit(bindparam("limit"))
)


def append(
    conn: Connection,
    *,
    ticket_id: int,
    actor_id: int | None,
    action: Action,
    data: str,
    version: int,
    internal: bool,
    created_at: int,
    clock: ClockName | None = None,
    run: int | None = None,
) -> int:
    """Write one entry; return its id, greater than that of every entry of this ticket.

    `clock` and `run` are those of an event of a clock. The database refuses the same event of the same run
    a second time (IntegrityError).
    """
    entry_id = _INSERT.insert(
        conn,
        {
            "ticket_id": ticket_id,
            "actor_id": actor_id,
            "action": action,
            "data": data,
            "version": version,
            "internal": internal,
            "created_at": created_at,
            "clock": clock,
            "run": run,
        },
    )
    touch(conn, "entry", entry_id)
    return entry_id


def newest(conn: Connection, ticket_id: int, *, internal: bool, limit: int) -> list[EntryRow]:
    """Return the newest entries of a ticket, oldest first; those of internal notes only with `internal`."""
    rows = conn.execute(_NEWEST[internal], {"ticket_id": ticket_id, "limit": limit})
    return [row_as(EntryRow, row) for row in rows][::-1]


def page(
    conn: Connection, ticket_id: int, *, internal: bool, action: Action | None, limit: int, offset: int
) -> list[EntryRow]:
    """Return a page of a ticket's entries, oldest first."""
    values = {"ticket_id": ticket_id, "limit": limit, "offset": offset} | ({"action": action} if action else {})
    rows = conn.execute(_PAGES[internal, action is not None], values)
    return [row_as(EntryRow, row) for row in rows]


def of_ticket_after(conn: Connection, ticket_id: int, after: int, *, internal: bool, limit: int) -> list[EntryRow]:
    """Return a ticket's entries above id `after`, oldest first."""
    values = {"ticket_id": ticket_id, "after": after, "limit": limit}
    return [row_as(EntryRow, row) for row in conn.execute(_OLDEST[internal], values)]


def between(conn: Connection, after: int, until: int, *, limit: int) -> list[EntryRow]:
    """The entries of all tickets above id `after` and up to `until`, oldest first, internal ones too."""
    rows = conn.execute(_BETWEEN, {"after": after, "until": until, "limit": limit})
    return [row_as(EntryRow, row) for row in rows]


def ids_of_creator(conn: Connection, creator_id: int, after: int, until: int, *, limit: int) -> list[int]:
    """Return the ids above `after` and up to `until` of entries of that creator's tickets, in order, internal ones too.

    The cost follows the number of the creator's entries, or is small.
    """
    statement = _IDS_IN_STRETCH if until - after <= STRETCH else _IDS_OF_CREATOR
    values = {"creator": creator_id, "after": after, "until": until, "limit": limit}
    return list(conn.execute(statement, values).scalars())


def by_ids(conn: Connection, ids: Sequence[int]) -> list[EntryRow]:
    """Return the entries of those ids, in their order."""
    return [row_as(EntryRow, row) for row in conn.execute(_BY_IDS, {"ids": list(ids)})] if ids else []


def newest_id(conn: Connection) -> int:
    """Return the id of the newest committed entry; 0 when there is none."""
    return int(conn.execute(_LAST_ID).scalar_one())


def horizon(conn: Connection) -> int:
    """The id up to which every entry is committed or never will be; 0 when there is none.

    A transaction that begins after this sees all of them; this one, which has begun, may not.
    """
    return int(conn.execute(_LAST_ID if is_sqlite(conn) else _HORIZON).scalar_one())


def changes_since(conn: Connection, ticket_id: int, version: int, *, limit: int) -> Iterator[str]:
    """Yield the data of the newest `updated` entries that led from `version` to the present one, as it is asked for."""
    values = {"ticket_id": ticket_id, "version": version, "limit": limit}
    yield from conn.execute(_CHANGES_SINCE, values).scalars()
