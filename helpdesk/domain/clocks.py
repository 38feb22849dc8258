"""The clocks of a ticket: start them, change them with it, and put their breaches on record.

A ticket's row repeats what lists show of its resolution clock (`columns`); the two are written together.
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
    """Return what a ticket's row repeats of its resolution clock."""
    return {
        "sla_minutes": clock.minutes,
        "sla_deadline": clock.deadline,
        "breached": clock.breached_at is not None,
    }


def start(conn: Connection, ticket_id: int, clock: SlaClock) -> None:
    """Write a new ticket's clock."""
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
    """Write what the ticket's resolution clock is now."""
    store.update(conn, row_of(ticket_id, clock))


def row_of(ticket_id: int, clock: SlaClock) -> ClockRow:
    """Return the resolution clock as its row holds it."""
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
    """Return whether the ticket's resolution is breached by `now`, on record or not."""
    return bool(ticket.breached) or (ticket.due_at is not None and ticket.due_at <= now)


def settle(conn: Connection, ticket: TicketRow, *, now: int) -> TicketRow:
    """Put the ticket's breach on record, with its timeline entry, if it has happened by `now`.

    Every change does this first, and the sweep does it when nothing else happens; so the entry is
    written once, before whatever came after the deadline. Raises VersionMismatch if another writer was faster.
    """
    if ticket.due_at is None or ticket.due_at > now:
        return ticket
    clock = of_ticket(conn, ticket.id)
    settled = sla.settle(clock, now)
    after = replace(ticket, **columns(settled))
    if settled is clock or not ticket_store.update(conn, after, was=ticket):
        raise VersionMismatch("Another change was faster; read the ticket again", "version")
    save(conn, ticket.id, settled)
    record_breach(conn, after, now=now)
    return after


def record_breach(conn: Connection, ticket: TicketRow, *, now: int) -> None:
    """Write the timeline entry of the ticket's breach, which its row shows already."""
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
    """Put the oldest breaches on record that have happened by `now`; return how many there were.

    The caller goes on until it is fewer than SWEEP_STEP.
    """
    ids = store.due(conn, now, limit=SWEEP_STEP)
    for ticket in ticket_store.by_ids(conn, ids):
        settle(conn, ticket, now=now)
    return len(ids)
