"""The sweep: a breach is on record at its moment, once, also when the server was off."""

from __future__ import annotations

import asyncio

import pytest

from helpdesk.db import clocks as store
from helpdesk.db.engine import Connection
from helpdesk.domain import clocks
from helpdesk.jobs import sla
from helpdesk.jobs.sla import SlaSweep
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def actions(api: Api, token: str, ticket_id: int = 1) -> list[str]:
    page = (await api.get(f"/api/tickets/{ticket_id}/timeline", token=token)).json
    return [entry["action"] for entry in page["items"]]


async def test_the_sweep_writes_a_breach_once(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, sla_minutes=5)
    sweep = SlaSweep(api.desk.db, api.clock)
    assert await sweep.sweep() == 0
    api.clock.advance(minutes=5)
    assert [await sweep.sweep() for _ in range(3)] == [1, 0, 0]
    entry = (await api.get("/api/tickets/1/timeline?action=sla_breached", token=token)).json["items"][0]
    assert entry["actor"] is None
    assert entry["data"] == {"sla_deadline": "2026-11-23T09:35:00.000Z", "sla_minutes": 5}
    ticket = (await api.get("/api/tickets/1", token=token)).json
    assert (ticket["version"], ticket["updated_at"]) == (1, ticket["created_at"])


async def test_a_paused_clock_is_not_swept(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, sla_minutes=5)
    await api.patch("/api/tickets/1", {"version": 1, "status": "pending"}, token=token)
    api.clock.advance(hours=9)
    assert await SlaSweep(api.desk.db, api.clock).sweep() == 0


async def test_what_happened_while_the_server_was_off_is_swept_in_steps(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "SWEEP_STEP", 4)
    token = await api.token("agent")
    for _ in range(11):
        await api.ticket(token, sla_minutes=1)
    api.clock.advance(hours=1)
    assert await SlaSweep(api.desk.db, api.clock).sweep() == 11


async def test_the_running_job_wakes_for_the_deadline_and_for_new_tickets(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sla, "LOOK_AT_CLOCK_S", 0.01)
    monkeypatch.setattr(sla, "LOOK_UP_S", 0.01)
    token = await api.token("agent")
    job = asyncio.create_task(SlaSweep(api.desk.db, api.clock).run())
    for ticket_id in (1, 2):
        await api.ticket(token, sla_minutes=1)
        api.clock.advance(minutes=1)
        async with asyncio.timeout(4):
            while "sla_breached" not in await actions(api, token, ticket_id):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


async def test_a_ticket_made_while_the_job_looks_for_the_next_deadline_is_noticed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sla, "LOOK_AT_CLOCK_S", 0.01)
    monkeypatch.setattr(sla, "LOOK_UP_S", 0.01)
    token, loop, next_due = await api.token("agent"), asyncio.get_running_loop(), store.next_due
    overtaken = asyncio.Event()

    def look_and_be_overtaken(conn: Connection) -> int | None:
        due_at = next_due(conn)
        if not overtaken.is_set():
            asyncio.run_coroutine_threadsafe(api.ticket(token, sla_minutes=1), loop).result(4)
            loop.call_soon_threadsafe(overtaken.set)
        return due_at

    monkeypatch.setattr(store, "next_due", look_and_be_overtaken)
    job = asyncio.create_task(SlaSweep(api.desk.db, api.clock).run())
    async with asyncio.timeout(4):
        await overtaken.wait()
        api.clock.advance(minutes=1)
        while "sla_breached" not in await actions(api, token):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
