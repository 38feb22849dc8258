"""The SLA clocks of a ticket: starting and updating them, and recording their breaches.

A ticket's row repeats the columns of its resolution clock that lists show (`columns`); both are written together.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from helpdesk.clock import rfc3339
from helpdesk.db import clocks as store
from helpdesk.db import tickets as ticket_store
from helpdesk.db.clocks import ClockRow
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import sla, timeline
from helpdesk.domain.sla import SlaClock
from helpdesk.errors import VersionMismatch

SWEEP_STEP = 200  # tickets in one transaction of the sweep


def columns(clock: SlaClock) -> dict[str, Any]:
    """Return the columns of the resolution clock that are copied into the ticket's row."""
    return {
        "sla_minutes": clock.minutes,
        "sla_deadline": clock.deadline,
        "breached": clock.breached_at is not None,
    }


def start(conn: Connection, ticket_id: int, clock: SlaClock) -> None:
    """Insert the clock of a new ticket."""
    store.insert(conn, row_of(ticket_id, clock))


def of_ticket(conn: Connection, ticket_id: int) -> SlaClock:
    """Return the ticket's resolution clock."""
    row = store.one(conn, ticket_id, "resolution", 1)
    return SlaClock(
        started_at=row.started_at,
        minutes=row.target_minutes,
        deadline=row.deadline,
        stood_still_ms=row.paused_ms,
        stopped_at=row.stopped_at,
        breached_at=row.breached_at,
    )


def save(conn: Connection, ticket_id: int, clock: SlaClock) -> None:
    """Update the stored resolution clock of the ticket."""
    store.update(conn, row_of(ticket_id, clock))


def row_of(ticket_id: int, clock: SlaClock) -> ClockRow:
    """Return the database row for the ticket's resolution clock."""
    return ClockRow(
        ticket_id=ticket_id,
        clock="resolution",
        run=1,
        target_minutes=clock.minutes,
        started_at=clock.started_at,
        deadline=clock.deadline,
        paused_ms=clock.stood_still_ms,
        stopped_at=clock.stopped_at,
        due_at=clock.due_at,
        breached_at=clock.breached_at,
    )


def is_breached(ticket: TicketRow, now: int) -> bool:
    """Return whether the resolution target is breached as of `now`, recorded or not."""
    return bool(ticket.breached) or (ticket.due_at is not None and ticket.due_at <= now)


def settle(conn: Connection, ticket: TicketRow, *, now: int) -> TicketRow:
    """Record the ticket's breach and its timeline entry if the deadline has passed by `now`.

    Every change calls this first, and the sweep calls it for tickets that nobody changes. The entry is therefore
    written once, before anything that happened after the deadline. Raise VersionMismatch if another writer
    updated the ticket first.
    """
    if ticket.due_at is None or ticket.due_at > now:
        return ticket
    clock = of_ticket(conn, ticket.id)
    settled = sla.settle(clock, now)
    after = replace(ticket, **columns(settled))
    if settled is clock or not ticket_store.update(conn, after, was=ticket):
        raise VersionMismatch("The ticket was changed at the same time; read it again", "version")
    save(conn, ticket.id, settled)
    record_breach(conn, after, now=now)
    return after


def record_breach(conn: Connection, ticket: TicketRow, *, now: int) -> None:
    """Write the timeline entry for a breach that the ticket's row already shows."""
    timeline.record(
        conn,
        ticket_id=ticket.id,
        version=ticket.version,
        actor=None,
        action="sla_breached",
        data={"sla_deadline": rfc3339(ticket.sla_deadline), "sla_minutes": ticket.sla_minutes},
        now=now,
        clock="resolution",
        run=1,
    )


def sweep(conn: Connection, *, now: int) -> int:
    """Record the oldest breaches that have happened by `now`, and return how many there were.

    Call again until it returns less than SWEEP_STEP.
    """
    ids = store.due(conn, now, limit=SWEEP_STEP)
    for ticket in ticket_store.by_ids(conn, ids):
        settle(conn, ticket, now=now)
    return len(ids)
