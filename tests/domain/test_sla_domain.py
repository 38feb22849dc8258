"""The SLA clock's arithmetic: examples, and properties over generated histories."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.clock import MINUTE_MS
from helpdesk.domain import sla
from helpdesk.domain.sla import SlaClock
from helpdesk.terms import STATUSES, Status

# A history: minutes that pass, then what happens: a status, or new minutes.
steps = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(STATUSES) | st.integers(1, 600)), max_size=20)


def run(minutes: int, history: list[tuple[int, Status | int]]) -> tuple[SlaClock, Status, int]:
    """The clock, the status and the moment after a history that began at moment 0."""
    clock, status, now = sla.start(0, minutes), "open", 0
    for passed, event in history:
        now += passed * MINUTE_MS
        clock = sla.settle(clock, now)
        if isinstance(event, int):
            clock = sla.with_minutes(clock, event, now)
        else:
            status = event
            clock = sla.follow(clock, status, now)
    return clock, status, now  # type: ignore[return-value]


def minute_by_minute(minutes: int, history: list[tuple[int, Status | int]]) -> tuple[int, bool]:
    """An independent model: how many minutes the clock has run, and whether it was ever breached."""
    status, ran, breached = "open", 0, False
    for passed, event in history:
        for _ in range(passed):
            ran += status in ("open", "in_progress")
            breached |= status in ("open", "in_progress") and ran >= minutes
        breached |= status in ("open", "in_progress") and ran >= minutes
        if isinstance(event, int):
            minutes = event
            breached |= ran >= minutes  # in any status: it lies where the clock has been already
        else:
            status = event
    return ran, breached


def test_a_pause_moves_the_deadline_by_its_length() -> None:
    clock = sla.follow(sla.start(0, 60), "pending", 20 * MINUTE_MS)
    assert clock.deadline == 60 * MINUTE_MS
    assert sla.state("pending", breached=clock.is_breached(500 * MINUTE_MS)) == "paused"
    clock = sla.follow(clock, "open", 50 * MINUTE_MS)
    assert clock.deadline == 90 * MINUTE_MS


def test_it_is_breached_at_the_deadline_and_not_a_moment_before() -> None:
    clock = sla.start(0, 1)
    assert not clock.is_breached(MINUTE_MS - 1)
    assert clock.is_breached(MINUTE_MS)
    assert sla.state("open", breached=clock.is_breached(MINUTE_MS)) == "breached"


def test_a_resolved_clock_is_met_or_breached() -> None:
    in_time = sla.follow(sla.start(0, 1), "resolved", 1)
    assert sla.state("resolved", breached=in_time.is_breached(MINUTE_MS * 9)) == "met"
    late = sla.follow(sla.settle(sla.start(0, 1), MINUTE_MS), "closed", MINUTE_MS)
    assert sla.state("closed", breached=late.is_breached(MINUTE_MS)) == "breached"


def test_a_wall_clock_that_was_set_back_gives_no_time_away() -> None:
    clock = sla.follow(sla.start(0, 60), "pending", 20 * MINUTE_MS)
    assert sla.follow(clock, "open", 10 * MINUTE_MS).deadline == 60 * MINUTE_MS


@settings(max_examples=1000)
@given(st.integers(1, 600), steps)
def test_the_deadline_is_what_is_left_to_run_until_it_has_passed(
    minutes: int, history: list[tuple[int, Status | int]]
) -> None:
    clock, status, now = run(minutes, history)
    ran, _ = minute_by_minute(minutes, history)
    if status in ("open", "in_progress"):
        left_ms = (clock.minutes - ran) * MINUTE_MS
        assert clock.deadline - now == left_ms if left_ms > 0 else clock.deadline <= now


@pytest.mark.parametrize("status", ["pending", "resolved", "closed"])
def test_a_deadline_that_has_passed_is_not_moved_by_a_later_pause(status: Status) -> None:
    clock = sla.settle(sla.start(0, 60), 70 * MINUTE_MS)
    clock = sla.follow(sla.follow(clock, status, 70 * MINUTE_MS), "open", 100 * MINUTE_MS)
    assert clock.deadline == 60 * MINUTE_MS
    # New minutes are measured from the creation and all of the time that it stood still.
    assert sla.with_minutes(clock, 200, 100 * MINUTE_MS).deadline == 230 * MINUTE_MS


@pytest.mark.parametrize(("minutes", "breached"), [(21, False), (20, True), (5, True)])
def test_new_minutes_of_a_stopped_clock_are_held_against_the_moment_it_stopped(minutes: int, breached: bool) -> None:
    clock = sla.follow(sla.start(0, 60), "pending", 20 * MINUTE_MS)
    assert sla.with_minutes(clock, minutes, 500 * MINUTE_MS).is_breached(0) == breached


@given(st.integers(1, 600), steps)
def test_a_breach_agrees_with_a_count_of_minutes(minutes: int, history: list[tuple[int, Status | int]]) -> None:
    clock, status, now = run(minutes, history)
    _, breached = minute_by_minute(minutes, [*history, (0, status)])
    assert clock.is_breached(now) == breached
    assert (sla.state(status, breached=clock.is_breached(now)) == "breached") == (breached and status != "pending")


@given(st.integers(1, 600), steps, st.integers(0, 10_000))
def test_a_breach_stays_and_settling_twice_is_settling_once(
    minutes: int, history: list[tuple[int, Status | int]], later: int
) -> None:
    clock, _, now = run(minutes, history)
    settled = sla.settle(clock, now)
    assert sla.settle(settled, now) == settled
    if settled.breached_at is not None:
        assert settled.due_at is None
        assert sla.with_minutes(sla.follow(settled, "open", now), 525_600, now).is_breached(now + later)


@given(st.integers(1, 600), steps)
def test_the_clock_runs_exactly_while_work_is_awaited(minutes: int, history: list[tuple[int, Status | int]]) -> None:
    clock, status, _ = run(minutes, history)
    assert (clock.stopped_at is None) == (status in ("open", "in_progress"))
