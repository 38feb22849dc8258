"""The embedded database when SQLite says no: who is told what, what is noted, and what goes on."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from helpdesk.db.engine import Connection, Touched
from helpdesk.db.engines.sqlite import SqliteDatabase
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.engines.sqlite_faults import (
    CLEAR_READS_AFTER_S,
    CLEAR_WRITES_AFTER_S,
    CommitOutcome,
    Faults,
    commit_outcome,
)
from helpdesk.db.migrations.run import prepare_sqlite
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems
from tests.conftest import FakeClock
from tests.db.test_sqlite import adds, names

pytestmark = pytest.mark.gen_test


def sqlite_error(code: int, name: str = "SQLITE_X") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("made for a test")
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


class Faulty(sqlite3.Connection):
    """A connection that says once that a statement failed, `before` or `after` it has really been done."""

    before: ClassVar[dict[str, BaseException]] = {}
    after: ClassVar[dict[str, BaseException]] = {}

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql in self.before:
            raise self.before.pop(sql)
        cursor = super().execute(sql, *rest)
        if sql in self.after:
            raise self.after.pop(sql)
        return cursor


class Store:
    """A database on a file, with what it reports and how often it asks to end."""

    def __init__(self, path: Path) -> None:
        prepare_sqlite(path)
        self.path = path
        self.problems = Problems()
        self.failures = 0
        self.db = SqliteDatabase(path, on_failure=self._fail, problems=self.problems)
        self.clock = FakeClock()
        self.db._faults._parts._monotonic = self.clock.monotonic

    def _fail(self) -> None:
        self.failures += 1

    @property
    def parts(self) -> list[str]:
        """The parts that have a problem."""
        return [part for part, _ in self.problems.current()]

    async def works(self) -> bool:
        """Whether a write is done and read."""
        self.clock.advance(seconds=CLEAR_WRITES_AFTER_S)
        await self.db.write(adds("works"))
        return "works" in await self.db.read(names)


@pytest.fixture
def store(tmp_path: Path, io_loop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Faulty))
    Faulty.before, Faulty.after = {}, {}

    async def open_store() -> Store:
        return Store(tmp_path / "helpdesk.db")

    opened = io_loop.run_sync(open_store)
    yield opened
    io_loop.run_sync(lambda: asyncio.wait_for(opened.db.close(), 10))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (sqlite3.SQLITE_FULL, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_IOERR_WRITE, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_IOERR_SHORT_READ, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_READONLY_DBMOVED, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, CommitOutcome.NOTHING),
        (sqlite3.SQLITE_IOERR_FSYNC, CommitOutcome.SYNC_FAILED),
        (sqlite3.SQLITE_IOERR_DIR_FSYNC, CommitOutcome.SYNC_FAILED),
        (sqlite3.SQLITE_IOERR_SHMSIZE, CommitOutcome.UNKNOWN),
        (sqlite3.SQLITE_IOERR_SHMMAP, CommitOutcome.UNKNOWN),
        (sqlite3.SQLITE_CORRUPT, CommitOutcome.UNKNOWN),
        (sqlite3.SQLITE_IOERR, CommitOutcome.UNKNOWN),
    ],
)
async def test_each_error_of_a_commit_says_what_it_left_behind(code: int, outcome: CommitOutcome) -> None:
    assert commit_outcome(sqlite_error(code)) is outcome


async def test_out_of_memory_at_a_commit_is_an_unknown_outcome() -> None:
    assert commit_outcome(MemoryError()) is CommitOutcome.UNKNOWN


async def test_a_commit_for_which_there_is_no_room_wrote_nothing_and_the_next_one_works(store: Store) -> None:
    Faulty.before["COMMIT"] = sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL")
    batch = [store.db.write(adds(name)) for name in "abc"]
    refused = await asyncio.gather(*batch, return_exceptions=True)
    assert all(isinstance(error, Unavailable) and "nothing was changed" in error.message for error in refused)
    assert store.parts == ["writes"] and "no room" in store.problems.current()[0][1]
    assert await store.db.read(names) == []
    assert await store.works()
    assert (store.parts, store.failures) == ([], 0)


async def test_a_constraint_that_fails_at_the_commit_undoes_the_batch_only(store: Store) -> None:
    def break_the_commit(conn: Connection) -> None:
        driver(conn).execute("PRAGMA defer_foreign_keys=1")
        driver(conn).execute("INSERT INTO tokens VALUES (x'00', 999, 0, 0, NULL)")

    with pytest.raises(Unavailable, match="nothing was changed"):
        await store.db.write(break_the_commit)
    assert await store.works() and store.failures == 0


async def test_an_unknown_outcome_that_is_no_sync_asks_for_the_same_key_and_goes_on(store: Store) -> None:
    Faulty.before["COMMIT"] = sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE)
    with pytest.raises(Unavailable, match="same Idempotency-Key"):
        await store.db.write(adds("a"))
    assert store.parts == ["writes"]
    assert await store.works() and store.failures == 0


async def test_a_failed_sync_ends_all_writing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    Faulty.after["COMMIT"] = sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(Unavailable, match=r"could not confirm .* same Idempotency-Key"):
        await store.db.write(adds("a"))
    with pytest.raises(Unavailable, match="same Idempotency-Key"):
        await store.db.write(adds("b"))
    assert store.failures == 1
    assert "CRITICAL" in caplog.text and "a sync failed" in caplog.text
    assert "b" not in await store.db.read(names)


@pytest.mark.parametrize("statement", ["ROLLBACK", "BEGIN IMMEDIATE", "RELEASE job"])
@pytest.mark.parametrize("error", [RuntimeError("nobody foresaw this"), sqlite_error(sqlite3.SQLITE_IOERR)])
async def test_whatever_fails_in_the_writing_thread_every_caller_is_answered(
    store: Store, statement: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    Faulty.before[statement] = error
    writes = [store.db.write(adds(n, then_raise=n == "b")) for n in "abcd"]
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert any(isinstance(outcome, Unavailable) for outcome in outcomes)
        if isinstance(error, RuntimeError):
            with pytest.raises(Unavailable, match="same Idempotency-Key"):
                await store.db.write(adds("later"))
    if isinstance(error, RuntimeError):
        assert store.failures == 1
        assert "CRITICAL" in caplog.text and "Traceback" in caplog.text


async def test_a_listener_that_raises_keeps_nobody_waiting_and_ends_the_process(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Touched] = []

    def broken(_changes: Touched) -> None:
        raise RuntimeError("nobody foresaw this")

    store.db.on_commit(broken)
    store.db.on_commit(heard.append)
    async with asyncio.timeout(5):
        assert await store.db.write(adds("a")) is not None
        assert await store.db.write(adds("b")) is not None
    assert len(heard) == 2 and store.failures == 1
    assert "CRITICAL" in caplog.text and "Traceback" in caplog.text


async def test_out_of_memory_in_one_write_is_its_own_only(store: Store) -> None:
    def hungry(_conn: Connection) -> None:
        raise MemoryError

    outcomes = await asyncio.gather(
        store.db.write(adds("a")), store.db.write(hungry), store.db.write(adds("b")), return_exceptions=True
    )
    assert isinstance(outcomes[1], MemoryError)
    assert await store.db.read(names) == ["a", "b"]


async def test_a_full_file_refuses_the_writes_that_need_room(store: Store) -> None:
    def limit(pages: int) -> Any:
        return lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").close()

    def fill(conn: Connection) -> None:
        for n in range(5000):
            adds(f"{n}" + "x" * 500)(conn)

    await store.db.write(limit(1))  # SQLite takes the present size as the least
    with pytest.raises(Unavailable, match="no room; nothing was changed"):
        await store.db.write(fill)
    assert store.parts == ["writes"]
    await store.db.write(limit(1_000_000))
    assert await store.works() and store.parts == []


async def test_a_wrong_statement_is_logged_and_shown_by_health(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable) as refused:
        await store.db.read(lambda conn: conn.exec_driver_sql("SELECT no_such_column FROM users").all())
    assert "no such column" in refused.value.cause and "no such column" not in refused.value.message
    assert "a read failed (SQLITE_ERROR: no such column" in caplog.text and "Traceback" in caplog.text
    assert store.parts == ["statements"]
    await store.db.read(names)
    assert store.parts == ["statements"]  # one that works says nothing about the one that does not
    store.clock.advance(seconds=CLEAR_READS_AFTER_S)
    await store.db.read(names)
    assert store.parts == []


async def test_a_wrong_statement_of_a_write_stays_a_problem_while_others_work(store: Store) -> None:
    with pytest.raises(Unavailable, match="nothing was changed"):
        await store.db.write(lambda conn: conn.exec_driver_sql("INSERT INTO no_such_table VALUES (1)").close())
    assert await store.works() and store.parts == ["statements"]
    await store.db.ping()
    assert store.parts == ["statements"]


async def test_a_damaged_page_stays_a_problem(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.gather(*(store.db.write(adds(f"{n}" + "x" * 300)) for n in range(200)))
    await store.db.close()
    content = bytearray(store.path.read_bytes())
    size = 4096
    for page in range(size, len(content), size):
        if content[page] == 13 and b"xxxxxxxx" in content[page : page + size]:  # a leaf of a table
            content[page : page + size] = b"\xff" * size
    store.path.write_bytes(content)
    store.db = SqliteDatabase(store.path, problems=store.problems)
    with pytest.raises(Unavailable):
        await store.db.read(names)
    assert "SQLITE_CORRUPT" in caplog.text
    assert store.parts == ["data file"]
    await store.db.read(lambda conn: conn.exec_driver_sql("SELECT 1").scalar())
    assert store.parts == ["data file"]


async def test_values_of_a_statement_are_not_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    secret = "".join(["my ", "secret"])  # a traceback shows the lines of this file
    with pytest.raises(Unavailable):
        await store.db.read(lambda conn: conn.exec_driver_sql("SELECT no_such FROM users WHERE ?", (secret,)))
    assert "Traceback" in caplog.text and secret not in caplog.text


async def test_stored_bytes_that_are_no_text_are_damage_of_one_cause_and_not_quoted(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "helpdesk.db"):
        for text in ("private", "intimate"):
            with pytest.raises(Unavailable) as refused:
                damaged = f"SELECT CAST(x'{text.encode().hex()}ff' AS TEXT)"
                await store.db.read(lambda conn, sql=damaged: conn.exec_driver_sql(sql).scalar())  # type: ignore[misc]
            assert text not in str(refused.value)
    assert store.parts == ["data file"]
    assert len({record.__dict__["cause"] for record in caplog.records if record.name == "helpdesk.db"}) == 1
    logged = "".join(logging.Formatter().format(record) for record in caplog.records)
    assert "no UTF-8" in logged and "private" not in logged and "intimate" not in logged


async def test_a_part_that_fails_now_and_then_is_not_cleared_in_between() -> None:
    clock, problems = FakeClock(), Problems()
    faults = Faults(problems, monotonic=clock.monotonic)
    for _ in range(5):
        faults.write_failed(sqlite_error(sqlite3.SQLITE_FULL))
        faults.wrote()
        assert problems.current()
    clock.advance(seconds=CLEAR_WRITES_AFTER_S)
    faults.wrote()
    assert not problems.current()


async def test_faults_are_logged_by_cause(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults(Problems())
    with caplog.at_level(logging.ERROR, logger="helpdesk.db"):
        faults.write_failed(sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL"))
    (record,) = [record for record in caplog.records if record.name == "helpdesk.db"]
    assert record.cause == "a write failed (SQLITE_FULL: made for a test)"  # type: ignore[attr-defined]
