"""Reports: figures about the desk as a whole."""

from __future__ import annotations

from helpdesk.clock import DAY_MS, rfc3339
from helpdesk.db import reports as store
from helpdesk.db.engine import Connection
from helpdesk.db.reports import OPEN, Moment, OpenGroup
from helpdesk.messages.accounts import Person
from helpdesk.messages.reports import AgeGroup, AgentLoad, Day, Overview, Times
from helpdesk.terms import PRIORITIES

_AGE_LABELS = {0: "under 1 day", 1: "1 to 3 days", 3: "3 to 7 days", 7: "7 to 30 days", 30: "over 30 days"}


def overview(conn: Connection, *, days: int, now: int) -> Overview:
    """Return the open tickets as of now, and what happened in the last `days` days (UTC), including today."""
    groups = store.open_groups(conn, now=now)
    first_day = now // DAY_MS - days + 1
    return Overview(
        days=days,
        open_by_status={s: sum(g.tickets for g in groups if g.status == s) for s in OPEN},
        open_by_priority={p: sum(g.tickets for g in groups if g.priority == p) for p in PRIORITIES},
        breached=sum(g.tickets for g in groups if g.breached),
        ageing=[
            AgeGroup(label, sum(g.tickets for g in groups if g.age_days == age)) for age, label in _AGE_LABELS.items()
        ],
        per_day=_per_day(conn, first_day, days),
        first_response_minutes=_times(conn, "first_responded_at", first_day),
        resolution_minutes=_times(conn, "resolved_at", first_day),
        load=_load(conn, groups),
    )


def _per_day(conn: Connection, first_day: int, days: int) -> list[Day]:
    until = (first_day + days - 1) * DAY_MS
    created = store.per_day(conn, "created_at", since=first_day * DAY_MS, until=until)
    resolved = store.per_day(conn, "resolved_at", since=first_day * DAY_MS, until=until)
    return [
        Day(rfc3339(day * DAY_MS)[:10], created.get(day, 0), resolved.get(day, 0))
        for day in range(first_day, first_day + days)
    ]


def _times(conn: Connection, moment: Moment, first_day: int) -> Times:
    count, minutes = store.minutes_until(conn, moment, since=first_day * DAY_MS)
    if not minutes:
        return Times(None, None, 0)
    return Times(round(minutes[0], 1), round(minutes[1], 1), count)


def _load(conn: Connection, groups: list[OpenGroup]) -> list[AgentLoad]:
    """Return the number of open tickets of every active agent and admin, the busiest first."""
    load = [
        AgentLoad(
            Person(*person),
            open=sum(g.tickets for g in groups if g.assignee_id == person[0]),
            breached=sum(g.tickets for g in groups if g.assignee_id == person[0] and g.breached),
        )
        for person in store.staff(conn)
    ]
    return sorted(load, key=lambda one: (-one.open, one.agent.id))
