"""Fixtures: a fresh real database, a fake clock, the real application on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.ioloop import IOLoop

from helpdesk.clock import parse_rfc3339
from helpdesk.config import Config, Rate
from helpdesk.db.engine import Connection
from helpdesk.desk import Desk, open_desk
from helpdesk.http_server import Server
from helpdesk.problems import Problems
from tests.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.services import Postgres

START = parse_rfc3339("2026-11-23T09:30:00.000Z")


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_ms = START
        self.monotonic_s = 1000.0

    def now(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.monotonic_s

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        """Move both clocks forward."""
        passed_s = seconds + 60 * minutes + 3600 * hours
        self.now_ms += round(1000 * passed_s)
        self.monotonic_s += passed_s


class Response:
    """An answer: `status`, `headers`, and `json` where it has a body."""

    def __init__(self, raw: HTTPResponse) -> None:
        self.status = raw.code
        self.headers = raw.headers
        self.body = raw.body or b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])

    @property
    def field(self) -> str | None:
        """The field that the error names."""
        field: str | None = self.json["error"]["field"]
        return field


class Api:
    """A client of the running application. Every call is a coroutine that gives a Response."""

    server: Server

    def __init__(self, port: int, desk: Desk, clock: FakeClock) -> None:
        self.port = port
        self.desk = desk
        self.clock = clock
        self._client = AsyncHTTPClient(force_instance=True)
        self._names = 0

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        raw: bytes | None = None,
    ) -> Response:
        """`body` is sent as JSON; `raw` as it is; `key` is the Idempotency-Key."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        response = await self._client.fetch(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            headers=sent,
            body=raw,
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
        )
        return Response(response)

    async def get(self, path: str, **options: Any) -> Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Response:
        return await self.request("POST", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> Response:
        return await self.request("PATCH", path, body, **options)

    async def register(self, role: str = "user", username: str | None = None, **fields: Any) -> dict[str, Any]:
        """A new account: `{token, expires_at, user}`. Its password is "correct horse"."""
        self._names += 1
        body = {"username": username or f"{role}{self._names}", "password": "correct horse", "role": role, **fields}
        response = await self.post("/api/auth/register", body)
        assert response.status == 201, response.body
        session: dict[str, Any] = response.json
        return session

    async def token(self, role: str = "user") -> str:
        """The token of a new account with that role."""
        return str((await self.register(role))["token"])

    async def ticket(self, token: str, **fields: Any) -> dict[str, Any]:
        """A new ticket in full."""
        body = {"title": "Printer jams", "description": "It jams on every second page.", **fields}
        response = await self.post("/api/tickets", body, token=token)
        assert response.status == 201, response.body
        ticket: dict[str, Any] = response.json
        return ticket

    def close(self) -> None:
        self._client.close()


Start = Callable[..., Awaitable[Api]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=("sqlite", "postgresql"), default="sqlite", help="the database to test on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--engine") == "postgresql":
        others = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Fresh databases of the engine that --engine names."""
    if request.config.getoption("--engine") == "sqlite":
        made: Databases = SqliteDatabases(tmp_path)
    else:
        made = PostgresDatabases(request.getfixturevalue("postgres"))
    yield made
    made.remove_all()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Demo mode without limits and with cheap passwords; a test module may override it."""
    return Config(data_dir=tmp_path, bcrypt_cost=4, rate_limit=Rate(0, 1), login_limit=Rate(0, 1))


@pytest.fixture
def conn(databases: Databases) -> Iterator[Connection]:
    """A connection to a fresh database, for the rules without a loop."""
    with databases.connection(databases.new_url()) as connection:
        yield connection


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """pytest-tornado's fixture, without the calls that newer Pythons warn of."""
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)  # type: ignore[attr-defined]
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)


@pytest.fixture
def start(io_loop: IOLoop, clock: FakeClock, config: Config, databases: Databases) -> Iterator[Start]:
    """Start the application on a free port, on a fresh database: `await start(mode="production")` overrides settings.

    No job runs by itself; a test calls what it needs. The demo is not seeded.
    """
    running: list[tuple[Api, Server]] = []

    async def open_api(settings: Config) -> tuple[Api, Server]:
        assert settings.database_url is not None
        problems = Problems()
        desk = open_desk(settings, clock, databases.open(settings.database_url, problems), problems)
        server = Server(desk)
        server.listen(0, "127.0.0.1")
        port = next(iter(server._sockets.values())).getsockname()[1]
        return Api(port, desk, clock), server

    async def start_with(**settings: Any) -> Api:
        given = {"database_url": config.database_url or databases.new_url(), **settings}
        api, server = await open_api(replace(config, **given))
        api.server = server
        running.append((api, server))
        return api

    yield start_with

    async def stop(api: Api, server: Server) -> None:
        server.stop()
        api.close()
        api.desk.hub.close_all()
        await server.close_all_connections()
        await asyncio.sleep(0)
        await api.desk.close()
        await api.desk.db.close()

    for api, server in running:
        io_loop.run_sync(lambda a=api, s=server: stop(a, s))  # type: ignore[misc]


@pytest.fixture
def api(start: Start, io_loop: IOLoop) -> Api:
    """The application with the module's `config`."""
    return io_loop.run_sync(start)
