"""Lanes: bounded in length and in time, and no caller is left without an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from helpdesk import lanes
from helpdesk.errors import Unavailable
from helpdesk.lanes import Lane

pytestmark = pytest.mark.gen_test

WITHIN_S = 4.0


def refusal() -> Unavailable:
    return Unavailable("too late")


class Gate:
    """Work that holds its thread until the gate is opened."""

    def __init__(self) -> None:
        self.is_held = threading.Event()
        self._open = threading.Event()

    def work(self, _: object) -> str:
        self.is_held.set()
        assert self._open.wait(WITHIN_S)
        return "done"

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


async def stop(lane: Lane[None]) -> None:
    lane.stop()
    await asyncio.to_thread(lane.join)


async def test_work_is_done_by_a_thread_for_each_worker_with_what_is_its_own() -> None:
    lane = Lane("test", ["a", "b"], length_max=10, refusal=refusal)
    both = threading.Barrier(2)

    def work(worker: str) -> tuple[str, str]:
        both.wait(WITHIN_S)
        return worker, threading.current_thread().name

    assert set(await asyncio.gather(lane.do(work), lane.do(work))) == {("a", "test-0"), ("b", "test-1")}
    lane.stop()


async def test_what_has_waited_too_long_is_refused_at_that_moment_and_never_done(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WAIT_S", 0.05)
    lane = Lane("test", [None], length_max=10, refusal=refusal)
    held, done = lane.submit(gate.work), []
    await asyncio.to_thread(gate.is_held.wait, WITHIN_S)
    waiting = [lane.submit(lambda _, n=n: done.append(n)) for n in range(3)]  # type: ignore[misc]
    async with asyncio.timeout(WITHIN_S):
        refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in refused] == ["too late"] * 3
    gate.open()
    assert await held == "done"
    assert await lane.do(lambda _: "next") == "next"
    assert done == []
    await stop(lane)


async def test_a_thread_starts_nothing_that_is_too_late_even_while_the_loop_is_busy(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WAIT_S", 0.0)
    lane = Lane("test", [None], length_max=10, refusal=refusal)
    started = threading.Event()
    waiting = lane.submit(lambda _: started.set())
    lane.stop()
    lane.join()  # on the loop, which refuses nothing meanwhile
    assert not started.is_set()
    with pytest.raises(Unavailable):
        await waiting


async def test_too_much_that_waits_is_refused_at_once(gate: Gate) -> None:
    lane = Lane("test", [None], length_max=2, refusal=refusal)
    held = lane.submit(gate.work)
    await asyncio.to_thread(gate.is_held.wait, WITHIN_S)
    waiting = [lane.submit(lambda _: "done") for _ in range(2)]
    with pytest.raises(Unavailable):
        lane.submit(lambda _: "done")
    gate.open()
    assert await asyncio.gather(held, *waiting) == ["done"] * 3
    assert await lane.do(lambda _: "room again") == "room again"
    await stop(lane)


async def test_a_lane_without_a_refusal_makes_everything_wait(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "WAIT_S", 0.0)
    lane = Lane("test", [None])
    held = lane.submit(gate.work)
    waiting = [lane.submit(lambda _: "done") for _ in range(2000)]
    gate.open()
    assert set(await asyncio.gather(held, *waiting)) == {"done"}
    await stop(lane)


@pytest.mark.parametrize("error", [ValueError("bad"), StopIteration(), SystemExit(1)], ids=repr)
async def test_whatever_work_raises_its_caller_gets_an_answer_and_the_thread_lives(error: BaseException) -> None:
    lane = Lane("test", [None], length_max=10, refusal=refusal)

    def fails(_: None) -> None:
        raise error

    async with asyncio.timeout(WITHIN_S):
        future = lane.submit(fails)
        await asyncio.wait([future])
    assert type(future.exception()) is (RuntimeError if isinstance(error, StopIteration) else type(error))
    assert await lane.do(lambda _: "alive") == "alive"
    await stop(lane)
