"""The clock of a ticket's row: a breach is on record once, before whatever came after it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.clock import MINUTE_MS, rfc3339
from helpdesk.db import clocks as clock_store
from helpdesk.db import tickets as store
from helpdesk.db import timeline as timeline_store
from helpdesk.db import users
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import clocks, comments, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.errors import VersionMismatch
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from helpdesk.terms import STATUSES, Status

START = 1_000_000


@pytest.fixture
def agent(conn: Connection) -> Actor:
    user_id = users.insert(
        conn, username="agent", name=None, email=None, role="agent", password_hash="", created_at=START
    )
    assert user_id is not None
    return Actor(user_id, "agent", None, "agent")


def created(conn: Connection, agent: Actor, minutes: int = 10, *, at: int = 0) -> int:
    """The id of a ticket made `at` minutes after the start, due `minutes` later."""
    new = NewTicket("Printer jams", "Paper everywhere.", sla_minutes=minutes)
    return tickets.create(conn, agent, new, now=START + at * MINUTE_MS, may_set_sla=True).ticket.id


def row_of(conn: Connection, ticket_id: int) -> TicketRow:
    row = store.by_id(conn, ticket_id)
    assert row is not None
    return row


def change(conn: Connection, agent: Actor, ticket_id: int, now: int, **fields: Any) -> None:
    ticket_changes.apply(conn, row_of(conn, ticket_id), fields, actor=agent, now=now)


def actions(conn: Connection, ticket_id: int) -> list[str]:
    entries = timeline_store.page(conn, ticket_id, internal=True, action=None, limit=100, offset=0)
    return [entry.action for entry in entries]


def test_a_change_after_the_deadline_stands_after_the_breach(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    change(conn, agent, ticket_id, START + 11 * MINUTE_MS, status="resolved")
    assert actions(conn, ticket_id) == ["created", "sla_breached", "updated"]
    assert row_of(conn, ticket_id).breached


@pytest.mark.parametrize("internal", [False, True])
def test_a_comment_after_the_deadline_stands_after_the_breach(conn: Connection, agent: Actor, internal: bool) -> None:
    ticket_id = created(conn, agent)
    comments.add(conn, agent, ticket_id, NewComment("Late.", None, internal), now=START + 11 * MINUTE_MS)
    assert actions(conn, ticket_id) == ["created", "sla_breached", "commented"]


@pytest.mark.parametrize(("late_ms", "breached"), [(-1, False), (0, True), (1, True)])
def test_resolving_at_the_deadline_is_a_moment_too_late(
    conn: Connection, agent: Actor, late_ms: int, breached: bool
) -> None:
    ticket_id = created(conn, agent)
    change(conn, agent, ticket_id, START + 10 * MINUTE_MS + late_ms, status="resolved")
    assert ("sla_breached" in actions(conn, ticket_id)) == breached
    assert clocks.sweep(conn, now=START + 99 * MINUTE_MS) == 0


def test_a_breach_is_written_once_whatever_follows(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    for minute, status in enumerate(["in_progress", "pending", "open", "closed", "open", "resolved", "open"], 11):
        change(conn, agent, ticket_id, START + minute * MINUTE_MS, status=status)
        clocks.sweep(conn, now=START + minute * MINUTE_MS)
    change(conn, agent, ticket_id, START + 30 * MINUTE_MS, sla_minutes=100)
    clocks.sweep(conn, now=START + 999 * MINUTE_MS)
    assert actions(conn, ticket_id).count("sla_breached") == 1


def test_a_breach_leaves_version_and_updated_at_alone(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    before = row_of(conn, ticket_id)
    assert clocks.sweep(conn, now=before.sla_deadline) == 1
    after = row_of(conn, ticket_id)
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert (after.breached, after.due_at, after.sla_deadline) == (True, None, before.sla_deadline)


def test_a_clock_that_goes_on_is_due_later_by_its_pause(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    change(conn, agent, ticket_id, START + 4 * MINUTE_MS, status="pending")
    assert clock_store.next_due(conn) is None
    change(conn, agent, ticket_id, START + 104 * MINUTE_MS, status="open")
    assert clock_store.next_due(conn) == START + 110 * MINUTE_MS
    assert clocks.sweep(conn, now=START + 110 * MINUTE_MS - 1) == 0
    assert clocks.sweep(conn, now=START + 110 * MINUTE_MS) == 1


def test_fewer_minutes_than_have_passed_are_a_breach_at_once(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent, 500)
    now = START + 70 * MINUTE_MS
    change(conn, agent, ticket_id, now, priority="urgent")
    assert actions(conn, ticket_id) == ["created", "updated", "sla_breached"]
    assert clocks.sweep(conn, now=now) == 0
    entry = timeline_store.page(conn, ticket_id, internal=True, action=None, limit=100, offset=2)[0]
    assert json.loads(entry.data) == {"sla_deadline": rfc3339(START + 60 * MINUTE_MS), "sla_minutes": 60}
    assert (entry.created_at, row_of(conn, ticket_id).version) == (now, 2)


@pytest.mark.parametrize("status", ["open", "pending", "resolved", "closed"])
@pytest.mark.parametrize("then", ["open", "pending", "resolved", "closed"])
def test_minutes_come_before_the_status_of_the_same_change(
    conn: Connection, agent: Actor, status: str, then: str
) -> None:
    ticket_id = created(conn, agent, 500)
    change(conn, agent, ticket_id, START + 20 * MINUTE_MS, status=status)
    change(conn, agent, ticket_id, START + 20 * MINUTE_MS, sla_minutes=20, status=then)
    assert row_of(conn, ticket_id).breached
    assert actions(conn, ticket_id)[-2:] == ["updated", "sla_breached"]


@pytest.mark.parametrize("status", ["pending", "resolved", "closed"])
def test_more_minutes_than_had_passed_at_the_stop_are_no_breach(conn: Connection, agent: Actor, status: str) -> None:
    ticket_id = created(conn, agent, 500)
    change(conn, agent, ticket_id, START + 20 * MINUTE_MS, status=status)
    change(conn, agent, ticket_id, START + 90 * MINUTE_MS, sla_minutes=21)
    assert "sla_breached" not in actions(conn, ticket_id)
    change(conn, agent, ticket_id, START + 90 * MINUTE_MS, status="open")
    assert clock_store.next_due(conn) == START + 91 * MINUTE_MS


def test_a_change_of_nothing_writes_nothing(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    change(conn, agent, ticket_id, START + 99 * MINUTE_MS, status="open")
    assert actions(conn, ticket_id) == ["created"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(STATUSES) | st.integers(1, 60)), max_size=12))
def test_a_ticket_repeats_what_its_clock_says(
    conn: Connection, agent: Actor, history: list[tuple[int, Status | int]]
) -> None:
    ticket_id, now = created(conn, agent), START
    for passed, event in history:
        now += passed * MINUTE_MS
        change(conn, agent, ticket_id, now, **{"sla_minutes" if isinstance(event, int) else "status": event})
        ticket, clock = row_of(conn, ticket_id), clocks.of_ticket(conn, ticket_id)
        assert {name: getattr(ticket, name) for name in clocks.columns(clock)} == clocks.columns(clock)
        assert ticket.due_at == clock.due_at
        assert (clock.stopped_at is None) == (ticket.status in ("open", "in_progress"))


def test_the_sweep_goes_in_steps_longest_overdue_first(
    conn: Connection, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "SWEEP_STEP", 3)
    minutes = [50, 10, 40, 70, 20, 60, 30]
    ids = [created(conn, agent, m) for m in minutes]
    by_deadline = [ticket_id for _, ticket_id in sorted(zip(minutes, ids, strict=True))]
    for step, done in ((3, 3), (3, 6), (1, 7)):
        assert clocks.sweep(conn, now=START + 99 * MINUTE_MS) == step
        breached = [ticket_id for ticket_id in by_deadline if row_of(conn, ticket_id).breached]
        assert breached == by_deadline[:done]
    assert clocks.sweep(conn, now=START + 99 * MINUTE_MS) == 0


def test_a_breach_of_a_row_that_has_changed_since_is_refused(conn: Connection, agent: Actor) -> None:
    ticket_id = created(conn, agent)
    stale = row_of(conn, ticket_id)
    change(conn, agent, ticket_id, START + MINUTE_MS, status="pending")
    with pytest.raises(VersionMismatch):
        clocks.settle(conn, stale, now=START + 11 * MINUTE_MS)
    assert "sla_breached" not in actions(conn, ticket_id)
