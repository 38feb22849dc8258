"""The SLA clock, as arithmetic: no storage, no time of its own.

A clock starts with its ticket, stands still while the ticket is pending, resolved or closed, and
runs otherwise. Its deadline moves by the time that it stood still, unless it had passed before. New
minutes are measured from the start, plus all the time that it stood still. A breach happens at the
moment the deadline passes while the clock runs, or is moved to where the clock has been already; it stays.
All moments and lengths are in milliseconds.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from helpdesk.clock import MINUTE_MS
from helpdesk.terms import RUNNING, Priority, SlaState, Status

DEFAULT_MINUTES: dict[Priority, int] = {"low": 4320, "medium": 1440, "high": 240, "urgent": 60}


class SlaClock(Struct, frozen=True):
    """One run of a clock; `start` makes a new one.

    `stopped_at` is None while it runs; while it stands still, `deadline` is what it was when it
    stopped. `breached_at` is when the breach was put on record, None without one.
    """

    started_at: int
    minutes: int
    deadline: int
    stood_still_ms: int = 0
    stopped_at: int | None = None
    breached_at: int | None = None

    @property
    def due_at(self) -> int | None:
        """When the next breach will be; None when there will be none unless something changes."""
        return self.deadline if self.stopped_at is None and self.breached_at is None else None

    def is_breached(self, now: int) -> bool:
        """Whether the deadline has passed while the clock ran."""
        return self.breached_at is not None or (self.due_at is not None and self.due_at <= now)


def start(started_at: int, minutes: int) -> SlaClock:
    """Return a clock that runs since `started_at`."""
    return SlaClock(started_at, minutes, started_at + minutes * MINUTE_MS)


def state(status: Status, *, breached: bool) -> SlaState:
    """Return a clock's state as the API names it. A pending ticket's clock is `paused` even after a breach."""
    if status == "pending":
        return "paused"
    if breached:
        return "breached"
    return "running" if status in RUNNING else "met"


def settle(clock: SlaClock, now: int) -> SlaClock:
    """Put a breach on record if it has happened by `now`; to be done before any other change."""
    return replace(clock, breached_at=now) if clock.breached_at is None and clock.is_breached(now) else clock


def follow(clock: SlaClock, status: Status, now: int) -> SlaClock:
    """Stop or start the clock as `status` demands; one that already does stays as it is."""
    if status in RUNNING:
        if clock.stopped_at is None:
            return clock
        # A wall clock that was set back does not give time away.
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
    """Measure again from the start with other minutes; what is breached stays so.

    The clock is breached if the new deadline lies at or before the moment at which it stopped, or
    `now` while it runs (API.md, section 4).
    """
    deadline = clock.started_at + minutes * MINUTE_MS + clock.stood_still_ms
    reached = now if clock.stopped_at is None else clock.stopped_at
    breached_at = now if clock.breached_at is None and deadline <= reached else clock.breached_at
    return replace(clock, minutes=minutes, deadline=deadline, breached_at=breached_at)
