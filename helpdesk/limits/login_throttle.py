"""Failed logins and registrations: at most so many in each of several windows; in memory, and the twin in Redis."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, Protocol

from msgspec import Struct

from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited, TooManySignIns
from helpdesk.limits.ratelimit import REDIS_CLOCK

# The contract's multiples of --login-limit.
NAME_FACTOR = 5  # failures for one name, from all addresses together
ADDRESS_FACTOR = 10  # failures from one address, whatever the name
REGISTRATION_FACTOR, REGISTRATION_WINDOW_S = 2, 3600

# How long an attempt waits for those before it to be settled, each of which takes two seconds and a check at most.
WAIT_S = 5.0
_SWEEP_AT_LEAST = 1024  # keys that are kept before it is worth looking for idle ones

Counted = Literal["failure", "success"]


class Window(Struct, frozen=True):
    """At most `rate.count` attempts that count, of one `key`, in `rate.window_s`; `refusal` is told to the next one."""

    key: str
    rate: Rate
    refusal: str


def login_windows(limit: Rate, name: str, address: str) -> tuple[Window, ...]:
    """Return the windows that count failed logins for `name` from `address`; none if the limit is off."""
    if limit.count == 0:
        return ()
    for_name = "Too many failed logins for this name; wait and try again"
    from_address = "Too many failed logins from this address; wait and try again"
    # An address holds no blank, so no name can make the key of another window.
    return (
        Window(f"both {address} {name}", limit, for_name),
        Window(f"name {name}", Rate(limit.count * NAME_FACTOR, limit.window_s), for_name),
        Window(f"address {address}", Rate(limit.count * ADDRESS_FACTOR, limit.window_s), from_address),
    )


def registration_windows(limit: Rate, address: str) -> tuple[Window, ...]:
    """Return the window that counts registrations from `address`; none if the limit is off."""
    if limit.count == 0:
        return ()
    rate = Rate(limit.count * REGISTRATION_FACTOR, REGISTRATION_WINDOW_S)
    return (Window(f"registered {address}", rate, "Too many registrations from this address; wait and try again"),)


class Throttle(Protocol):
    def attempt(self, windows: Sequence[Window], *, counts: Counted = "failure") -> AbstractAsyncContextManager[None]:
        """Hold a place in every window around one attempt; without windows, do nothing.

        A "failure" is an InvalidCredentials that is raised inside, a "success" is when nothing is. Raises
        RateLimited, before the attempt is made, when one of the windows has no room, and Unavailable when
        too many others run for too long.
        """
        ...


class _Attempts(Struct):
    window_s: int
    counted_at: deque[float]
    running: int = 0


class LoginThrottle:
    """The windows in memory.

    Attempts that are still being checked count until they are known not to, so that twenty at once do
    not all get through; they wait instead of being refused.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._attempts: dict[str, _Attempts] = {}
        self._settled = asyncio.Condition()
        self._sweep_at = _SWEEP_AT_LEAST

    @asynccontextmanager
    async def attempt(self, windows: Sequence[Window], *, counts: Counted = "failure") -> AsyncIterator[None]:
        """Hold a place in every window around one attempt, as in Throttle."""
        if not windows:
            yield
            return
        await self._admit(windows)
        is_counted = False
        try:
            yield
            is_counted = counts == "success"
        except InvalidCredentials:
            is_counted = counts == "failure"
            raise
        finally:
            await self._settle(windows, is_counted)

    async def _admit(self, windows: Sequence[Window]) -> None:
        async with self._settled:
            if not self._has_room(windows):
                await self._wait_for_room(windows)
            for window in windows:
                self._attempts.setdefault(window.key, _Attempts(window.rate.window_s, deque())).running += 1

    async def _wait_for_room(self, windows: Sequence[Window]) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._settled.wait_for(lambda: self._has_room(windows))
        except TimeoutError:
            raise TooManySignIns() from None

    def _has_room(self, windows: Sequence[Window]) -> bool:
        """Return whether every window has room for one more attempt now. Raise RateLimited when one of them is full."""
        has_room, refusals = True, []
        for window in windows:
            attempts = self._attempts.get(window.key)
            if attempts is None:
                continue
            self._drop_old(attempts)
            if len(attempts.counted_at) >= window.rate.count:
                refusals.append((attempts.counted_at[0] + attempts.window_s - self._monotonic(), window.refusal))
            has_room = has_room and len(attempts.counted_at) + attempts.running < window.rate.count
        if refusals:
            raise _refusal(*max(refusals))
        return has_room

    async def _settle(self, windows: Sequence[Window], is_counted: bool) -> None:
        async with self._settled:
            for window in windows:
                attempts = self._attempts[window.key]
                attempts.running -= 1
                if is_counted:
                    attempts.counted_at.append(self._monotonic())
                if not attempts.counted_at and not attempts.running:
                    del self._attempts[window.key]
            if len(self._attempts) >= self._sweep_at:
                self._forget_idle()
            self._settled.notify_all()

    def _drop_old(self, attempts: _Attempts) -> None:
        until = self._monotonic() - attempts.window_s
        while attempts.counted_at and attempts.counted_at[0] <= until:
            attempts.counted_at.popleft()

    def _forget_idle(self) -> None:
        for attempts in self._attempts.values():
            self._drop_old(attempts)
        self._attempts = {key: a for key, a in self._attempts.items() if a.counted_at or a.running}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._attempts))


def _refusal(wait_s: float, message: str) -> RateLimited:
    return RateLimited(message, retry_after_s=max(1, math.ceil(wait_s)))


# Two sorted sets for each window: when attempts counted, and until when those that run count. The
# arguments of a window are its count and its length.
_ADMIT = """
local hold, attempt = tonumber(ARGV[1]), ARGV[2]
local refused, longest, waits = 0, 0, false
for i = 1, #KEYS / 2 do
    local counted, running = KEYS[2 * i - 1], KEYS[2 * i]
    local count, window = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
    redis.call('ZREMRANGEBYSCORE', counted, '-inf', now - window)
    redis.call('ZREMRANGEBYSCORE', running, '-inf', now)
    local used = redis.call('ZCARD', counted)
    if used >= count then
        local wait = redis.call('ZRANGE', counted, 0, 0, 'WITHSCORES')[2] + window - now
        if wait > longest or refused == 0 then refused, longest = i, wait end
    end
    waits = waits or used + redis.call('ZCARD', running) >= count
end
if refused > 0 then
    return {'refused', tostring(refused), string.format('%.0f', longest)}
end
if waits then
    return {'wait', '0', '0'}
end
for i = 1, #KEYS / 2 do
    redis.call('ZADD', KEYS[2 * i], now + hold, attempt)
    redis.call('PEXPIRE', KEYS[2 * i], math.ceil(hold / 1000))
end
return {'admitted', '0', '0'}
"""
_SETTLE = """
for i = 1, #KEYS / 2 do
    redis.call('ZREM', KEYS[2 * i], ARGV[2])
    if ARGV[1] == 'counted' then
        redis.call('ZADD', KEYS[2 * i - 1], now, ARGV[2])
        redis.call('PEXPIRE', KEYS[2 * i - 1], math.ceil(tonumber(ARGV[2 * i + 2]) / 1000))
    end
end
return {}
"""
_HOLD_S = 30  # longer than a check of a password takes; then its process is taken for dead
_LOOK_AGAIN_S = 0.05  # how often an attempt that waits asks whether those before it are settled


class SharedLoginThrottle:
    """The windows in Redis, shared by all processes. While Redis is unavailable, each process uses its `own`."""

    def __init__(self, redis: Redis, own: LoginThrottle, *, clock: str = REDIS_CLOCK) -> None:
        self._redis = redis
        self._own = own
        self._clock = clock

    @asynccontextmanager
    async def attempt(self, windows: Sequence[Window], *, counts: Counted = "failure") -> AsyncIterator[None]:
        """Hold a place in every window around one attempt, as in Throttle."""
        if not windows:
            yield
            return
        attempt = secrets.token_hex(8)
        try:
            await self._admit(windows, attempt)
        except RedisAway:
            async with self._own.attempt(windows, counts=counts):
                yield
            return
        is_counted = False
        try:
            yield
            is_counted = counts == "success"
        except InvalidCredentials:
            is_counted = counts == "failure"
            raise
        finally:
            await self._settle(windows, attempt, is_counted)

    async def _admit(self, windows: Sequence[Window], attempt: str) -> None:
        arguments: list[str | int] = [_HOLD_S * 1_000_000, attempt, *_limits(windows)]
        give_up_at = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_at:
            verdict, which, wait_us = await self._redis.run(self._clock + _ADMIT, _names(windows), arguments)
            if verdict == b"refused":
                raise _refusal(int(wait_us) / 1_000_000, windows[int(which) - 1].refusal)
            if verdict == b"admitted":
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise TooManySignIns()

    async def _settle(self, windows: Sequence[Window], attempt: str, is_counted: bool) -> None:
        arguments = ["counted" if is_counted else "not", attempt, *_limits(windows)]
        try:
            await self._redis.run(self._clock + _SETTLE, _names(windows), arguments)
        except RedisAway:
            return  # it has forgotten the windows, or the attempt counts until its time is over


def _limits(windows: Sequence[Window]) -> list[int]:
    return [number for window in windows for number in (window.rate.count, window.rate.window_s * 1_000_000)]


def _names(windows: Sequence[Window]) -> list[str]:
    kinds = ("counted", "running")
    return [f"helpdesk:throttle:{window.key}:{kind}" for window in windows for kind in kinds]
