"""Fair use: the token bucket. Runs on the monotonic clock."""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import Struct

from helpdesk.config import Rate

_SWEEP_AT_LEAST = 1024  # keys that are kept before it is worth looking for idle ones


class Standing(Struct, frozen=True):
    """A bucket after a request: `remaining` whole tokens, seconds until it is full, until the next token.

    `taken` is False when there was none left.
    """

    taken: bool
    remaining: int
    full_in_s: int
    retry_after_s: int


class TokenBuckets:
    """One bucket for each key: `rate.count` tokens, refilled evenly over `rate.window_s`.

    A bucket is kept as one number, the moment at which it will be full (the "theoretical arrival
    time" of GCRA, ITU-T I.371). A full bucket is the same as none, so full ones are forgotten, each
    time that the number of keys has doubled; a drained one is never forgotten before it is full.
    """

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._capacity = rate.count
        self._seconds_per_token = rate.window_s / rate.count
        self._monotonic = monotonic
        self._full_at: dict[str, float] = {}
        self._sweep_at = _SWEEP_AT_LEAST

    def take(self, key: str) -> Standing:
        """Take a token from the key's bucket, if there is one."""
        now = self._monotonic()
        missing = max(0.0, self._full_at.get(key, now) - now) / self._seconds_per_token
        taken = missing + 1 <= self._capacity + 1e-9
        if taken:
            missing += 1
            self._full_at[key] = now + missing * self._seconds_per_token
            if len(self._full_at) >= self._sweep_at:
                self._forget_full(now)
        return Standing(
            taken=taken,
            remaining=math.floor(self._capacity - missing + 1e-9),
            full_in_s=math.ceil(missing * self._seconds_per_token - 1e-9),
            retry_after_s=max(1, math.ceil((missing + 1 - self._capacity) * self._seconds_per_token - 1e-9)),
        )

    def _forget_full(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._full_at))

    def __len__(self) -> int:
        return len(self._full_at)
