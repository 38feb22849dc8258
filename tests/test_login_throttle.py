"""Failed logins: a window of them for each key, however many come at once, in bounded memory."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited
from helpdesk.login_throttle import LoginThrottle
from tests.conftest import FakeClock

WINDOW_S = 900


def throttle(clock: FakeClock, count: int = 3) -> LoginThrottle:
    return LoginThrottle(Rate(count, WINDOW_S), clock.monotonic)


async def login(logins: LoginThrottle, key: str, *, right: bool, until: asyncio.Event | None = None) -> str:
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


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 600), st.sampled_from("ab"), st.booleans()), max_size=40))
@settings(deadline=None)
def test_it_agrees_with_a_list_of_failures(count: int, attempts: list[tuple[int, str, bool]]) -> None:
    async def check() -> None:
        clock = FakeClock()
        logins = throttle(clock, count)
        failures: dict[str, list[float]] = {"a": [], "b": []}
        for passed_s, key, right in attempts:
            clock.monotonic_s += passed_s
            recent = [at for at in failures[key] if at > clock.monotonic_s - WINDOW_S]
            expected = "refused" if len(recent) >= count else "in" if right else "wrong"
            assert await login(logins, key, right=right) == expected
            failures[key] = [*recent, clock.monotonic_s] if expected == "wrong" else recent

    asyncio.run(check())


@pytest.mark.gen_test
async def test_the_right_password_does_not_get_through_a_full_window(clock: FakeClock) -> None:
    logins = throttle(clock)
    for _ in range(3):
        assert await login(logins, "ana", right=False) == "wrong"
    assert await login(logins, "ana", right=True) == "refused"
    assert await login(logins, "bob", right=True) == "in"


@pytest.mark.gen_test
async def test_who_waits_as_long_as_told_gets_in(clock: FakeClock) -> None:
    logins = throttle(clock)
    for _ in range(3):
        await login(logins, "ana", right=False)
        clock.advance(seconds=0.4)
    with pytest.raises(RateLimited) as refusal:
        async with logins.attempt("ana"):
            pass
    clock.advance(seconds=int(refusal.value.headers["Retry-After"]))
    assert await login(logins, "ana", right=True) == "in"


@pytest.mark.gen_test
async def test_twenty_at_once_are_not_twenty_guesses(clock: FakeClock) -> None:
    logins, checked = throttle(clock), asyncio.Event()
    attempts = [asyncio.ensure_future(login(logins, "ana", right=False, until=checked)) for _ in range(20)]
    await settled()
    checked.set()
    outcomes = await asyncio.gather(*attempts)
    assert (outcomes.count("wrong"), outcomes.count("refused")) == (3, 17)


@pytest.mark.gen_test
async def test_twenty_right_ones_at_once_all_get_in(clock: FakeClock) -> None:
    logins, checked = throttle(clock), asyncio.Event()
    attempts = [asyncio.ensure_future(login(logins, "ana", right=True, until=checked)) for _ in range(20)]
    await settled()
    assert not any(attempt.done() for attempt in attempts)
    checked.set()
    assert set(await asyncio.gather(*attempts)) == {"in"}


@pytest.mark.gen_test
async def test_an_attempt_that_breaks_off_is_no_failure_and_leaves_its_place(clock: FakeClock) -> None:
    logins = throttle(clock, 1)
    with pytest.raises(ZeroDivisionError):
        async with logins.attempt("ana"):
            raise ZeroDivisionError
    assert await login(logins, "ana", right=True) == "in"


@pytest.mark.gen_test(timeout=20)
async def test_names_are_forgotten_after_the_window(clock: FakeClock) -> None:
    logins = throttle(clock)
    for n in range(6000):
        await login(logins, f"name {n}", right=False)
        clock.advance(seconds=1)
    await login(logins, "ana", right=True)
    assert len(logins._attempts) < 2 * (WINDOW_S + 1024)


@pytest.mark.gen_test
async def test_a_count_of_zero_is_no_limit(clock: FakeClock) -> None:
    logins = throttle(clock, 0)
    assert {await login(logins, "ana", right=False) for _ in range(50)} == {"wrong"}
