"""Failed logins: windows of them for each key, however many come at once, in bounded memory.

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
from helpdesk.errors import InvalidCredentials, RateLimited, TooManySignIns
from helpdesk.limits import login_throttle
from helpdesk.limits.login_throttle import Counted, LoginThrottle, Throttle, Window, login_windows, registration_windows
from tests.conftest import FakeClock
from tests.limits import InMemory
from tests.test_ratelimit import each_place

WINDOW_S = 900


def window(key: str, count: int = 3, window_s: int = WINDOW_S) -> Window:
    return Window(key, Rate(count, window_s), f"no more of {key}")


async def login(
    logins: Throttle,
    *windows: Window | str,
    right: bool,
    until: asyncio.Event | None = None,
    counts: Counted = "failure",
) -> str:
    """What came of one attempt: "in", "wrong" or "refused"; with `until` the check takes that long."""
    try:
        async with logins.attempt([window(w) if isinstance(w, str) else w for w in windows], counts=counts):
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
            logins = place.throttle()
            failures: dict[str, list[float]] = {"a": [], "b": []}
            for passed_s, key, right in attempts:
                await place.advance(passed_s)
                now += passed_s
                recent = [at for at in failures[key] if at > now - WINDOW_S]
                expected = "refused" if len(recent) >= count else "in" if right else "wrong"
                assert await login(logins, window(key, count), right=right) == expected
                failures[key] = [*recent, now] if expected == "wrong" else recent
            await place.close()

        asyncio.run(check())

    @with_place
    async def test_the_right_password_does_not_get_through_a_full_window(self, place: InMemory) -> None:
        logins = place.throttle()
        for _ in range(3):
            assert await login(logins, "ana", right=False) == "wrong"
        assert await login(logins, "ana", right=True) == "refused"
        assert await login(logins, "bob", right=True) == "in"

    @with_place
    async def test_who_waits_as_long_as_told_gets_in(self, place: InMemory) -> None:
        logins = place.throttle()
        for _ in range(3):
            await login(logins, "ana", right=False)
            await place.advance(0.4)
        with pytest.raises(RateLimited) as refusal:
            async with logins.attempt([window("ana")]):
                pass
        await place.advance(int(refusal.value.headers["Retry-After"]))
        assert await login(logins, "ana", right=True) == "in"

    @with_place
    async def test_twenty_at_once_are_not_twenty_guesses(self, place: InMemory) -> None:
        logins, checked = place.throttle(), asyncio.Event()
        attempts = [asyncio.ensure_future(login(logins, "ana", right=False, until=checked)) for _ in range(20)]
        await settled()
        checked.set()
        outcomes = await asyncio.gather(*attempts)
        assert (outcomes.count("wrong"), outcomes.count("refused")) == (3, 17)

    @with_place
    async def test_twenty_right_ones_at_once_all_get_in(self, place: InMemory) -> None:
        logins, checked = place.throttle(), asyncio.Event()
        attempts = [asyncio.ensure_future(login(logins, "ana", right=True, until=checked)) for _ in range(20)]
        await settled()
        assert not any(attempt.done() for attempt in attempts)
        checked.set()
        assert set(await asyncio.gather(*attempts)) == {"in"}

    @with_place
    async def test_an_attempt_waits_for_those_before_it_no_longer_than_it_may(self, place: InMemory) -> None:
        logins, checked = place.throttle(), asyncio.Event()
        before = asyncio.ensure_future(login(logins, window("ana", 1), right=True, until=checked))
        await settled()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(login_throttle, "WAIT_S", 0.1)
            waiting = [login(logins, window("ana", 1), right=True) for _ in range(5)]
            refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(error) for error in refused} == {TooManySignIns}
        checked.set()
        assert await before == "in"
        assert await login(logins, window("ana", 1), right=True) == "in"

    @with_place
    async def test_an_attempt_that_breaks_off_is_no_failure_and_leaves_its_place(self, place: InMemory) -> None:
        logins = place.throttle()
        with pytest.raises(ZeroDivisionError):
            async with logins.attempt([window("ana", 1)]):
                raise ZeroDivisionError
        assert await login(logins, window("ana", 1), right=True) == "in"

    @with_place
    async def test_no_window_is_no_limit(self, place: InMemory) -> None:
        logins = place.throttle()
        assert {await login(logins, right=False) for _ in range(50)} == {"wrong"}

    @with_place
    async def test_a_failure_counts_in_every_window_and_a_full_one_refuses_for_all(self, place: InMemory) -> None:
        logins, both = place.throttle(), window("everything", 4)
        for key in ("ana", "ben", "cem", "dia"):
            assert await login(logins, window(key, 2), both, right=False) == "wrong"
        assert await login(logins, window("eve", 2), both, right=True) == "refused"
        assert await login(logins, window("ana", 2), right=False) == "wrong"
        assert await login(logins, window("ana", 2), right=False) == "refused"
        # What was refused has counted nowhere.
        assert await login(logins, window("eve", 1), right=True) == "in"

    @with_place
    async def test_the_longest_wait_is_told(self, place: InMemory) -> None:
        logins, short, long = place.throttle(), window("short", 1, 60), window("long", 1, 600)
        await login(logins, short, long, right=False)
        for windows in ([short, long], [long, short]):
            with pytest.raises(RateLimited, match="no more of long") as refusal:
                async with logins.attempt(windows):
                    pass
            assert refusal.value.headers["Retry-After"] == "600"
        await place.advance(60)
        assert await login(logins, short, right=True) == "in"

    @with_place
    async def test_where_successes_count_failures_do_not(self, place: InMemory) -> None:
        throttle, made = place.throttle(), asyncio.Event()
        for _ in range(5):
            assert await login(throttle, "here", right=False, counts="success") == "wrong"
        attempts = [
            asyncio.ensure_future(login(throttle, "here", right=True, until=made, counts="success")) for _ in range(8)
        ]
        await settled()
        made.set()
        outcomes = await asyncio.gather(*attempts)
        assert (outcomes.count("in"), outcomes.count("refused")) == (3, 5)


def test_the_limits_of_logins_are_multiples_of_one() -> None:
    windows = login_windows(Rate(10, 900), "ana", "203.0.113.7")
    assert [w.rate for w in windows] == [Rate(10, 900), Rate(50, 900), Rate(100, 900)]
    assert [w.rate for w in registration_windows(Rate(10, 900), "203.0.113.7")] == [Rate(20, 3600)]
    assert login_windows(Rate(0, 1), "ana", "203.0.113.7") == registration_windows(Rate(0, 1), "203.0.113.7") == ()


def test_no_name_has_the_key_of_anothers_window() -> None:
    names = ["ana", "203.0.113.7 ana", "address 203.0.113.7", "203.0.113.7", "both 203.0.113.7 ana", "name ana"]
    keys = [w.key for name in names for w in login_windows(Rate(10, 900), name, "203.0.113.7")[:2]]
    assert len(set(keys)) == len(keys)


class TestInMemory(ThrottleContract):
    pass


@pytest.mark.gen_test
async def test_names_are_forgotten_after_the_window(clock: FakeClock) -> None:
    logins = LoginThrottle(clock.monotonic)
    for n in range(6000):
        await login(logins, f"name {n}", right=False)
        clock.advance(seconds=1)
    await login(logins, "ana", right=True)
    assert len(logins._attempts) < 2 * (WINDOW_S + 1024)
