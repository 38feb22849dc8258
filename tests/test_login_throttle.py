"""Failed logins: a window of them for each key, however many come at once, in bounded memory.

tests/cluster/test_redis_limits.py holds the window in Redis to the same contract.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited
from helpdesk.login_throttle import LoginThrottle, Throttle
from tests.conftest import FakeClock
from tests.limits import InMemory
from tests.test_ratelimit import each_place

WINDOW_S = 900


def throttle(place: InMemory, count: int = 3) -> Throttle:
    return place.throttle(Rate(count, WINDOW_S))


async def login(logins: Throttle, key: str, *, right: bool, until: asyncio.Event | None = None) -> str:
    """What came of one attempt: "in", "wrong" or "refused"; with `until` the check takes that long."""
    try:
        async with logins.attempt(key):
            if until is not None:
                await until.wait()
            if not right:
                raise InvalidCredentials
    except InvalidCredentials:
        return "wrong"
    except RateLimited:
        return "refused"
    return "in"


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


def with_place(test: Callable[..., Awaitable[None]]) -> Callable[[Any], None]:
    """Run a coroutine of the contract with a place of its class."""

    @wraps(test)
    def run(self: ThrottleContract) -> None:
        async def check() -> None:
            place = await self.place()
            await test(self, place)
            await place.close()

        asyncio.run(check())

    del run.__wrapped__  # type: ignore[attr-defined]  # or pytest would look for a fixture `place`
    return run


class ThrottleContract:
    """What the window of failed logins does, wherever it is kept."""

    async def place(self) -> InMemory:
        return InMemory()

    @given(
        st.integers(1, 4), st.lists(st.tuples(st.integers(0, 600), st.sampled_from("ab"), st.booleans()), max_size=40)
    )
    @each_place
    def test_it_agrees_with_a_list_of_failures(self, count: int, attempts: list[tuple[int, str, bool]]) -> None:
        async def check() -> None:
            place, now = await self.place(), 0.0
            logins = throttle(place, count)
            failures: dict[str, list[float]] = {"a": [], "b": []}
            for passed_s, key, right in attempts:
                await place.advance(passed_s)
                now += passed_s
                recent = [at for at in failures[key] if at > now - WINDOW_S]
                expected = "refused" if len(recent) >= count else "in" if right else "wrong"
                assert await login(logins, key, right=right) == expected
                failures[key] = [*recent, now] if expected == "wrong" else recent
            await place.close()

        asyncio.run(check())

    @with_place
    async def test_the_right_password_does_not_get_through_a_full_window(self, place: InMemory) -> None:
        logins = throttle(place)
        for _ in range(3):
            assert await login(logins, "ana", right=False) == "wrong"
        assert await login(logins, "ana", right=True) == "refused"
        assert await login(logins, "bob", right=True) == "in"

    @with_place
    async def test_who_waits_as_long_as_told_gets_in(self, place: InMemory) -> None:
        logins = throttle(place)
        for _ in range(3):
            await login(logins, "ana", right=False)
            await place.advance(0.4)
        with pytest.raises(RateLimited) as refusal:
            async with logins.attempt("ana"):
                pass
        await place.advance(int(refusal.value.headers["Retry-After"]))
        assert await login(logins, "ana", right=True) == "in"

    @with_place
    async def test_twenty_at_once_are_not_twenty_guesses(self, place: InMemory) -> None:
        logins, checked = throttle(place), asyncio.Event()
        attempts = [asyncio.ensure_future(login(logins, "ana", right=False, until=checked)) for _ in range(20)]
        await settled()
        checked.set()
        outcomes = await asyncio.gather(*attempts)
        assert (outcomes.count("wrong"), outcomes.count("refused")) == (3, 17)

    @with_place
    async def test_twenty_right_ones_at_once_all_get_in(self, place: InMemory) -> None:
        logins, checked = throttle(place), asyncio.Event()
        attempts = [asyncio.ensure_future(login(logins, "ana", right=True, until=checked)) for _ in range(20)]
        await settled()
        assert not any(attempt.done() for attempt in attempts)
        checked.set()
        assert set(await asyncio.gather(*attempts)) == {"in"}

    @with_place
    async def test_an_attempt_that_breaks_off_is_no_failure_and_leaves_its_place(self, place: InMemory) -> None:
        logins = throttle(place, 1)
        with pytest.raises(ZeroDivisionError):
            async with logins.attempt("ana"):
                raise ZeroDivisionError
        assert await login(logins, "ana", right=True) == "in"

    @with_place
    async def test_a_count_of_zero_is_no_limit(self, place: InMemory) -> None:
        logins = throttle(place, 0)
        assert {await login(logins, "ana", right=False) for _ in range(50)} == {"wrong"}


class TestInMemory(ThrottleContract):
    pass


@pytest.mark.gen_test(timeout=20)
async def test_names_are_forgotten_after_the_window(clock: FakeClock) -> None:
    logins = LoginThrottle(Rate(3, WINDOW_S), clock.monotonic)
    for n in range(6000):
        await login(logins, f"name {n}", right=False)
        clock.advance(seconds=1)
    await login(logins, "ana", right=True)
    assert len(logins._attempts) < 2 * (WINDOW_S + 1024)
