"""The limits in Redis: the contracts of those in memory, Redis' own clock, and what happens while it is away."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from helpdesk.adapters import redis as adapter
from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited, StartError
from helpdesk.limits.login_throttle import LoginThrottle, SharedLoginThrottle, Window
from helpdesk.limits.ratelimit import SharedTokenBuckets, TokenBuckets
from helpdesk.problems import Problems
from tests.conftest import FakeClock
from tests.limits import InMemory, InRedis
from tests.services import RedisServer
from tests.test_login_throttle import ThrottleContract
from tests.test_ratelimit import BucketContract


class OnRedis:
    @pytest.fixture(autouse=True)
    def address(self, redis: RedisServer) -> None:
        type(self).url = redis.url

    url = ""

    async def place(self) -> InMemory:
        return await InRedis(self.url).open()


class TestBucketsInRedis(OnRedis, BucketContract):
    pass


class TestThrottleInRedis(OnRedis, ThrottleContract):
    pass


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer()
    yield server
    server.remove()


@asynccontextmanager
async def asking(server: RedisServer, problems: Problems | None = None) -> AsyncIterator[Redis]:
    redis = Redis(server.url, problems)
    watching = asyncio.create_task(redis.watch())
    yield redis
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await redis.close()


@pytest.mark.gen_test
async def test_a_bucket_is_measured_by_the_clock_of_redis_and_forgotten_when_full(
    own_redis: RedisServer, clock: FakeClock
) -> None:
    async with asking(own_redis) as redis:
        rate = Rate(1000, 3600)
        buckets = SharedTokenBuckets(rate, redis, TokenBuckets(rate, clock.monotonic))
        standings = [await buckets.take("user:1") for _ in range(3)]
        assert [standing.remaining for standing in standings] == [999, 998, 997]
        clock.advance(hours=2)  # ours is not asked
        assert (await buckets.take("user:1")).remaining == 996
        (name,) = await redis.run("return redis.call('KEYS', 'helpdesk:bucket:*')", [], [])
        assert name == b"helpdesk:bucket:1000/3600s:user:1"
        (left_ms,) = await redis.run("return {redis.call('PTTL', KEYS[1])}", [name.decode()], [])
        assert 10_000 < int(left_ms) <= 14_402


@pytest.mark.gen_test
async def test_a_clock_set_back_takes_no_more_than_a_bucket_holds(redis: RedisServer) -> None:
    place = await InRedis(redis.url).open()
    buckets = place.buckets(Rate(10, 10))
    await buckets.take("a")
    await place.advance(-86_400)
    assert not (await buckets.take("a")).taken
    await place.advance(1)
    standing = await buckets.take("a")
    await place.close()
    assert not standing.taken and standing.retry_after_s <= 1


@pytest.mark.gen_test
async def test_two_processes_share_one_bucket(
    own_redis: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each opens all its connections at once; past the limit for an answer it would count by itself, up to 100 of them.
    monkeypatch.setattr(adapter, "ANSWER_S", 30.0)
    rate = Rate(60, 3600)
    async with asking(own_redis) as one, asking(own_redis) as other:
        both = [SharedTokenBuckets(rate, redis, TokenBuckets(rate, clock.monotonic)) for redis in (one, other)]
        standings = await asyncio.gather(*(both[n % 2].take("user:1") for n in range(100)))
    assert sum(standing.taken for standing in standings) == 60


async def answers(redis: Redis) -> None:
    """Wait until Redis is asked again."""
    async with asyncio.timeout(10):
        while True:
            with suppress(RedisAway):
                await redis.run("return {}", [], [])
                return
            await asyncio.sleep(0.01)


@pytest.mark.gen_test
async def test_while_redis_is_away_each_has_its_own_and_health_names_it(
    own_redis: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "LOOK_EVERY_S", 0.02)
    rate, problems = Rate(3, 3600), Problems()
    async with asking(own_redis, problems) as redis:
        buckets = SharedTokenBuckets(rate, redis, TokenBuckets(rate, clock.monotonic))
        assert [(await buckets.take("a")).taken for _ in range(4)] == [True, True, True, False]
        own_redis.signal(signal.SIGKILL)
        with caplog.at_level(logging.WARNING):
            assert [(await buckets.take("a")).taken for _ in range(4)] == [True, True, True, False]
            assert [part for part, _ in problems.current()] == ["redis"]
            await asyncio.sleep(0.1)  # some probes
            assert caplog.text.count("does not answer") == 1
            own_redis.start()
            await answers(redis)
            assert (await buckets.take("a")).remaining == 2
            assert problems.current() == [] and caplog.text.count("recovered: redis") == 1


@pytest.mark.gen_test
async def test_a_redis_that_hangs_is_noticed_though_nobody_asks(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "LOOK_EVERY_S", 0.02)
    problems = Problems()
    async with asking(own_redis, problems) as redis:
        await answers(redis)
        own_redis.signal(signal.SIGSTOP)
        async with asyncio.timeout(10):
            while not problems.current():  # noqa: ASYNC110 (nothing else tells)
                await asyncio.sleep(0.01)
        own_redis.signal(signal.SIGCONT)
        await answers(redis)
        assert problems.current() == []


@pytest.mark.gen_test
async def test_a_redis_that_hangs_is_waited_for_once_and_never_again_until_it_answers(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "LOOK_EVERY_S", 600)
    async with asking(own_redis) as redis:
        await answers(redis)
        own_redis.signal(signal.SIGSTOP)
        together = await asyncio.gather(*(redis.run("return {}", [], []) for _ in range(8)), return_exceptions=True)
        assert {type(error) for error in together} == {RedisAway}
        waits = 0

        async def counted(*_: object) -> None:
            nonlocal waits
            waits += 1

        monkeypatch.setattr(redis, "_ask", counted)
        for _ in range(50):
            with pytest.raises(RedisAway):
                await redis.run("return {}", [], [])
            with pytest.raises(RedisAway):
                await redis.publish("signs", b"")
        assert waits == 0
        own_redis.signal(signal.SIGCONT)


@pytest.mark.gen_test
async def test_a_redis_that_answers_and_takes_no_writes_is_away(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "LOOK_EVERY_S", 0.02)
    problems = Problems()
    async with asking(own_redis, problems) as redis, asking(own_redis) as operator:
        await answers(redis)
        await operator._client.replicaof("127.0.0.1", "1")
        async with asyncio.timeout(10):
            while not problems.current():  # noqa: ASYNC110 (nothing else tells)
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # some probes
        assert [part for part, _ in problems.current()] == ["redis"]
        await operator._client.replicaof("NO", "ONE")
        await answers(redis)


@pytest.mark.gen_test
async def test_who_asks_ends_when_told_to_though_the_client_loses_that(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: object, **__: object) -> bytes:
        for _ in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return b""

    async with asking(own_redis) as redis:
        monkeypatch.setattr(redis._client, "publish", deaf)
        asking_it = asyncio.create_task(redis.publish("signs", b""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking_it.cancel()
        done, _ = await asyncio.wait([asking_it], timeout=0.5)
        assert asking_it in done and asking_it.cancelled()


@pytest.mark.gen_test
async def test_failed_logins_are_counted_by_each_process_while_redis_is_away(
    own_redis: RedisServer, clock: FakeClock
) -> None:
    windows = [Window("ana", Rate(2, 900), "no more")]
    async with asking(own_redis) as redis:
        logins = SharedLoginThrottle(redis, LoginThrottle(clock.monotonic))
        own_redis.signal(signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(InvalidCredentials):
                async with logins.attempt(windows):
                    raise InvalidCredentials
        with pytest.raises(RateLimited):
            async with logins.attempt(windows):
                pass


@pytest.mark.gen_test
async def test_an_attempt_of_a_process_that_died_holds_its_place_for_a_while_only(redis: RedisServer) -> None:
    place = await InRedis(redis.url).open()
    logins, windows = place.throttle(), [Window("ana", Rate(1, 900), "no more")]
    assert isinstance(logins, SharedLoginThrottle)
    await logins._admit(windows, "of a process that died")
    await place.advance(31)
    async with logins.attempt(windows):
        pass
    await place.close()


@pytest.mark.gen_test
async def test_signs_come_again_after_redis_was_away(own_redis: RedisServer, clock: FakeClock) -> None:
    async with asking(own_redis) as redis, asking(own_redis) as other:
        heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        following = asyncio.create_task(redis.follow("signs", heard.put_nowait))
        for _ in range(2):
            assert await heard.get() is None  # it listens, and may have missed some
            await answers(other)
            await other.publish("signs", b"here")
            assert await heard.get() == b"here"
            own_redis.signal(signal.SIGKILL)
            own_redis.start()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:99999/0", "redis://127.0.0.1:x/0"])
def test_an_address_that_is_none_stops_the_start(url: str, clock: FakeClock) -> None:
    with pytest.raises(StartError, match="--redis-url"):
        Redis(url)


@pytest.mark.gen_test
async def test_who_is_told_to_end_ends_though_letting_go_of_redis_fails(
    own_redis: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_self: PubSub) -> None:
        raise RedisConnectionError("gone")

    async with asking(own_redis) as redis:
        heard = asyncio.Event()
        following = asyncio.create_task(redis.follow("signs", lambda _: heard.set()))
        await heard.wait()
        with monkeypatch.context() as patch:
            patch.setattr(PubSub, "aclose", fails)
            following.cancel()
            done, _ = await asyncio.wait([following], timeout=5)
        assert following in done and following.cancelled()
