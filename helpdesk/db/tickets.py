"""Queries on tickets: one, one changed, and how many there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Update, bindparam, func, select, text

from helpdesk.db import clocks, ticket_facts
from helpdesk.db.engine import Connection, is_sqlite, row_as, stripe, touch
from helpdesk.db.prepared import Prepared
from helpdesk.db.row_locks import RowLock
from helpdesk.db.schema import ticket_counts, ticket_tags, tickets, users
from helpdesk.terms import PRIORITIES, RUNNING, Priority, Role, Status


class TicketRow(msgspec.Struct, frozen=True):
    """A ticket with the people it shows. Field names are those of the table's columns."""

    id: int
    title: str
    description: str
    status: Status
    priority: Priority
    tags: str
    version: int
    creator_id: int
    assignee_id: int | None
    sla_minutes: int
    sla_deadline: int
    breached: bool
    first_responded_at: int | None
    resolved_at: int | None
    created_at: int
    updated_at: int
    comment_count: int
    internal_count: int
    creator_username: str
    creator_name: str | None
    creator_role: Role
    assignee_username: str | None
    assignee_name: str | None
    assignee_role: Role | None

    @property
    def due_at(self) -> int | None:
        """When the resolution is breached if nothing changes; None while its clock stands still, or after a breach."""
        return self.sla_deadline if self.status in RUNNING and not self.breached else None

    @property
    def tag_list(self) -> list[str]:
        return self.tags.split()


_STORED = tuple(name for name in TicketRow.__struct_fields__ if name in tickets.c)
_CHANGING = tuple(n for n in _STORED if n not in ("id", "creator_id", "created_at"))

_creator = users.alias("creator")
_assignee = users.alias("assignee")
_ROWS = (
    select(
        *(tickets.c[name] for name in _STORED),
        _creator.c.username,
        _creator.c.name,
        _creator.c.role,
        _assignee.c.username,
        _assignee.c.name,
        _assignee.c.role,
    )
    .join_from(tickets, _creator, _creator.c.id == tickets.c.creator_id)
    .join(_assignee, _assignee.c.id == tickets.c.assignee_id, isouter=True)
)
_BY_ID = _ROWS.where(tickets.c.id == bindparam("id"))
_LOCK = RowLock(select(tickets.c.id).where(tickets.c.id == bindparam("id")))
_BY_IDS = _ROWS.where(tickets.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = Prepared(tickets.insert().values({c.name: bindparam(c.name) for c in tickets.c if c.name != "id"}))
_INSERT_TAG = ticket_tags.insert()
_DELETE_TAGS = ticket_tags.delete().where(ticket_tags.c.ticket_id == bindparam("row_id"))
_COUNT = Prepared(
    text(
        "INSERT INTO ticket_counts (status, priority, breached, assignee, stripe, tickets)"
        " VALUES (:status, :priority, :breached, :assignee, :stripe, :by)"
        " ON CONFLICT (status, priority, breached, assignee, stripe)"
        " DO UPDATE SET tickets = ticket_counts.tickets + :by"
    )
)


def lock(conn: Connection, ticket_id: int) -> None:
    """Until this transaction ends, nobody else changes the ticket or comments on it: what is read next stays true.

    A statement of its own: one that waits for another transaction must read again what that one wrote.
    """
    if not is_sqlite(conn):
        _LOCK.take(conn, {"id": ticket_id})


def by_id(conn: Connection, ticket_id: int) -> TicketRow | None:
    """Return the ticket, or None."""
    row = conn.execute(_BY_ID, {"id": ticket_id}).first()
    return row_as(TicketRow, row) if row else None


def by_ids(conn: Connection, ids: Sequence[int]) -> list[TicketRow]:
    """Return the tickets of those ids, in their order; an id without a ticket is left out."""
    if not ids:
        return []
    found = {row[0]: row_as(TicketRow, row) for row in conn.execute(_BY_IDS, {"ids": list(ids)})}
    return [found[i] for i in ids if i in found]


def insert(conn: Connection, values: dict[str, Any], tags: Collection[str]) -> int:
    """Insert a ticket and return its id. `values` holds every column but `id`, `tags` and `priority_rank`."""
    ticket_id = _INSERT.insert(conn, values | _derived(values["priority"], tags))
    kind = ticket_facts.kind_of(values["status"], values["priority"], values["breached"])
    ticket_facts.insert(
        conn,
        ticket_id,
        kind,
        assignee_id=values["assignee_id"],
        creator_id=values["creator_id"],
        created_at=values["created_at"],
    )
    _insert_tags(conn, ticket_id, values["created_at"], tags)
    _count(conn, values["status"], values["priority"], values["breached"], values["assignee_id"], by=1)
    touch(conn, "ticket", ticket_id)
    return ticket_id


def update(conn: Connection, ticket: TicketRow, *, was: TicketRow) -> bool:
    """Write `ticket` if the stored version is still `was.version`; False when another was faster.

    One statement decides who wins: reading first and comparing in Python loses updates.
    """
    values = {n: getattr(ticket, n) for n in _CHANGING if getattr(ticket, n) != getattr(was, n)}
    if "priority" in values:
        values["priority_rank"] = PRIORITIES.index(ticket.priority)
    if not values:
        return True
    result = conn.execute(_update(tuple(values)), values | {"row_id": was.id, "row_version": was.version})
    if result.rowcount != 1:
        return False
    kind, before = ((t.status, t.priority, bool(t.breached), t.assignee_id) for t in (ticket, was))
    if kind != before:
        _count(conn, *before, by=-1)
        _count(conn, *kind, by=1)
        ticket_facts.update(conn, was.id, ticket_facts.kind_of(*kind[:3]), assignee_id=ticket.assignee_id)
    if ticket.tags != was.tags:
        conn.execute(_DELETE_TAGS, {"row_id": was.id})
        _insert_tags(conn, was.id, was.created_at, ticket.tag_list)
    touch(conn, "ticket", was.id)
    return True


@lru_cache(maxsize=256)
def _update(columns: tuple[str, ...]) -> Update:
    """The statement that sets just these columns.

    SQLite rewrites the indexes of every column that is set, even to the value it has: a comment that
    set them all touched 13 pages all over the file instead of 2.
    """
    return (
        tickets.update()
        .where(tickets.c.id == bindparam("row_id"), tickets.c.version == bindparam("row_version"))
        .values({name: bindparam(name) for name in columns})
    )


def _derived(priority: Priority, tags: Collection[str]) -> dict[str, Any]:
    return {"priority_rank": PRIORITIES.index(priority), "tags": " ".join(tags)}


def _count(
    conn: Connection, status: Status, priority: Priority, breached: bool, assignee_id: int | None, *, by: int
) -> None:
    # Not a trigger: a statement with one keeps copies of its pages for an undo (a third of an insert).
    values = {"status": status, "priority": priority, "breached": breached, "assignee": assignee_id or 0}
    _COUNT.run(conn, values | {"stripe": stripe(conn), "by": by})


def _insert_tags(conn: Connection, ticket_id: int, created_at: int, tags: Collection[str]) -> None:
    if tags:
        conn.execute(_INSERT_TAG, [{"tag": tag, "created_at": created_at, "ticket_id": ticket_id} for tag in tags])


class Count(msgspec.Struct, frozen=True):
    """How many tickets share all of these."""

    status: Status
    priority: Priority
    is_breached: bool
    is_unassigned: bool
    is_mine: bool
    tickets: int


_KINDS = (
    ticket_counts.c.status,
    ticket_counts.c.priority,
    ticket_counts.c.breached,
    (ticket_counts.c.assignee == 0).label("is_unassigned"),
    (ticket_counts.c.assignee == bindparam("me")).label("is_mine"),
)
_COUNTS = select(*_KINDS, func.sum(ticket_counts.c.tickets)).group_by(*_KINDS)
_DUE_STATUSES = select(tickets.c.status).where(tickets.c.id.in_(clocks.overdue_tickets()))


def counts(conn: Connection, *, me: int) -> list[Count]:
    """All tickets, counted; a breach counts from its entry on, `is_mine` is what is assigned to `me`."""
    return [row_as(Count, row) for row in conn.execute(_COUNTS, {"me": me})]


def due_statuses(conn: Connection, now: int) -> list[Status]:
    """The status of each ticket that passed its deadline by `now` without an entry yet; nearly always none."""
    return list(conn.execute(_DUE_STATUSES, {"now": now}).scalars())
