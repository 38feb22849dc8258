"""PostgreSQL that is full, or gives too few connections: who waits, who is refused, and what health says."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from helpdesk.db.engine import Connection, Touched, touch
from helpdesk.db.engines import postgres_connector, postgres_faults
from helpdesk.db.engines.postgres import READERS, PostgresDatabase
from helpdesk.db.engines.postgres_connection import open_engine
from helpdesk.db.engines.postgres_faults import Faults
from helpdesk.db.engines.postgres_locks import UseLock
from helpdesk.db.migrations.run import prepare_postgres
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems
from tests.databases import PostgresDatabases
from tests.services import Postgres

pytestmark = pytest.mark.gen_test

LANES = 5
FEW = 1 + LANES + 1


@pytest.fixture
def made(postgres: Postgres) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(postgres)
    yield databases
    databases.remove_all()


class Store:
    """A database with what it reports and how often it asks to end."""

    def __init__(self, url: str) -> None:
        self.problems = Problems()
        self.failures = 0
        lock = UseLock(open_engine(url), shared=True)
        self.db = PostgresDatabase(url, lock, on_failure=self._fail, problems=self.problems)

    def _fail(self) -> None:
        self.failures += 1

    @property
    def parts(self) -> list[str]:
        return [part for part, _ in self.problems.current()]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    try:
        yield store
    finally:
        await store.db.close()


def driver_error(state: str) -> DBAPIError:
    """An error as SQLAlchemy wraps it."""
    cause = Exception("made for a test")
    cause.sqlstate = state  # type: ignore[attr-defined]
    return DBAPIError("SELECT 1", {}, cause)


@pytest.fixture
def few(postgres: Postgres, made: PostgresDatabases) -> Iterator[str]:
    """The address of a database with a role that may have the lock's connection, one in each lane, and one more."""
    url = made.new_url()
    name = url.rsplit("/", 1)[1]
    postgres.sql(f"CREATE ROLE few_{name} LOGIN CONNECTION LIMIT {FEW}")
    postgres.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO few_{name}", name)
    yield url.replace("postgres@", f"few_{name}@")
    postgres.sql(f"DROP OWNED BY few_{name}; DROP ROLE few_{name}", name)


async def test_who_finds_no_connection_waits_for_one(few: str) -> None:
    def slow(conn: Connection) -> int:
        return int(conn.execute(text("SELECT 1 FROM pg_sleep(0.01)")).scalar_one())

    async with opened(few) as store:
        assert await asyncio.gather(*(store.db.read(slow) for _ in range(100))) == [1] * 100
        assert READERS > 2  # there were too few for the threads that want them
        assert store.parts == ["connections"]


async def test_a_lane_that_has_had_no_connection_for_a_while_refuses_at_once(
    few: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connector, "WITHIN_S", 0.2)
    others = open_engine(few, connections=FEW - 1)
    taken = [others.connect() for _ in range(FEW - 1)]
    async with opened(few) as store:
        for _ in range(3):
            with pytest.raises(Unavailable, match="nothing was changed") as refused:
                await store.db.read(one)
            assert "no connection" in refused.value.cause
        for conn in taken:
            conn.close()
        others.dispose()
        await asyncio.sleep(0.1)
        assert await store.db.read(one) == 1


async def test_every_lane_has_a_connection_before_it_is_used(few: str, postgres: Postgres) -> None:
    async with opened(few) as store:
        lanes = (store.db.read, store.db.read_slowly, store.db.read_promptly, store.db.write, store.db.write_promptly)
        assert len(lanes) == LANES
        await asyncio.wait_for(all_open(postgres, few), 30)
        others = open_engine(few, connections=FEW)
        with others.connect(), pytest.raises(DBAPIError, match="too many connections"):
            others.connect()
        with others.connect():
            assert [await lane(one) for lane in lanes] == [1] * LANES
            await store.db.ping()
        others.dispose()


async def all_open(postgres: Postgres, few: str) -> None:
    """Wait until the lanes and the lock have their connections."""
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{few.rsplit('/', 1)[1]}'"
    while postgres.sql(count) != [str(1 + LANES)]:  # noqa: ASYNC110 (nothing else tells)
        await asyncio.sleep(0.01)


def one(conn: Connection) -> int:
    return int(conn.execute(text("SELECT 1")).scalar_one())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB that is PostgreSQL's, on a machine where the tests run as root."""
    folder = Path(f"/tmp/helpdesk-small-{os.getpid()}")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        folder.rmdir()
        pytest.skip("mounting needs root and a machine that allows it")
    owner = pwd.getpwnam("postgres")
    (folder / "space").mkdir()
    os.chown(folder / "space", owner.pw_uid, owner.pw_gid)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


async def test_a_full_disk_is_a_problem_until_a_write_succeeds(
    postgres: Postgres, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_faults, "CLEAR_AFTER_S", 0.0)
    postgres.sql(f"CREATE TABLESPACE small LOCATION '{small_disk}/space'")
    postgres.sql("CREATE DATABASE small TABLESPACE small")
    url = postgres.url("small")
    prepare_postgres(open_engine(url), "small")

    def note(conn: Connection) -> None:
        conn.execute(text("CREATE TABLE IF NOT EXISTS filler (a text)"))
        conn.execute(text("INSERT INTO filler SELECT string_agg(md5(n::text), '') FROM generate_series(1, 30000) n"))
        touch(conn, "user", 1)

    async with opened(url) as store:
        with suppress(OSError), (small_disk / "fill").open("ab", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        with pytest.raises(Unavailable, match="no room; nothing was changed"):
            await store.db.write(note)
        assert store.parts == ["writes"] and "full" in store.problems.current()[0][1]
        assert await store.db.read(lambda conn: conn.execute(text("SELECT count(*) FROM users")).scalar()) == 0
        await store.db.ping()  # most of it works
        (small_disk / "fill").unlink()
        await store.db.write(note)
        assert store.parts == []
    postgres.sql("DROP DATABASE small WITH (FORCE)")
    postgres.sql("DROP TABLESPACE small")


@pytest.mark.parametrize(
    ("state", "parts"),
    [
        ("53100", ["writes"]),
        ("53200", ["writes"]),
        ("58030", ["writes"]),
        ("25006", ["writes"]),
        ("XX001", ["data"]),
        ("42703", ["statements"]),
        ("40001", []),
        ("55P03", []),
        ("57014", []),
        ("23505", []),
    ],
)
async def test_each_fault_of_a_write_is_shown_or_is_none(state: str, parts: list[str]) -> None:
    problems = Problems()
    Faults(problems).refusal(driver_error(state), is_write=True)
    assert [part for part, _ in problems.current()] == parts


async def test_a_wrong_statement_is_shown_by_health(made: PostgresDatabases) -> None:
    async with opened(made.new_url()) as store:
        with pytest.raises(ProgrammingError):
            await store.db.read(lambda conn: conn.execute(text("SELECT no_such_column FROM users")).all())
        assert store.parts == ["statements"]


async def test_a_listener_that_raises_keeps_nobody_waiting_and_ends_the_process(
    made: PostgresDatabases, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_changes: Touched) -> None:
        raise RuntimeError("nobody foresaw this")

    async with opened(made.new_url()) as store:
        heard: list[Touched] = []
        store.db.on_commit(broken)
        store.db.on_commit(heard.append)
        async with asyncio.timeout(5):
            await store.db.write(lambda conn: touch(conn, "user", 1))
        assert heard == [{"user": {1}}] and store.failures == 1
    assert "CRITICAL" in caplog.text and "Traceback" in caplog.text
