"""What takes too long or waits too long is 503 in time, and holds nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpdesk import lanes, passwords
from helpdesk.config import Rate
from helpdesk.db import engine
from helpdesk.db.engine import Connection
from helpdesk.db.engines import postgres, sqlite
from helpdesk.domain import accounts, comments, reports, tickets, timeline_pages, views
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
WITHIN_S = 8.0


@pytest.fixture
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    for database in (sqlite, postgres):
        monkeypatch.setattr(database, "READ_WITHIN_S", 0.1)
        monkeypatch.setattr(database, "SLOW_READ_WITHIN_S", 0.2)


def endless(conn: Connection, *_: Any, **__: Any) -> Any:
    return conn.exec_driver_sql(ENDLESS).scalar()


# What a call reads with, the call, and how the log names it.
CALLS = [
    ((tickets, "page"), "/api/tickets", "GET /api/tickets"),
    ((tickets, "page"), "/api/tickets?q=printer", "GET /api/tickets"),
    ((tickets, "stats"), "/api/tickets/stats", "GET /api/tickets/stats"),
    ((views, "full_ticket"), "/api/tickets/1", "GET /api/tickets/{id}"),
    ((comments, "page"), "/api/tickets/1/comments", "GET /api/tickets/{id}/comments"),
    ((timeline_pages, "page"), "/api/tickets/1/timeline", "GET /api/tickets/{id}/timeline"),
    ((timeline_pages, "page"), "/api/tickets/1/timeline?q=x", "GET /api/tickets/{id}/timeline"),
    ((accounts, "page"), "/api/users", "GET /api/users"),
    ((reports, "overview"), "/api/reports/overview", "GET /api/reports/overview"),
]


@pytest.mark.parametrize(("read", "path", "named"), CALLS, ids=[path for _, path, _ in CALLS])
@pytest.mark.usefixtures("short_deadlines")
async def test_a_read_that_takes_too_long_is_stopped_and_the_log_names_the_call(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: Any, read: tuple[Any, str], path: str, named: str
) -> None:
    api = await start()
    token = await api.token("agent")
    await api.ticket(token)
    await api.patch("/api/tickets/1", {"version": 1, "priority": "low"}, token=token)  # it is not in memory now
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(*read, endless)
        async with asyncio.timeout(WITHIN_S):
            response = await api.get(path, token=token)
    assert (response.status, response.code) == (503, "UNAVAILABLE")
    assert int(response.headers["Retry-After"]) >= 1
    lines = [record.getMessage() for record in caplog.records if "took longer" in record.getMessage()]
    assert len(lines) == 1 and f" {named} took" in lines[0] and "printer" not in lines[0]
    assert (await api.get(path, token=token)).status == 200


@pytest.mark.usefixtures("short_deadlines")
async def test_a_plain_page_that_takes_too_long_is_stopped_too(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    api = await start()
    cookie = {"Cookie": f"helpdesk_plain={await api.token()}"}
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(tickets, "page", endless)
        page = await api.get("/plain?q=printer", headers=cookie)
    assert page.status == 503 and int(page.headers["Retry-After"]) >= 1
    assert "GET /plain/? took longer" in caplog.text


class Holding:
    """Reads or writes that hold their threads until they are let go."""

    def __init__(self) -> None:
        self.held = 0
        self._let_go = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.held += 1
        assert self._let_go.wait(WITHIN_S)
        return [], None

    async def until(self, held: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self.held < held:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def let_go(self) -> None:
        self._let_go.set()


@pytest.fixture
def holding() -> Iterator[Holding]:
    made = Holding()
    yield made
    made.let_go()


def threads_of(database: str) -> tuple[int, int]:
    """How many threads of requests read and read slowly."""
    module = sqlite if database == "SqliteDatabase" else postgres
    return module.READERS, module.SLOW_READERS


async def test_searches_hold_up_searches_but_no_plain_list_and_no_plain_page(
    api: Api, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    token = await api.token()
    cookie = {"Cookie": f"helpdesk_plain={token}"}
    _, slow = threads_of(type(api.desk.db).__name__)
    monkeypatch.setattr(lanes, "WAIT_S", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "page", holding)
        searches = [asyncio.ensure_future(api.get("/plain?q=x", headers=cookie)) for _ in range(slow)]
        await holding.until(slow)
    late = await asyncio.gather(api.get("/plain?q=x", headers=cookie), api.get("/api/tickets?q=x", token=token))
    assert [(r.status, r.headers["Retry-After"]) for r in late] == [(503, "2")] * 2
    plain = await asyncio.gather(api.get("/plain", headers=cookie), api.get("/api/tickets", token=token))
    assert [r.status for r in plain] == [200, 200]
    holding.let_go()
    assert [r.status for r in await asyncio.gather(*searches)] == [200] * slow


async def test_while_every_thread_of_requests_is_held_the_rest_gets_503_and_health_and_jobs_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    from helpdesk.jobs.sla import SlaSweep

    token = await api.token("agent")
    await api.ticket(token, sla_minutes=1)
    db = api.desk.db
    short, _ = threads_of(type(db).__name__)
    monkeypatch.setattr(lanes, "WAIT_S", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "page", holding)
        held = [asyncio.ensure_future(api.get("/api/tickets", token=token)) for _ in range(short)]
        await holding.until(short)
    late = await api.get("/api/tickets", token=token)
    assert (late.status, late.code, late.headers["Retry-After"]) == (503, "UNAVAILABLE", "2")
    assert (await api.get("/api/health")).json["status"] == "ok"
    api.clock.advance(minutes=1)
    assert await SlaSweep(db, api.clock).sweep() == 1
    holding.let_go()
    await asyncio.gather(*held)


@pytest.mark.sqlite
async def test_a_write_that_waits_too_long_is_503_and_not_done_late(
    api: Api, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    token = await api.token()
    db = api.desk.db
    monkeypatch.setattr(lanes, "WAIT_S", 0.2)
    held = asyncio.ensure_future(db.write(holding))
    await holding.until(1)
    refused = await asyncio.gather(
        *(api.post("/api/tickets", {"title": "x", "description": "y"}, token=token, key="k") for _ in range(3))
    )
    assert [(r.status, r.code, r.headers["Retry-After"]) for r in refused] == [(503, "UNAVAILABLE", "2")] * 3
    holding.let_go()
    await held
    assert (await api.get("/api/tickets", token=token)).json["items"] == []
    assert (await api.post("/api/tickets", {"title": "x", "description": "y"}, token=token, key="k")).status == 201


async def test_a_password_that_waits_too_long_is_503_and_no_failed_login(
    start: Start, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    api = await start(login_limit=Rate(3, 900))
    await api.register(username="ana")
    right = {"username": "ana", "password": "correct horse"}
    form = await api.get("/plain/login")
    cookie = str(form.headers["Set-Cookie"]).split(";")[0]
    posted = f"username=ana&password=correct+horse&_xsrf={cookie.partition('=')[2].replace('|', '%7C')}".encode()
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    monkeypatch.setattr(lanes, "WAIT_S", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(passwords, "check_password", holding)
        held = [
            asyncio.ensure_future(api.post("/api/auth/login", right | {"username": f"user{n}"}))
            for n in range(passwords.THREADS)
        ]
        await holding.until(passwords.THREADS)
        late = await asyncio.gather(
            api.post("/api/auth/login", right),
            api.post("/api/auth/register", right | {"username": "bob"}),
            api.request("POST", "/plain/login", raw=posted, headers=headers),
        )
    assert [(r.status, r.headers["Retry-After"]) for r in late] == [(503, "10")] * 3
    holding.let_go()
    await asyncio.gather(*held)
    for _ in range(4):
        assert (await api.post("/api/auth/login", right)).status == 200


async def first_in_queue(db: engine.Database, holding: Holding, write: Callable[[list[str]], Any]) -> list[str]:
    """The order in which a long queue of writes and what `write` adds are done, once the thread is free."""
    done: list[str] = []
    held = asyncio.ensure_future(db.write(holding))
    await holding.until(1)
    waiting = [asyncio.ensure_future(db.write(lambda _: done.append("request"))) for _ in range(1000)]
    await asyncio.sleep(0)
    waiting.append(asyncio.ensure_future(write(done)))
    await asyncio.sleep(0)
    holding.let_go()
    await asyncio.gather(held, *waiting)
    return done


@pytest.mark.sqlite
async def test_a_job_writes_in_the_next_commit_however_long_the_queue(api: Api, holding: Holding) -> None:
    db = api.desk.db
    done = await first_in_queue(db, holding, lambda done: db.write_promptly(lambda _: done.append("job")))
    assert len(done) == 1001 and done.index("job") <= 1


@pytest.mark.sqlite
async def test_a_full_queue_refuses_requests_and_no_job(api: Api, holding: Holding) -> None:
    db = api.desk.db
    held = asyncio.ensure_future(db.write(holding))
    await holding.until(1)
    waiting = [asyncio.ensure_future(db.write(lambda _: None)) for _ in range(1100)]
    job = asyncio.ensure_future(db.write_promptly(lambda _: "done"))
    await asyncio.sleep(0)
    holding.let_go()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1100 - 1024
    assert await job == "done"
    await held
