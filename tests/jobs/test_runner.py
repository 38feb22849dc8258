"""The supervisor: a job that fails is logged, shown by health and started again, until it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from helpdesk import serve
from helpdesk.caches import session_uses
from helpdesk.db import digests
from helpdesk.db import timeline as timeline_store
from helpdesk.db import tokens as token_store
from helpdesk.db.engine import Job
from helpdesk.db.engines import postgres, postgres_locks, sqlite
from helpdesk.db.engines.open_files import OpenFiles
from helpdesk.domain import accounts, clocks
from helpdesk.errors import Unavailable
from helpdesk.jobs import data_check, expiry, runner, sla
from helpdesk.jobs.runner import Runner
from helpdesk.live import hub as live
from helpdesk.live.wakeups import Wakeups
from helpdesk.problems import Problems
from tests.conftest import Api
from tests.handlers.test_events_api import EventStream

pytestmark = pytest.mark.gen_test

WITHIN_S = 8.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAUSE_S", 0.01)
    monkeypatch.setattr(runner, "CANCEL_AGAIN_S", 0.05)
    monkeypatch.setattr(session_uses, "RECORD_EVERY_S", 0.01)
    for module, name in ((sla, "LOOK_AT_CLOCK_S"), (sla, "LOOK_UP_S"), (live, "RECHECK_S"), (expiry, "EVERY_S")):
        monkeypatch.setattr(module, name, 0.01)
    monkeypatch.setattr(postgres, "KEEP_LOCK_S", 0.01)
    monkeypatch.setattr(sqlite, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(data_check, "ROUND_S", 0.01)
    monkeypatch.setattr(data_check, "STEP_S", 0.01)


@asynccontextmanager
async def supervised(name: str, job: Job, problems: Problems | None = None) -> AsyncIterator[Problems]:
    problems = problems or Problems()
    supervisor = Runner(problems)
    supervisor.start(name, job)
    try:
        yield problems
    finally:
        await supervisor.stop()
        for stream in EventStream.opened:
            stream.writer.close()
        EventStream.opened.clear()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def fails_unforeseen() -> None:
    raise RuntimeError("secret")


async def returns() -> None:
    return


async def is_cancelled() -> None:
    raise asyncio.CancelledError


async def store_is_away() -> None:
    raise Unavailable("The database is away")


@pytest.mark.parametrize("end", [fails_unforeseen, returns, is_cancelled, store_is_away])
async def test_a_job_that_ends_is_logged_and_reported_and_started_again_until_it_works(
    end: Callable[[], Awaitable[None]], caplog: Any
) -> None:
    works, starts = asyncio.Event(), 0

    async def job(worked: Callable[[], None]) -> None:
        nonlocal starts
        starts += 1
        if not works.is_set():
            await end()
            return
        worked()
        await asyncio.Event().wait()

    with caplog.at_level(logging.WARNING):
        async with supervised("fragile", job) as problems:
            await until(lambda: starts >= 3)
            (part, message), *others = problems.current()
            assert part == "fragile" and not others and "secret" not in message
            works.set()
            await until(lambda: not problems.current())
    assert "the job fragile" in caplog.text
    assert ("Traceback" in caplog.text and "RuntimeError: secret" in caplog.text) is (end is fails_unforeseen)


async def test_a_job_that_is_started_again_is_not_taken_for_working_before_it_has_worked() -> None:
    async def job(worked: Callable[[], None]) -> None:
        if not started.is_set():
            started.set()
            raise RuntimeError
        again.set()
        await asyncio.Event().wait()

    started, again = asyncio.Event(), asyncio.Event()
    async with supervised("slow", job) as problems:
        await asyncio.wait_for(again.wait(), WITHIN_S)
        assert [part for part, _ in problems.current()] == ["slow"]


async def test_the_pause_doubles_up_to_its_limit_and_begins_anew_once_the_job_has_worked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def job(worked: Callable[[], None]) -> None:
        if len(pauses) == 7:
            worked()
        if len(pauses) == 9:
            await asyncio.Event().wait()
        raise RuntimeError

    monkeypatch.setattr(runner, "PAUSE_S", 0.25)
    supervisor = Runner(Problems())
    with monkeypatch.context() as patch:
        patch.setattr("helpdesk.jobs.runner.asyncio.sleep", sleep)
        supervisor.start("fragile", job)
        async with asyncio.timeout(WITHIN_S):
            while len(pauses) < 9:
                await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.001)
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 0.25, 0.5]
    await supervisor.stop()


async def test_a_job_that_loses_its_cancellation_ends_all_the_same(caplog: Any) -> None:
    lost = 0

    async def job(worked: Callable[[], None]) -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost >= 2:
                    raise ValueError from None  # as a library does that closes what was cancelled

    supervisor = Runner(Problems())
    supervisor.start("deaf", job)
    await asyncio.sleep(0)
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(supervisor.stop(), WITHIN_S)
    assert lost == 2 and caplog.text == ""


async def test_a_job_that_never_ends_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(runner, "STOP_S", 0.1)
    release = asyncio.Event()

    async def job(worked: Callable[[], None]) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Runner(Problems())
    supervisor.start("stuck", job)
    await asyncio.sleep(0)
    await asyncio.wait_for(supervisor.stop(), WITHIN_S)
    assert "the job stuck does not end" in caplog.text
    release.set()
    await asyncio.wait(supervisor._tasks)


# Each job of a server: what to break, and what it does when it works.


class FakeRedis:
    """Stands where Redis does, and gives a sign again and again."""

    async def publish(self, channel: str, message: bytes) -> None:
        return

    async def follow(self, channel: str, hear: Callable[[bytes | None], None]) -> None:
        while True:
            await self.sign()
            hear(None)

    async def watch(self, worked: Callable[[], None]) -> None:
        while True:
            await self.sign()
            worked()

    async def sign(self) -> None:
        await asyncio.sleep(0.01)

    async def close(self) -> None:
        return


async def comes(holds: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def breach_is_recorded(api: Api, token: str, _: EventStream) -> None:
    ticket = await api.ticket(token, sla_minutes=1)
    api.clock.advance(minutes=1)

    async def breaches() -> Any:
        return (await api.get(f"/api/tickets/{ticket['id']}/timeline?action=sla_breached", token=token)).json["items"]

    await comes(breaches)


async def key_is_forgotten(api: Api, token: str, _: EventStream) -> None:
    await api.post("/api/tickets", {"title": "x", "description": "y"}, token=token, key="k")
    api.clock.advance(hours=25)

    async def is_forgotten() -> bool:
        count = "SELECT count(*) FROM idempotency"
        return await api.desk.db.read(lambda conn: conn.exec_driver_sql(count).scalar() == 0)

    await comes(is_forgotten)


async def use_is_recorded(api: Api, token: str, _: EventStream) -> None:
    await until(lambda: not len(api.desk.sessions.uses))


async def stream_is_fed(api: Api, token: str, stream: EventStream) -> None:
    await api.ticket(token)
    assert (await stream.next())["event"] == "ticket.created"


async def stream_has_ended(api: Api, token: str, stream: EventStream) -> None:
    assert await stream.at_end()  # nobody reads on whose token could not be looked at
    await EventStream.open(api, token)


async def nothing_more(_api: Api, _token: str, _stream: EventStream) -> None:
    return


# By its name: what is broken, and what it does once it works again.
JOBS: dict[str, tuple[Any, str, Callable[[Api, str, EventStream], Awaitable[None]]]] = {
    "sla_sweep": (clocks, "sweep", breach_is_recorded),
    "expiry": (accounts, "forget_expired_tokens", key_is_forgotten),
    "session_uses": (accounts, "record_uses", use_is_recorded),
    "live_updates": (timeline_store, "horizon", stream_is_fed),
    "stream_tokens": (token_store, "living", stream_has_ended),
    "wakeups_sent": (FakeRedis, "publish", nothing_more),
    "wakeups_heard": (FakeRedis, "sign", nothing_more),
    "redis_watch": (FakeRedis, "sign", nothing_more),
    "data_files": (OpenFiles, "look", nothing_more),
    "data_check": (digests, "sealed_after", nothing_more),
    "database_lock": (postgres_locks.UseLock, "keep", nothing_more),
}


def is_in_job(name: str) -> bool:
    task = asyncio.current_task()
    return task is not None and task.get_name() == name


def jobs_of(api: Api) -> dict[str, Job]:
    """All jobs of a server; where it is no cluster, with the wake-ups of one."""
    redis: Any = FakeRedis()
    api.desk.redis = redis
    api.desk.wakeups = Wakeups(api.desk.db, redis, api.desk.hub)
    return serve.background_jobs(api.desk)


async def test_every_job_of_a_server_is_broken_here(api: Api) -> None:
    of_the_other_engine = {"data_files", "data_check"} if api.desk.db.is_shared else {"database_lock"}
    assert jobs_of(api).keys() == JOBS.keys() - of_the_other_engine


@pytest.mark.parametrize("name", JOBS)
async def test_each_job_recovers_from_an_error_that_nobody_foresaw(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: Any, name: str
) -> None:
    if name not in jobs_of(api):
        pytest.skip("not on this engine")
    token = await api.token("agent")
    module, attribute, works = JOBS[name]
    broken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def breaks(*_: Any, **__: Any) -> Any:
        if name == "data_files" and not is_in_job(name):
            return  # health looks at them too
        loop.call_soon_threadsafe(broken.set)
        raise RuntimeError("nobody foresaw this")

    assert api.desk.wakeups is not None
    with caplog.at_level(logging.ERROR):
        async with supervised(name, jobs_of(api)[name], api.desk.problems):
            stream = await EventStream.open(api, token)
            with monkeypatch.context() as patch:
                patch.setattr(module, attribute, breaks)
                # A later use: one of the same moment counts as recorded, once the record that is under way has ended.
                api.clock.advance(seconds=1)
                await api.ticket(token)  # the hub and the wake-ups have something to do
                await asyncio.wait_for(broken.wait(), WITHIN_S)
                await until(lambda: [part for part, _ in api.desk.problems.current()] == [name])
                health = await api.get("/api/health")
                assert (health.status, health.json["status"]) == (200, "degraded")
            await works(api, token, stream)
            await until(lambda: not api.desk.problems.current())
            assert (await api.get("/api/health")).json["status"] == "ok"
    assert "Traceback" in caplog.text and "nobody foresaw this" in caplog.text and name in caplog.text
