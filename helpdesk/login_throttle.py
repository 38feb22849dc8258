"""Failed logins: at most so many in a window for one name from one address; in memory, and the twin in Redis."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from msgspec import Struct

from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited
from helpdesk.ratelimit import REDIS_CLOCK

_SWEEP_AT_LEAST = 1024  # keys that are kept before it is worth looking for idle ones


class Throttle(Protocol):
    def attempt(self, key: str) -> AbstractAsyncContextManager[None]:
        """Around one check of a password; InvalidCredentials raised inside is a failure.

        Raises RateLimited, before anything is checked, when the window has no room.
        """
        ...


class _Attempts(Struct):
    failed_at: deque[float]
    running: int = 0


class LoginThrottle:
    """At most `rate.count` failed logins for one key (a name from one address) in `rate.window_s`.

    Attempts that are still being checked count as failed until they are known to be none, so that
    twenty at once do not all get through; they wait instead of being refused.
    """

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._attempts: dict[str, _Attempts] = {}
        self._settled = asyncio.Condition()
        self._sweep_at = _SWEEP_AT_LEAST

    @asynccontextmanager
    async def attempt(self, key: str) -> AsyncIterator[None]:
        """Around one check of a password; InvalidCredentials raised inside is a failure.

        Raises RateLimited, before anything is checked, when the window has no room.
        """
        if self._rate.count == 0:
            yield
            return
        await self._admit(key)
        failed = False
        try:
            yield
        except InvalidCredentials:
            failed = True
            raise
        finally:
            await self._settle(key, failed)

    async def _admit(self, key: str) -> None:
        async with self._settled:
            while True:
                attempts = self._attempts.setdefault(key, _Attempts(deque()))
                self._drop_old(attempts)
                if len(attempts.failed_at) >= self._rate.count:
                    raise self._refusal(attempts)
                if len(attempts.failed_at) + attempts.running < self._rate.count:
                    attempts.running += 1
                    return
                await self._settled.wait()

    async def _settle(self, key: str, failed: bool) -> None:
        async with self._settled:
            attempts = self._attempts[key]
            attempts.running -= 1
            if failed:
                attempts.failed_at.append(self._monotonic())
            if not attempts.failed_at and not attempts.running:
                del self._attempts[key]
            if len(self._attempts) >= self._sweep_at:
                self._forget_idle()
            self._settled.notify_all()

    def _drop_old(self, attempts: _Attempts) -> None:
        until = self._monotonic() - self._rate.window_s
        while attempts.failed_at and attempts.failed_at[0] <= until:
            attempts.failed_at.popleft()

    def _refusal(self, attempts: _Attempts) -> RateLimited:
        wait_s = attempts.failed_at[0] + self._rate.window_s - self._monotonic()
        return _refusal(wait_s)

    def _forget_idle(self) -> None:
        for attempts in self._attempts.values():
            self._drop_old(attempts)
        self._attempts = {key: a for key, a in self._attempts.items() if a.failed_at or a.running}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._attempts))


def _refusal(wait_s: float) -> RateLimited:
    return RateLimited(
        "Too many failed logins for this name; wait and try again", retry_after_s=max(1, math.ceil(wait_s))
    )


# Two sorted sets for each key: when attempts failed, and until when those that run count as failed.
_ADMIT = """
local count, window, hold = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local failed = redis.call('ZCARD', KEYS[1])
if failed >= count then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
    return {'refused', string.format('%.0f', oldest + window - now)}
end
if failed + redis.call('ZCARD', KEYS[2]) >= count then
    return {'wait', '0'}
end
redis.call('ZADD', KEYS[2], now + hold, ARGV[4])
redis.call('PEXPIRE', KEYS[2], math.ceil(hold / 1000))
return {'admitted', '0'}
"""
_SETTLE = """
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[3] == 'failed' then
    redis.call('ZADD', KEYS[1], now, ARGV[2])
    redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) / 1000))
end
return {}
"""
_HOLD_S = 30  # longer than a check of a password takes; then its process is taken for dead
_LOOK_AGAIN_S = 0.05  # how often an attempt that waits asks whether those before it are settled


class SharedLoginThrottle:
    """The same window in Redis, one for all processes; while Redis is away, each process has its `own`."""

    def __init__(self, rate: Rate, redis: Redis, own: LoginThrottle, *, clock: str = REDIS_CLOCK) -> None:
        self._rate = rate
        self._redis = redis
        self._own = own
        self._clock = clock

    @asynccontextmanager
    async def attempt(self, key: str) -> AsyncIterator[None]:
        """As LoginThrottle.attempt."""
        if self._rate.count == 0:
            yield
            return
        attempt = secrets.token_hex(8)
        try:
            await self._admit(key, attempt)
        except RedisAway:
            async with self._own.attempt(key):
                yield
            return
        outcome = "passed"
        try:
            yield
        except InvalidCredentials:
            outcome = "failed"
            raise
        finally:
            await self._settle(key, attempt, outcome)

    async def _admit(self, key: str, attempt: str) -> None:
        arguments: list[str | int] = [self._rate.count, self._window_us, _HOLD_S * 1_000_000, attempt]
        while True:
            verdict, wait_us = await self._redis.run(self._clock + _ADMIT, _names(key), arguments)
            if verdict == b"refused":
                raise _refusal(int(wait_us) / 1_000_000)
            if verdict == b"admitted":
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _settle(self, key: str, attempt: str, outcome: str) -> None:
        try:
            await self._redis.run(self._clock + _SETTLE, _names(key), [self._window_us, attempt, outcome])
        except RedisAway:
            return  # it has forgotten the window, or the attempt counts until its time is over

    @property
    def _window_us(self) -> int:
        return self._rate.window_s * 1_000_000


def _names(key: str) -> list[str]:
    return [f"helpdesk:login:{{{key}}}:failed", f"helpdesk:login:{{{key}}}:running"]
