"""Expiry: what has had its time is forgotten, what has not is kept."""

from __future__ import annotations

import asyncio

import pytest

from helpdesk.db.engine import Connection
from helpdesk.domain import accounts, idempotency
from helpdesk.jobs import expiry
from helpdesk.jobs.expiry import Expiry
from tests.conftest import Api

pytestmark = pytest.mark.gen_test

TICKET = {"title": "Printer jams", "description": "Paper."}


async def count(api: Api, table: str) -> int:
    def of(conn: Connection) -> int:
        return int(conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())

    return await api.desk.db.read(of)


async def test_keys_are_kept_for_their_hours_and_then_forgotten(api: Api) -> None:
    token = await api.token()
    await api.post("/api/tickets", TICKET, token=token, key="one")
    job = Expiry(api.desk.db, api.clock, keep_hours=24)
    api.clock.advance(hours=24, seconds=-0.001)
    await job.forget()
    assert await count(api, "idempotency") == 1
    api.clock.advance(seconds=0.001)
    await job.forget()
    assert await count(api, "idempotency") == 0
    again = await api.post("/api/tickets", TICKET, token=token, key="one")
    assert (again.status, again.headers.get("Idempotent-Replayed")) == (201, None)


async def test_all_that_is_past_its_time_goes_in_several_steps(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "FORGET_STEP", 3)
    token = await api.token()
    for n in range(9):
        await api.post("/api/tickets", TICKET, token=token, key=f"key {n}")
    api.clock.advance(hours=25)
    await Expiry(api.desk.db, api.clock, keep_hours=24).forget()
    assert await count(api, "idempotency") == 0
    assert await count(api, "tickets") == 9


async def test_expired_tokens_are_forgotten_and_living_ones_work_on(api: Api) -> None:
    old = await api.register()
    api.clock.advance(hours=24 * 29)
    young = await api.token()
    api.clock.advance(hours=24)
    await Expiry(api.desk.db, api.clock, keep_hours=24).forget()
    assert await count(api, "tokens") == 1
    assert (await api.get("/api/me", token=old["token"])).code == "INVALID_TOKEN"
    assert (await api.get("/api/me", token=young)).status == 200


async def test_expired_tokens_go_in_several_steps_and_others_write_in_between(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "FORGET_STEP", 2)
    for _ in range(7):
        await api.register()
    api.clock.advance(hours=24 * 31)
    left: list[int] = []
    forget = accounts.forget_expired_tokens

    def forget_and_count(conn: Connection, *, now: int) -> int:
        done = forget(conn, now=now)
        left.append(int(conn.exec_driver_sql("SELECT count(*) FROM tokens").scalar_one()))
        return done

    monkeypatch.setattr(accounts, "forget_expired_tokens", forget_and_count)
    job = asyncio.create_task(Expiry(api.desk.db, api.clock, keep_hours=24).forget())
    seen = set()
    while not job.done():
        seen.add(await count(api, "tokens"))
    await job
    assert left == [5, 3, 1, 0, 0]
    assert seen - {7, 0}  # a reader saw it half done: each step was committed


async def test_the_running_job_forgets_again_and_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "EVERY_S", 0.01)
    token = await api.token()
    job = asyncio.create_task(Expiry(api.desk.db, api.clock, keep_hours=1).run())
    for _ in range(2):
        await api.post("/api/tickets", TICKET, token=token, key="one")
        api.clock.advance(hours=1)
        async with asyncio.timeout(4):
            while await count(api, "idempotency"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
