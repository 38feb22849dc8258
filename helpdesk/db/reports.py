"""Queries that look at many tickets at once. They run in the lane for slow reads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Literal

import msgspec
from sqlalchemy import BigInteger, ColumnElement, bindparam, case, func, literal, or_, select, text

from helpdesk.clock import DAY_MS
from helpdesk.db import clocks, ticket_facts
from helpdesk.db.engine import Connection, is_sqlite, row_as
from helpdesk.db.schema import tickets, users
from helpdesk.terms import Priority, Role, Status

SORTED_MAX = 10_000  # times that are sorted as they are: 20 ms
SAMPLE_SIZE = 2000
SAMPLE_ERROR = 0.05  # of all ranks, to each side: over four standard deviations of such a sample

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
# On SQLite from the index of statuses and the narrow facts alone: 60,000 open tickets among a million
# take 200 ms by their rows, which hold their texts, and 85 ms so.
_OPEN_FACTS = text(
    "SELECT f.kind, f.assignee,"
    " f.id IN (SELECT ticket_id FROM clocks WHERE clock = 'resolution' AND due_at <= :now) AS overdue,"
    f" CASE {' '.join(f'WHEN t.created_at <= :now - {days * DAY_MS} THEN {days}' for days in _AGES)} ELSE 0 END AS age,"
    " count(*) FROM tickets t INDEXED BY ix_tickets_status CROSS JOIN ticket_facts f ON f.id = t.id"
    f" WHERE t.status IN ({', '.join(repr(status) for status in OPEN)}) GROUP BY 1, 2, 3, 4"
)
_PEOPLE = select(users.c.id, users.c.username, users.c.name, users.c.role).where(users.c.role != "user", users.c.active)

Moment = Literal["created_at", "first_responded_at", "resolved_at"]


def open_groups(conn: Connection, *, now: int) -> list[OpenGroup]:
    """Return all open tickets, counted by everything that the overview shows of them."""
    if is_sqlite(conn):
        return [_open_group(*row) for row in conn.execute(_OPEN_FACTS, {"now": now})]
    return [row_as(OpenGroup, row) for row in conn.execute(_OPEN_GROUPS, {"now": now})]


def _open_group(kind: int, assignee: int, overdue: int, age_days: int, count: int) -> OpenGroup:
    status, priority, breached = ticket_facts.of_kind(kind)
    return OpenGroup(status, priority, assignee or None, breached or bool(overdue), age_days, count)


def staff(conn: Connection) -> list[tuple[int, str, str | None, Role]]:
    """Id, username, name and role of every active agent and admin."""
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(_PEOPLE)]


def per_day(conn: Connection, moment: Moment, *, since: int, until: int) -> dict[int, int]:
    """How many tickets have that moment on each day from `since` to that of `until`; days are counted from 1970 (UTC).

    Each day is a range of the moment's index: 40 ms for half a million tickets, and 250 ms if they are grouped.
    """
    column = tickets.c[moment]
    days = select(literal(since // DAY_MS, BigInteger).label("day")).cte("days", recursive=True)
    days = days.union_all(select(days.c.day + 1).where(days.c.day < until // DAY_MS))
    on_day = (column >= days.c.day * DAY_MS, column < (days.c.day + 1) * DAY_MS)
    number = select(func.count()).select_from(tickets).where(*on_day).correlate(days).scalar_subquery()
    return {row[0]: row[1] for row in conn.execute(select(days.c.day, number))}


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
    found = _near_sample(conn, length, column >= since, count, ranks) if count > SORTED_MAX else None
    if found is None:
        ordered = select(length).where(column >= since).order_by(length).limit(1)
        found = [conn.execute(ordered.offset(rank)).scalar_one() for rank in ranks]
    return count, [one / 60_000 for one in found]


def _near_sample(
    conn: Connection, length: ColumnElement[int], wanted: ColumnElement[bool], count: int, ranks: list[int]
) -> list[int] | None:
    """Return the lengths of those ranks without sorting them all; None where the sample was too far off.

    A sample tells between which two lengths each rank is, so that only these are sorted: 0.2 s for half a million
    tickets, where sorting all takes 1.4 s for each rank.
    """
    every = max(1, count // SAMPLE_SIZE)
    sampled = select(length).where(wanted, tickets.c.id % every == 0).order_by(length)
    sample = list(conn.execute(sampled).scalars())
    if not sample:
        return None
    last, aside = len(sample) - 1, int(len(sample) * SAMPLE_ERROR) + 1
    places = [rank * last // count for rank in ranks]
    ends = [(sample[max(0, place - aside)], sample[min(last, place + aside)]) for place in places]
    below = conn.execute(select(*(func.count(case((length < low, 1))) for low, _ in ends)).where(wanted)).one()
    near = select(length).where(wanted, or_(*(length.between(low, high) for low, high in ends)))
    lengths = sorted(conn.execute(near).scalars())
    found = []
    for (low, high), rank, lower in zip(ends, ranks, below, strict=True):
        first, end = bisect_left(lengths, low), bisect_right(lengths, high)
        if not 0 <= rank - lower < end - first:
            return None
        found.append(lengths[first + rank - lower])
    return found
