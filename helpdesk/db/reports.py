"""Queries that look at many tickets at once. They run in the lane for slow reads."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, bindparam, case, func, or_, select

from helpdesk.clock import DAY_MS
from helpdesk.db import clocks
from helpdesk.db.engine import Connection, row_as
from helpdesk.db.schema import tickets, users
from helpdesk.terms import Priority, Role, Status

OPEN: tuple[Status, ...] = ("open", "in_progress", "pending")


class OpenGroup(msgspec.Struct, frozen=True):
    """How many open tickets share all of these. `age_days` is the least age of their group."""

    status: Status
    priority: Priority
    assignee_id: int | None
    breached: bool
    age_days: int
    tickets: int


_AGES = (30, 7, 3, 1)
_age = case(
    *((tickets.c.created_at <= bindparam("now") - days * DAY_MS, days) for days in _AGES),
    else_=0,
)
_breached = or_(tickets.c.breached, tickets.c.id.in_(clocks.overdue_tickets()))
_OPEN_GROUPS = (
    select(tickets.c.status, tickets.c.priority, tickets.c.assignee_id, _breached, _age, func.count())
    .where(tickets.c.status.in_(OPEN))
    .group_by(tickets.c.status, tickets.c.priority, tickets.c.assignee_id, _breached, _age)
)
_PEOPLE = select(users.c.id, users.c.username, users.c.name, users.c.role).where(users.c.role != "user", users.c.active)

Moment = Literal["created_at", "first_responded_at", "resolved_at"]


def open_groups(conn: Connection, *, now: int) -> list[OpenGroup]:
    """All open tickets, counted by everything that the overview shows of them."""
    return [row_as(OpenGroup, row) for row in conn.execute(_OPEN_GROUPS, {"now": now})]


def staff(conn: Connection) -> list[tuple[int, str, str | None, Role]]:
    """Id, username, name and role of every active agent and admin."""
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(_PEOPLE)]


def per_day(conn: Connection, moment: Moment, *, since: int) -> dict[int, int]:
    """How many tickets have that moment on each day from `since` on; days are counted from 1970 (UTC)."""
    column = tickets.c[moment]
    day = column.op("/")(DAY_MS)
    query = select(day, func.count()).where(column >= since).group_by(day)
    return {row[0]: row[1] for row in conn.execute(query)}


def minutes_until(conn: Connection, moment: Moment, *, since: int) -> tuple[int, list[float]]:
    """Of how many tickets the moment came since then, and the median and 90th percentile of how long it took.

    By the nearest rank; the list is empty when there are none.
    """
    column = tickets.c[moment]
    length: ColumnElement[int] = column - tickets.c.created_at
    count = int(conn.execute(select(func.count()).where(column >= since)).scalar_one())
    if count == 0:
        return 0, []
    ranks = [max(0, -(-count * percent // 100) - 1) for percent in (50, 90)]
    ordered = select(length).where(column >= since).order_by(length).limit(1)
    return count, [conn.execute(ordered.offset(rank)).scalar_one() / 60_000 for rank in ranks]
