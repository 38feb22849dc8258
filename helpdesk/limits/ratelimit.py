"""Rate limiting: token buckets in memory and in Redis. One test suite runs against both."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.config import Rate

T = TypeVar("T")

GUESSES_AT_ONCE = 8
_SWEEP_AT_LEAST = 1024  # keys that are kept before it is worth looking for idle ones


class Standing(Struct, frozen=True):
    """A bucket after a request: `remaining` whole tokens, seconds until it is full, until the next token.

    `taken` is False when there was none left.
    """

    taken: bool
    remaining: int
    full_in_s: int
    retry_after_s: int


class Buckets(Protocol):
    async def take(self, key: str) -> Standing:
        """Take a token from the key's bucket, if there is one."""
        ...


class TokenBuckets:
    """One bucket for each key: `rate.count` tokens, refilled evenly over `rate.window_s` of the monotonic clock.

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

    async def take(self, key: str) -> Standing:
        """Take a token from the key's bucket, if there is one."""
        return self.take_now(key)

    def take_now(self, key: str) -> Standing:
        """Do what `take` does, at once."""
        now = self._monotonic()
        missing = max(0.0, self._full_at.get(key, now) - now) / self._seconds_per_token
        taken = missing + 1 <= self._capacity + 1e-9
        if taken:
            missing += 1
            self._full_at[key] = now + missing * self._seconds_per_token
            if len(self._full_at) >= self._sweep_at:
                self._forget_full(now)
        return _standing(taken, missing, self._capacity, self._seconds_per_token, 1e-9)

    def peek(self, key: str) -> Standing:
        """Return the bucket's standing without taking a token; `taken` says whether one is available."""
        missing = max(0.0, self._full_at.get(key, 0.0) - self._monotonic()) / self._seconds_per_token
        has_one = missing + 1 <= self._capacity + 1e-9
        return _standing(has_one, missing, self._capacity, self._seconds_per_token, 1e-9)

    def _forget_full(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._full_at))

    def __len__(self) -> int:
        return len(self._full_at)


class GuessesSpent(Exception):
    """No lookups of unknown tokens are left; `standing` says until when."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing


class Guesses:
    """Limits failed token lookups, so that made-up tokens do not cost a database read each.

    They have a bucket of their own for each key, so that a valid token is looked up also where the
    address has spent its other requests. A lookup takes a token once it has failed; few of one key run
    at a time, so that a burst does not get past the limit, and a crowd that signs in at once waits.
    """

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._buckets = TokenBuckets(rate, monotonic)
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    async def look_up(self, key: str, find: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what `find` gives, and take a token when that is None. Raises GuessesSpent without calling it."""
        gate = self._gates.setdefault(key, asyncio.Semaphore(GUESSES_AT_ONCE))
        self._waiting[key] += 1
        try:
            async with gate:
                standing = self._buckets.peek(key)
                if not standing.taken:
                    raise GuessesSpent(standing)
                found = await find()
                if found is None:
                    self._buckets.take_now(key)
                return found
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key], self._gates[key]


def _standing(taken: bool, missing: float, capacity: int, seconds_per_token: float, slack: float) -> Standing:
    """Return the standing of a bucket. `missing`: tokens used. `slack`: absorbs rounding errors."""
    return Standing(
        taken=taken,
        remaining=math.floor(capacity - missing + slack),
        full_in_s=math.ceil(missing * seconds_per_token - slack),
        retry_after_s=max(1, math.ceil((missing + 1 - capacity) * seconds_per_token - slack)),
    )


# Microseconds by the clock of Redis, so that all processes measure by one. It is a wall clock: when it
# is set back, a bucket cannot lack more than it holds.
REDIS_CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""
_TAKE = """
local capacity, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local per_token = window / capacity
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
local missing = math.min(capacity, math.max(0, full_at - now) / per_token)
local taken = missing + 1 <= capacity + 1e-4
if taken then
    missing = missing + 1
    local full_in = math.floor(missing * per_token)
    redis.call('SET', KEYS[1], string.format('%.0f', now + full_in), 'PX', math.ceil(full_in / 1000) + 1)
end
return {taken and '1' or '0', string.format('%.9f', missing)}
"""
_SLACK = 1e-4  # tokens or seconds: a full bucket is kept to the microsecond


class SharedTokenBuckets:
    """The same buckets in Redis, one for all processes; while Redis is away, each process has its `own`.

    The same number is kept, under a name that holds the rate, and Redis itself forgets it when the
    bucket is full.
    """

    def __init__(self, rate: Rate, redis: Redis, own: TokenBuckets, *, clock: str = REDIS_CLOCK) -> None:
        self._rate = rate
        self._redis = redis
        self._own = own
        self._script = clock + _TAKE

    async def take(self, key: str) -> Standing:
        """Take a token from the key's bucket, if there is one."""
        count, window_s = self._rate.count, self._rate.window_s
        name = f"helpdesk:bucket:{count}/{window_s}s:{key}"
        try:
            taken, missing = await self._redis.run(self._script, [name], [count, window_s * 1_000_000])
        except RedisAway:
            return await self._own.take(key)
        return _standing(taken == b"1", float(missing), count, window_s / count, _SLACK)
