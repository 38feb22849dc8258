"""A cluster as in docs/operations.md: one PostgreSQL, one Redis, several servers, and nginx before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGCONT

import pytest

from tests.cluster.desks import Desks, Interruptions, fill
from tests.process import QUIET, ROOT, RunningServer
from tests.services import Nginx, Postgres, RedisServer

PROCESSES = 4


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis server."""
    server = RedisServer()
    yield server
    server.remove()


class Cluster:
    """Servers on a database of their own; `url` is nginx, `processes` are what stands behind it."""

    def __init__(self, folder: Path, postgres: Postgres, redis: RedisServer) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.postgres, self.redis = postgres, redis
        postgres.databases += 1
        self.database = f"cluster{postgres.databases}"
        postgres.sql(f"CREATE DATABASE {self.database}")
        self.processes: list[RunningServer] = []  # those that run; a test takes out what it stops
        self._all: list[RunningServer] = []
        self._nginx: Nginx | None = None
        self._started = 0

    def start(self, count: int = PROCESSES, *options: str) -> None:
        """Start so many more servers, all at once."""
        numbers = range(self._started, self._started + count)
        self._started += count
        with ThreadPoolExecutor(count) as pool:
            made = list(pool.map(lambda n: self._server(n, options), numbers))
        self.processes += made
        self._all += made

    def _server(self, number: int, options: tuple[str, ...]) -> RunningServer:
        addresses = ("--database-url", self.postgres.url(self.database), "--redis-url", self.redis.url)
        behind_nginx = ("--trusted-proxies", "127.0.0.1")
        return RunningServer(self.folder / f"server{number}", *QUIET, *addresses, *behind_nginx, *options)

    @property
    def nginx(self) -> Nginx:
        """nginx, with the configuration that docs/operations.md gives and other ports and folders in it."""
        if self._nginx is None:
            self._nginx = Nginx()
            self._nginx.start(self._configured(self._nginx))
        return self._nginx

    @property
    def url(self) -> str:
        """The address of nginx."""
        return f"http://127.0.0.1:{self.nginx.port}"

    def _configured(self, nginx: Nginx) -> Path:
        desk = (ROOT / "deploy" / "helpdesk.conf").read_text()
        servers = "".join(
            f"    server 127.0.0.1:{process.port} max_fails=2 fail_timeout=1s;\n" for process in self.processes
        )
        desk, replaced = re.subn(r"(    server 127\.0\.0\.1:80\d\d .*\n)+", servers, desk)
        assert replaced == 1
        main = (ROOT / "deploy" / "nginx.conf").read_text()
        for place, with_what in (
            ("127.0.0.1:8080", f"127.0.0.1:{nginx.port}"),
            ("/run/nginx.pid", str(nginx.folder / "pid")),
            ("/var/log/nginx", str(nginx.folder)),
            ("/var/lib/nginx", str(nginx.folder)),
        ):
            assert place in main + desk, place
            main, desk = main.replace(place, with_what), desk.replace(place, with_what)
        (nginx.folder / "helpdesk.conf").write_text(desk)
        (nginx.folder / "nginx.conf").write_text(main)
        return nginx.folder / "nginx.conf"

    def sql(self, sql: str) -> list[str]:
        """The lines of an answer from the database, their columns with `|` between."""
        return self.postgres.sql(sql, self.database)

    def errors(self) -> str:
        """All that the servers wrote to standard error."""
        return "\n".join(process.errors.read_text() for process in self._all)

    def remove(self) -> None:
        """Stop everything of it; each server that still runs must end well."""
        if self._nginx is not None:
            self._nginx.remove()
        running = [process for process in self._all if process.process.poll() is None]
        for process in running:
            process.process.send_signal(SIGCONT)  # a test that failed may have left it paused
        statuses = [process.stop() for process in running]
        assert set(statuses) <= {0}, self.errors()[-3000:]
        self.sql("SELECT pg_sleep(0)")  # the database server is well too
        self.postgres.sql(f"DROP DATABASE {self.database} WITH (FORCE)")


@pytest.fixture
def cluster(tmp_path: Path, postgres: Postgres, redis: RedisServer) -> Iterator[Cluster]:
    """No server runs yet."""
    made = Cluster(tmp_path, postgres, redis)
    yield made
    made.remove()


@pytest.fixture
def desks(tmp_path: Path, postgres: Postgres) -> Iterator[Desks]:
    made = Desks(tmp_path, postgres)
    yield made
    made.servers.remove_all()


@pytest.fixture
def desk(desks: Desks) -> str:
    """A desk on SQLite in which everything has happened that a desk can hold."""
    url = desks.new_url("sqlite")
    desks.ask(url, fill)
    return url


@pytest.fixture
def interruptions(monkeypatch: pytest.MonkeyPatch) -> Interruptions:
    return Interruptions(monkeypatch)
