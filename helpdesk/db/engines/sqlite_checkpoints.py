"""Checkpoints: when the write-ahead log is copied into the data file, and what it means when that fails.

SQLite's own checkpoints, after a commit, swallow their errors. These run in the thread that writes, on its connection,
mostly when nothing waits for it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import time
from collections.abc import Callable
from pathlib import Path

from helpdesk.db.engines.sqlite_faults import describe, error_name
from helpdesk.errors import StartError
from helpdesk.problems import Problems

log = logging.getLogger("helpdesk.db")

PART = "checkpoints"
# Under load. One takes 10 to 20 ms, for 500 pages as for 4,000 (measured: most of it is the sync), and a page that
# changes often is copied once for all its changes; so fewer are better, and 16 MiB is little.
BUSY_PAGES = 4000
IDLE_PAGES = 500  # worth a checkpoint as soon as nothing is written
IDLE_S = 0.05
RETRY_S = 1.0  # after one that failed, or that left pages because a reader still needs the old ones
# 64 MiB, to which SQLite cuts the file too (journal_size_limit). From here on writes wait for readers, for a moment.
LARGE_PAGES = 16_384
LARGE_WAIT_MS = 50


class LogIndex:
    """Reads from the `-shm` file how much is in the log (https://sqlite.org/walformat.html, section 2.1).

    SQLite tells it only at a checkpoint. The rows of a commit are no measure: a seed wrote 0.1 pages a row, a create 4.
    """

    _VERSION = 3_007_000

    def __init__(self, database: Path) -> None:
        """Open it, once a connection has; keep it open, for closing a file drops the locks of this process on it."""
        real = database.resolve()
        self._fd = os.open(real.with_name(f"{real.name}-shm"), os.O_RDONLY | os.O_CLOEXEC)
        if self._read("=I", 0) != self._VERSION:
            raise StartError("this SQLite keeps its write-ahead log in a format that is not known here")

    @property
    def pages(self) -> int:
        """How many pages are in the log."""
        return self._read("=I", 16)

    @property
    def not_copied(self) -> int:
        """How many of them are not in the data file."""
        return self.pages - self._read("=I", 96)

    def _read(self, form: str, place: int) -> int:
        (number,) = struct.unpack(form, os.pread(self._fd, struct.calcsize(form), place))
        return int(number)

    def close(self) -> None:
        """Close it, after the last connection of this process."""
        os.close(self._fd)


class Checkpoints:
    """Decides when, and reports to `problems` what fails. Used by the thread that writes only.

    `may_run` is asked before each.
    """

    def __init__(
        self,
        index: LogIndex,
        busy_timeout_ms: int,
        problems: Problems,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._busy_timeout_ms = busy_timeout_ms
        self._problems = problems
        self._monotonic = monotonic
        self._not_before = 0.0
        self.may_run: Callable[[], bool] = lambda: True

    @property
    def is_due(self) -> bool:
        """Whether to run one before anything more is written."""
        return self._index.not_copied >= BUSY_PAGES and self._monotonic() >= self._not_before

    def wait_s(self) -> float | None:
        """Return after how long without a write to run one; None when there is too little to copy."""
        if self._index.not_copied < IDLE_PAGES and self._index.pages < LARGE_PAGES:
            return None
        return max(IDLE_S, self._not_before - self._monotonic())

    def run(self, raw: sqlite3.Connection) -> None:
        """Copy what can be copied. Raise nothing when the store fails: no acknowledged write depends on it."""
        if not self.may_run():
            return
        try:
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if self._index.pages >= LARGE_PAGES:
                self._cut(raw)
        except (sqlite3.Error, MemoryError) as error:
            self._not_before = self._monotonic() + RETRY_S
            self._failed(error)
            return
        if self._index.not_copied or self._index.pages >= LARGE_PAGES:
            self._not_before = self._monotonic() + RETRY_S
        if self._index.pages >= LARGE_PAGES:
            self._problems.report(
                PART,
                "The write-ahead log is over 64 MiB and does not shrink: a long read, or another program that has the "
                "data file open, keeps it",
            )
        else:
            self._problems.clear(PART)

    def _cut(self, raw: sqlite3.Connection) -> None:
        """Empty the log. Readers that overlap may keep it from starting anew for ever; so wait for them, not long."""
        raw.execute(f"PRAGMA busy_timeout={LARGE_WAIT_MS}")
        try:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.execute(f"PRAGMA busy_timeout={self._busy_timeout_ms}")

    def _failed(self, error: BaseException) -> None:
        cause = f"a checkpoint failed ({describe(error)})"
        log.error("%s; the write-ahead log grows until one succeeds", cause, extra={"cause": cause})
        self._problems.report(
            PART,
            f"The write-ahead log cannot be copied into the data file ({error_name(error)}) and grows; "
            "make room on its disk and check its file system",
        )
