"""SLA clock arithmetic: pure functions without storage or a clock of their own.

A clock starts with its ticket. It is paused while the ticket is pending, resolved or closed, and runs otherwise.
A pause moves the deadline by its length, unless the deadline had already passed. A new target is measured from the
start, plus all paused time. A breach happens when the deadline passes while the clock runs, or when the deadline is
moved to a time that the clock has already passed. A breach is permanent.
All times and durations are in milliseconds.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from helpdesk.clock import MINUTE_MS
from helpdesk.terms import RUNNING, Priority, SlaState, Status

DEFAULT_MINUTES: dict[Priority, int] = {"low": 4320, "medium": 1440, "high": 240, "urgent": 60}


class SlaClock(Struct, frozen=True):
    """One run of a clock, created by `start`.

    `stopped_at` is None while the clock runs. While it is paused, `deadline` is the deadline at the time it stopped.
    `breached_at` is when the breach was recorded, None without one.
    """

    started_at: int
    minutes: int
    deadline: int
    stood_still_ms: int = 0
    stopped_at: int | None = None
    breached_at: int | None = None

    @property
    def due_at(self) -> int | None:
        """Return when the next breach will happen; None if there will be none unless the clock changes."""
        return self.deadline if self.stopped_at is None and self.breached_at is None else None

    def is_breached(self, now: int) -> bool:
        """Return whether the deadline has passed while the clock ran."""
        return self.breached_at is not None or (self.due_at is not None and self.due_at <= now)


def start(started_at: int, minutes: int) -> SlaClock:
    """Return a clock that has been running since `started_at`."""
    return SlaClock(started_at, minutes, started_at + minutes * MINUTE_MS)


def state(status: Status, *, breached: bool) -> SlaState:
    """Return the clock's state in the API's terms. A pending ticket's clock is `paused` even after a breach."""
    if status == "pending":
        return "paused"
    if breached:
        return "breached"
    return "running" if status in RUNNING else "met"


def settle(clock: SlaClock, now: int) -> SlaClock:
    """Record a breach if it has happened by `now`. Call this before any other change of the clock."""
    return replace(clock, breached_at=now) if clock.breached_at is None and clock.is_breached(now) else clock


def follow(clock: SlaClock, status: Status, now: int) -> SlaClock:
    """Stop or start the clock as `status` requires; return it unchanged if it already does."""
    if status in RUNNING:
        if clock.stopped_at is None:
            return clock
        # Without the bound, a wall clock that was set back would extend the deadline.
        pause_ms = max(0, now - clock.stopped_at)
        moved_ms = pause_ms if clock.deadline > clock.stopped_at else 0
        return replace(
            clock,
            stopped_at=None,
            deadline=clock.deadline + moved_ms,
            stood_still_ms=clock.stood_still_ms + pause_ms,
        )
    return clock if clock.stopped_at is not None else replace(clock, stopped_at=now)


def with_minutes(clock: SlaClock, minutes: int, now: int) -> SlaClock:
    """Recompute the deadline from the start for a new target in minutes; a recorded breach remains.

    The clock is breached if the new deadline lies at or before the moment at which it stopped, or
    `now` while it runs (API.md, section 4).
    """
    deadline = clock.started_at + minutes * MINUTE_MS + clock.stood_still_ms
    reached = now if clock.stopped_at is None else clock.stopped_at
    breached_at = now if clock.breached_at is None and deadline <= reached else clock.breached_at
    return replace(clock, minutes=minutes, deadline=deadline, breached_at=breached_at)
