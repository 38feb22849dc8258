"""Turns on the event loop: few requests begin in a round, in order, and none waits longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from helpdesk import lanes
from helpdesk.errors import Unavailable
from helpdesk.limits import turns
from helpdesk.limits.turns import Turns
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def test_a_round_begins_only_so_many_and_they_go_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PER_ROUND", 3)
    line, begun = Turns(), list[int]()

    async def request(number: int) -> None:
        await line.wait()
        begun.append(number)

    requests = [asyncio.ensure_future(request(n)) for n in range(20)]
    most, before = 0, 0
    while len(begun) < 20:
        await asyncio.sleep(0)
        most, before = max(most, len(begun) - before), len(begun)
    await asyncio.gather(*requests)
    assert begun == list(range(20)) and most == 3


async def test_one_request_at_a_time_never_waits() -> None:
    line = Turns()
    for _ in range(10 * turns.PER_ROUND):
        async with asyncio.timeout(1):
            await line.wait()
        await asyncio.sleep(0)
    assert not line._line


async def test_a_request_that_waits_too_long_for_its_turn_is_503_and_health_needs_none(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, line = await api.token(), api.desk.turns
    with monkeypatch.context() as patch:
        patch.setattr(lanes, "WAIT_S", 0.1)
        patch.setattr(line, "_next_round", lambda: None)  # as if the others never came to an end
        patch.setattr(line, "_left", 0)
        refused = await asyncio.gather(
            api.get("/api/me", token=token),
            api.post("/api/tickets", {"title": "x", "description": "y"}, token=token),
            api.get("/api/no/such/path"),
            api.get("/plain/login"),
        )
        assert [(r.status, r.headers["Retry-After"]) for r in refused] == [(503, "2")] * 4
        assert (await api.get("/api/health")).json["status"] == "ok"
        assert (await api.get("/")).status == 200
    line._next_round()
    assert (await api.get("/api/tickets", token=token)).json["items"] == []


async def test_too_many_that_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PER_ROUND", 1)
    monkeypatch.setattr(turns, "WAITING_MAX", 5)
    line = Turns()
    outcomes = await asyncio.gather(*(line.wait() for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) == 20 - 1 - 5
