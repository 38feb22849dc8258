"""Time. Moments are whole milliseconds since 1970 in UTC; the domain never reads a clock itself.

The wall clock stamps records. The monotonic clock drives buckets and time-outs, so that a jump of
the wall clock changes nothing for a caller.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    def now(self) -> int:
        """Return the wall clock, in milliseconds since 1970 (UTC)."""
        ...

    def monotonic(self) -> float:
        """Return the seconds of a clock that never jumps."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(moment: int) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds: `2026-11-23T09:30:00.000Z`."""
    second, ms = divmod(moment, 1000)
    return f"{_whole_second(second)}.{ms:03}Z"


@lru_cache(maxsize=4096)
def _whole_second(second: int) -> str:
    # Most moments that are shown share their second with others: those of one ticket, or of now.
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def rfc3339_or_none(moment: int | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def parse_rfc3339(text: str) -> int:
    """Parse a time that `rfc3339` formatted.

    Raises ValueError for anything else.
    """
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
