"""The token bucket against a naive model, and the memory of the one in memory.

tests/cluster/test_redis_limits.py holds the one in Redis to the same contract.
"""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.config import Rate
from helpdesk.limits.ratelimit import TokenBuckets
from tests.conftest import FakeClock
from tests.limits import InMemory

each_place = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class BucketContract:
    """What a token bucket does, wherever it is kept."""

    async def place(self) -> InMemory:
        return InMemory()

    @each_place
    @given(
        st.integers(1, 10),
        st.integers(1, 20),
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=60),
    )
    def test_it_agrees_with_counting_tokens(self, count: int, window_s: int, requests: list[tuple[int, str]]) -> None:
        async def check() -> None:
            place = await self.place()
            buckets = place.buckets(Rate(count, window_s))
            tokens, now, at = {"a": float(count), "b": float(count)}, 0.0, {"a": 0.0, "b": 0.0}
            for quarter_seconds, key in requests:
                await place.advance(quarter_seconds / 4)
                now += quarter_seconds / 4
                tokens[key] = min(count, tokens[key] + (now - at[key]) * count / window_s)
                at[key] = now
                standing = await buckets.take(key)
                assert standing.taken == (tokens[key] + 1e-6 >= 1)
                tokens[key] -= standing.taken
                assert abs(standing.remaining - tokens[key]) < 1.001
                assert standing.remaining >= 0
            await place.close()

        asyncio.run(check())

    @each_place
    @given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 50))
    def test_who_waits_as_long_as_told_gets_through(self, count: int, window_s: int, quarter_seconds: int) -> None:
        async def check() -> None:
            place = await self.place()
            buckets = place.buckets(Rate(count, window_s))
            for left in reversed(range(count)):
                standing = await buckets.take("a")
                assert (standing.taken, standing.remaining) == (True, left)
            await place.advance(quarter_seconds / 4)
            standing = await buckets.take("a")
            if not standing.taken:
                await place.advance(standing.retry_after_s)
                assert (await buckets.take("a")).taken
            await place.advance(window_s)
            assert (await buckets.take("a")).remaining == count - 1
            await place.close()

        asyncio.run(check())


class TestInMemory(BucketContract):
    pass


async def take_many(buckets: TokenBuckets, clock: FakeClock, name: str, count: int, *, apart_s: float = 0) -> None:
    for n in range(count):
        clock.monotonic_s += apart_s
        await buckets.take(f"{name} {n}")


def test_idle_buckets_are_forgotten_and_drained_ones_are_not() -> None:
    async def check() -> None:
        clock = FakeClock()
        buckets = TokenBuckets(Rate(2, 60), clock.monotonic)
        await take_many(buckets, clock, "idle", 500)
        clock.monotonic_s += 40
        await buckets.take("drained")
        await buckets.take("drained")
        await take_many(buckets, clock, "passing", 40_000, apart_s=0.0005)
        assert len(buckets) < 41_000
        assert not (await buckets.take("drained")).taken
        clock.monotonic_s += 100
        await take_many(buckets, clock, "later", 90_000)
        assert len(buckets) <= 131_072
        clock.monotonic_s += 100
        await take_many(buckets, clock, "slow", 200_000, apart_s=0.1)
        assert len(buckets) < 5000

    asyncio.run(check())
