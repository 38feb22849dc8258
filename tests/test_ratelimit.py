"""The token bucket against a naive model, and its memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helpdesk.config import Rate
from helpdesk.ratelimit import Standing, TokenBuckets
from tests.conftest import FakeClock


def take(buckets: TokenBuckets, key: str) -> Standing:
    """What `buckets.take` gives, which waits for nothing in memory."""
    try:
        buckets.take(key).send(None)
    except StopIteration as done:
        standing: Standing = done.value
        return standing
    raise AssertionError("it waits")


@given(
    st.integers(1, 10),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=60),
)
def test_it_agrees_with_counting_tokens(count: int, window_s: int, requests: list[tuple[int, str]]) -> None:
    clock = FakeClock()
    buckets = TokenBuckets(Rate(count, window_s), clock.monotonic)
    tokens, at = {"a": float(count), "b": float(count)}, {"a": 1000.0, "b": 1000.0}
    for quarter_seconds, key in requests:
        clock.monotonic_s += quarter_seconds / 4
        tokens[key] = min(count, tokens[key] + (clock.monotonic_s - at[key]) * count / window_s)
        at[key] = clock.monotonic_s
        standing = take(buckets, key)
        assert standing.taken == (tokens[key] + 1e-6 >= 1)
        tokens[key] -= standing.taken
        assert abs(standing.remaining - tokens[key]) < 1.001
        assert standing.remaining >= 0


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 50))
def test_who_waits_as_long_as_told_gets_through(count: int, window_s: int, quarter_seconds: int) -> None:
    clock = FakeClock()
    buckets = TokenBuckets(Rate(count, window_s), clock.monotonic)
    for _ in range(count):
        assert take(buckets, "a").taken
    clock.monotonic_s += quarter_seconds / 4
    standing = take(buckets, "a")
    if not standing.taken:
        clock.monotonic_s += standing.retry_after_s
        assert take(buckets, "a").taken


def test_idle_buckets_are_forgotten_and_drained_ones_are_not() -> None:
    clock = FakeClock()
    buckets = TokenBuckets(Rate(2, 60), clock.monotonic)
    for n in range(500):
        take(buckets, f"idle {n}")
    clock.monotonic_s += 40
    take(buckets, "drained")
    take(buckets, "drained")
    for n in range(40_000):
        clock.monotonic_s += 0.0005
        take(buckets, f"passing {n}")
        assert len(buckets) < 41_000
    assert not take(buckets, "drained").taken
    clock.monotonic_s += 100
    for n in range(90_000):
        take(buckets, f"later {n}")
    assert len(buckets) <= 131_072
    clock.monotonic_s += 100
    for n in range(200_000):
        clock.monotonic_s += 0.1
        take(buckets, f"slow {n}")
    assert len(buckets) < 5000
