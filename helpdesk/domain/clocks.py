"""The SLA clock of a ticket's row: read it, write it, and put its breach on record."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from helpdesk.clock import rfc3339
from helpdesk.db import tickets as store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import sla, timeline
from helpdesk.domain.sla import SlaClock
from helpdesk.errors import VersionMismatch

SWEEP_STEP = 200  # tickets in one transaction of the sweep


def clock_of(ticket: TicketRow) -> SlaClock:
    """The ticket's SLA clock."""
    return SlaClock(
        started_at=ticket.created_at,
        minutes=ticket.sla_minutes,
        deadline=ticket.sla_deadline,
        stood_still_ms=ticket.sla_paused_ms,
        stopped_at=ticket.sla_stopped_at,
        breached=bool(ticket.breached),
    )


def columns(clock: SlaClock) -> dict[str, Any]:
    """The clock as the ticket's columns hold it."""
    return {
        "sla_minutes": clock.minutes,
        "sla_deadline": clock.deadline,
        "sla_paused_ms": clock.stood_still_ms,
        "sla_stopped_at": clock.stopped_at,
        "sla_due_at": clock.due_at,
        "breached": clock.breached,
    }


def settle(conn: Connection, ticket: TicketRow, *, now: int) -> TicketRow:
    """Put the ticket's breach on record, with its timeline entry, if it has happened by `now`.

    Every change does this first, and the sweep does it when nothing else happens; so the entry is
    written once, before whatever came after the deadline.
    """
    clock = clock_of(ticket)
    settled = sla.settle(clock, now)
    if settled is clock:
        return ticket
    after = replace(ticket, **columns(settled))
    if not store.update(conn, after, was=ticket):
        raise VersionMismatch("Another change was faster; read the ticket again", "version")
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
    """Put the oldest breaches on record that have happened by `now`; how many there were.

    The caller goes on until it is fewer than SWEEP_STEP.
    """
    ids = store.due(conn, now, limit=SWEEP_STEP)
    for ticket in store.by_ids(conn, ids):
        settle(conn, ticket, now=now)
    return len(ids)
