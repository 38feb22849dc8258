"""Queries on the clocks of tickets: one row for each run of a clock. Whose rules they follow: domain/clocks.py."""

from __future__ import annotations

import msgspec
from sqlalchemy import Select, bindparam, func, select

from helpdesk.db.engine import Connection, row_as
from helpdesk.db.prepared import Prepared
from helpdesk.db.schema import clocks, tickets
from helpdesk.terms import ClockName


class ClockRow(msgspec.Struct, frozen=True):
    """One run of a ticket's clock. Field names are those of the table's columns."""

    ticket_id: int
    clock: ClockName
    run: int
    target_minutes: int
    started_at: int
    deadline: int
    paused_ms: int
    stopped_at: int | None = None
    due_at: int | None = None
    breached_at: int | None = None


_KEY = ("ticket_id", "clock", "run")
_IS_SAME = [clocks.c[name] == bindparam(f"row_{name}") for name in _KEY]
_INSERT = Prepared(clocks.insert().values({name: bindparam(name) for name in ClockRow.__struct_fields__}))
_UPDATE = (
    clocks.update()
    .where(*_IS_SAME)
    .values({name: bindparam(name) for name in ClockRow.__struct_fields__ if name not in _KEY})
)
_ONE = select(*(clocks.c[name] for name in ClockRow.__struct_fields__)).where(*_IS_SAME)
_NEXT_DUE = select(func.min(clocks.c.due_at)).where(clocks.c.due_at.is_not(None))
_DUE = (
    select(clocks.c.ticket_id)
    .join_from(clocks, tickets, tickets.c.id == clocks.c.ticket_id)
    .where(clocks.c.due_at <= bindparam("now"))
    .order_by(clocks.c.due_at)
    .limit(bindparam("limit"))
    # The ticket, as every change does. One that somebody changes now is settled by that change, or at the next look.
    .with_for_update(of=tickets, key_share=True, skip_locked=True)
)


def insert(conn: Connection, row: ClockRow) -> None:
    """Write a new run of a clock."""
    _INSERT.run(conn, msgspec.structs.asdict(row))


def one(conn: Connection, ticket_id: int, clock: ClockName, run: int) -> ClockRow:
    """Return one run of a ticket's clock. Raises NoResultFound."""
    key = {"row_ticket_id": ticket_id, "row_clock": clock, "row_run": run}
    return row_as(ClockRow, conn.execute(_ONE, key).one())


def update(conn: Connection, row: ClockRow) -> None:
    """Write what a run of a clock is now; the caller holds the lock of its ticket."""
    values = msgspec.structs.asdict(row)
    conn.execute(_UPDATE, {f"row_{name}": values.pop(name) for name in _KEY} | values)


def next_due(conn: Connection) -> int | None:
    """Return the moment of the next breach if no clock is stopped or moved before; None when none runs."""
    return conn.execute(_NEXT_DUE).scalar()


def due(conn: Connection, now: int, *, limit: int) -> list[int]:
    """Return ids of tickets whose deadline has passed without a breach on record, longest overdue first, and lock them.

    Those that another transaction holds are left out.
    """
    return list(conn.execute(_DUE, {"now": now, "limit": limit}).scalars())


def overdue_tickets() -> Select[tuple[int]]:
    """Return the query for the tickets whose resolution is due by `now` (bound) without a breach on record.

    For lists and figures: a breach counts from its moment on, and its entry comes up to 5 s later.
    """
    return select(clocks.c.ticket_id).where(clocks.c.clock == "resolution", clocks.c.due_at <= bindparam("now"))
