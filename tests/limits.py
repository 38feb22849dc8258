"""Where limits are kept, for the tests that both ways of keeping them must pass; each has a clock to move."""

from __future__ import annotations

from helpdesk.adapters.redis import Redis
from helpdesk.config import Rate
from helpdesk.limits.login_throttle import LoginThrottle, SharedLoginThrottle, Throttle
from helpdesk.limits.ratelimit import Buckets, SharedTokenBuckets, TokenBuckets
from tests.conftest import FakeClock


class InMemory:
    def __init__(self) -> None:
        self.clock = FakeClock()

    async def advance(self, seconds: float) -> None:
        """Move the clock that the limits run on."""
        self.clock.advance(seconds=seconds)

    def buckets(self, rate: Rate) -> Buckets:
        return TokenBuckets(rate, self.clock.monotonic)

    def throttle(self) -> Throttle:
        return LoginThrottle(self.clock.monotonic)

    async def close(self) -> None:
        """Forget it."""


# Redis' own clock, but for a test that moves it.
_CLOCK = "local now = tonumber(redis.call('GET', 'test:now'))\n"


class InRedis(InMemory):
    """In an emptied Redis, whose clock stands still until it is moved."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.redis = Redis(url)
        self._now_us = 1_800_000_000_000_000

    async def open(self) -> InRedis:
        await self.redis.run("redis.call('FLUSHDB') return {}", [], [])
        await self.advance(0)
        return self

    async def advance(self, seconds: float) -> None:
        self._now_us += round(seconds * 1_000_000)
        await self.redis.run("redis.call('SET', KEYS[1], ARGV[1]) return {}", ["test:now"], [self._now_us])

    def buckets(self, rate: Rate) -> Buckets:
        own = TokenBuckets(rate, self.clock.monotonic)
        return SharedTokenBuckets(rate, self.redis, own, clock=_CLOCK)

    def throttle(self) -> Throttle:
        own = LoginThrottle(self.clock.monotonic)
        return SharedLoginThrottle(self.redis, own, clock=_CLOCK)

    async def close(self) -> None:
        await self.redis.close()
