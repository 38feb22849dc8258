"""Checkpoints: the write-ahead log is copied while nobody waits, and somebody is told when it is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest

from helpdesk.db.engines import sqlite_checkpoints
from helpdesk.db.engines.sqlite_checkpoints import IDLE_PAGES, RETRY_S, Checkpoints, LogIndex
from helpdesk.problems import Problems
from tests.conftest import FakeClock


class Log:
    """A data file with a table, a connection that writes, and what looks after its log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.problems = Problems()
        self.raw = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=wal", "wal_autocheckpoint=0", "journal_size_limit=1000000", "busy_timeout=10"):
            self.raw.execute(f"PRAGMA {pragma}")
        self.raw.execute("CREATE TABLE t (a TEXT)")
        self.index = LogIndex(path)
        self.checkpoints = Checkpoints(self.index, 10, self.problems, monotonic=self.clock.monotonic)

    @property
    def log_bytes(self) -> int:
        return self.path.with_name("x.db-wal").stat().st_size

    def write(self, pages: int) -> None:
        """Commit rows that take that many pages."""
        self.raw.execute("BEGIN")
        for _ in range(pages):
            self.raw.execute("INSERT INTO t VALUES (zeroblob(3000))")
        self.raw.execute("COMMIT")

    def run(self) -> None:
        self.checkpoints.run(self.raw)

    @property
    def parts(self) -> list[str]:
        return [part for part, _ in self.problems.current()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "x.db")
    yield made
    made.raw.close()
    made.index.close()


def test_little_is_left_in_the_log_and_much_is_copied_when_nothing_is_written(log: Log) -> None:
    log.write(10)
    assert log.checkpoints.wait_s() is None and not log.checkpoints.is_due
    log.write(IDLE_PAGES)
    assert log.checkpoints.wait_s() == sqlite_checkpoints.IDLE_S
    log.run()
    assert log.checkpoints.wait_s() is None
    log.path.with_name("x.db-wal").unlink()  # all of it is in the data file
    with closing(sqlite3.connect(log.path)) as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (10 + IDLE_PAGES,)


def test_under_load_it_comes_before_the_log_is_long(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "BUSY_PAGES", 1000)
    longest = 0
    for _ in range(100):
        log.write(100)
        if log.checkpoints.is_due:
            log.run()
        longest = max(longest, log.log_bytes)
    assert longest < 4 * 1000 * 4120


def test_one_that_fails_is_a_problem_until_one_succeeds(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.write(IDLE_PAGES)
    log.raw.execute("BEGIN IMMEDIATE")  # SQLite refuses a checkpoint in a transaction
    log.run()
    assert log.parts == ["checkpoints"] and "a checkpoint failed (SQLITE_LOCKED" in caplog.text
    log.raw.execute("COMMIT")
    assert log.checkpoints.wait_s() == pytest.approx(RETRY_S)
    log.clock.advance(seconds=RETRY_S)
    assert log.checkpoints.wait_s() == sqlite_checkpoints.IDLE_S
    log.run()
    assert log.parts == [] and log.checkpoints.wait_s() is None


def test_a_log_that_a_reader_keeps_from_shrinking_is_a_problem(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "LARGE_PAGES", 1000)
    with closing(sqlite3.connect(log.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchone()
        for _ in range(4):
            log.write(400)
            log.run()
        assert log.parts == ["checkpoints"] and log.checkpoints.wait_s() is not None
        reader.execute("COMMIT")
    log.run()
    assert log.parts == [] and log.checkpoints.wait_s() is None
    log.write(10)
    assert log.log_bytes <= 1_000_000  # cut to journal_size_limit


def test_the_index_says_how_much_is_in_the_log(log: Log) -> None:
    for pages in (0, 7, 300):
        log.write(pages)
        in_log, copied = log.index.pages, log.index.pages - log.index.not_copied
        (_, told, _) = log.raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert told == in_log > 0 and copied in (0, in_log)
        assert log.index.not_copied == 0


def test_what_a_crash_left_is_copied_soon_after_the_start(log: Log, tmp_path: Path) -> None:
    log.write(2 * IDLE_PAGES)
    for ending in ("", "-wal"):
        copyfile(f"{log.path}{ending}", tmp_path / f"y.db{ending}")
    with closing(sqlite3.connect(tmp_path / "y.db")) as raw:
        raw.execute("SELECT count(*) FROM t").fetchone()
        index = LogIndex(tmp_path / "y.db")
        assert Checkpoints(index, 10, log.problems).wait_s() == sqlite_checkpoints.IDLE_S
    index.close()
