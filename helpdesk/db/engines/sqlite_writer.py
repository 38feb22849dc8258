"""The one thread that writes: it drains its queue into one transaction and commits once for all (group commit)."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from helpdesk.db.engine import Touched, forget, noted, take_touched
from helpdesk.db.engines import write_ahead_log
from helpdesk.db.engines.sqlite_checkpoints import Checkpoints, LogIndex
from helpdesk.db.engines.sqlite_connection import BUSY_TIMEOUT_MS, driver, open_engine
from helpdesk.db.engines.sqlite_faults import CommitOutcome, Faults, commit_outcome, is_store_fault
from helpdesk.errors import OutcomeUnknown, Overloaded, Unavailable, WriterStopped
from helpdesk.lanes import Queue, Queued
from helpdesk.problems import Problems

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

BATCH_MAX = 64  # jobs in one commit; bounds how long the first of them waits for the last
QUEUE_MAX = 1024  # jobs waiting; past that the answer is 503
PROBE_S = 1.0  # a call of health syncs the disk, and anybody may call it


class _Job(Queued):
    __slots__ = ("error", "fn", "outcome")

    def __init__(self, fn: Callable[[Connection], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(future)
        self.fn = fn
        self.outcome: Any = None
        self.error: BaseException | None = None


class _HalfDone(Exception):
    """A job failed after it had written something."""


class _RolledBack(Exception):
    """SQLite itself has rolled the whole transaction back, as when the disk is full; raised from what it said."""


class Writer:
    """Owns the connection that writes and checkpoints.

    `on_commit` is called on the event loop with what a commit touched, before its callers go on; it must not raise.
    `on_failure` is called there once, when this cannot go on: a sync has failed (measured: after a failed fsync the
    row was there on restart), or an exception was not handled. Nothing is written from then on.
    """

    def __init__(
        self,
        path: Path,
        problems: Problems,
        faults: Faults,
        *,
        on_commit: Callable[[Touched], None],
        on_failure: Callable[[], None],
    ) -> None:
        """Connect at once: at the first write there may be no descriptor left."""
        self._path = path.resolve()
        self._conn = open_engine(path, read_only=False).connect()
        self._raw = driver(self._conn)
        self._raw.execute("PRAGMA wal_autocheckpoint=0")
        self.log = LogIndex(path)
        self.checkpoints = Checkpoints(self.log, BUSY_TIMEOUT_MS, problems)
        self._faults = faults
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._queue = Queue(QUEUE_MAX, Overloaded)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._prompt: deque[_Job] = deque()  # those of `_jobs` that go first
        self._batch: list[_Job] = []  # what the thread works on
        self._failed = False
        self._probed_until = 0.0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    async def do(self, fn: Callable[[Connection], T]) -> T:
        """`fn`'s result once it is durable. Raises Unavailable, or what `fn` raises."""
        if self._failed:
            raise WriterStopped()
        job = _Job(fn, self._loop.create_future())
        self._queue.add(job)
        self._jobs.put(job)
        outcome: T = await job.future
        return outcome

    async def do_promptly(self, fn: Callable[[Connection], T]) -> T:
        """As `do`, in the next commit, however much waits."""
        if self._failed:
            raise WriterStopped()
        job = _Job(fn, self._loop.create_future())
        self._prompt.append(job)
        self._jobs.put(job)  # to wake the thread; the job is done once, in whichever place it is found first
        outcome: T = await job.future
        return outcome

    async def probe(self) -> None:
        """Return once something has really been written, now or within PROBE_S; raise what a write would."""
        if time.monotonic() < self._probed_until:
            if self._failed:
                raise WriterStopped()
            return
        await self.do_promptly(self._probe_disk)
        self._probed_until = time.monotonic() + PROBE_S
        self._faults.wrote()

    async def close(self) -> None:
        """Do what was handed over, then end. No other connection to the file may be open in this process."""
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self.log.close()

    # In the thread.

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            log.critical("unhandled exception in the writer thread; the server stops", exc_info=True)
            self._fail()
            self._answer(self._batch, OutcomeUnknown())
            while (job := self._jobs.get()) is not None:
                if job.start():
                    self._answer([job], WriterStopped())
        finally:
            with suppress(sqlite3.Error, DBAPIError):
                self._conn.close()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._batch, is_last = self._gather(job)
            if self._batch:
                changes = self._commit(self._batch)
                self._loop.call_soon_threadsafe(self._settle, self._batch, changes)
                self._batch = []
            if is_last:
                break
        self.checkpoints.run(self._raw)

    def _next(self) -> _Job | None:
        """The next job, checkpointing where none comes for a while or the log has grown enough."""
        if self.checkpoints.is_due:
            self.checkpoints.run(self._raw)
        while True:
            try:
                return self._jobs.get(timeout=self.checkpoints.wait_s())
            except queue.Empty:
                self.checkpoints.run(self._raw)

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """What waits already, up to BATCH_MAX; and whether the thread shall end after it."""
        batch: list[_Job] = []
        following: _Job | None = first
        while following is not None:
            if following.start():
                batch.append(following)
            while self._prompt:
                job = self._prompt.popleft()
                if job.start():
                    batch.append(job)
            if len(batch) >= BATCH_MAX or self._jobs.empty():
                return batch, False
            following = self._jobs.get()
        return batch, True

    def _commit(self, batch: list[_Job]) -> Touched:
        """Do the jobs in one transaction and commit it; what it touched. A job that fails is undone alone."""
        if self._failed:
            return _refuse(batch, WriterStopped())
        before = self._raw.total_changes
        try:
            self._do_all(batch)
        except (sqlite3.Error, _RolledBack, MemoryError) as error:
            self._roll_back()
            return _refuse(batch, self._faults.write_failed(error.__cause__ or error))
        try:
            self._raw.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as error:
            self._roll_back()
            return _refuse(batch, self._commit_failed(error))
        if self._raw.total_changes != before:
            self._faults.wrote()
        return take_touched(self._conn)

    def _commit_failed(self, error: sqlite3.Error | MemoryError) -> Unavailable:
        match commit_outcome(error):
            case CommitOutcome.NOTHING:
                return self._faults.write_failed(error)
            case CommitOutcome.SYNC_FAILED:
                log.critical("a sync failed and the outcome of its commit is unknown; the server stops", exc_info=error)
                self._fail()
        return self._faults.commit_unknown(error)

    def _roll_back(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")
        forget(self._conn)

    def _fail(self) -> None:
        if not self._failed:
            self._failed = True
            self._loop.call_soon_threadsafe(self._on_failure)

    def _answer(self, batch: list[_Job], error: Unavailable) -> None:
        self._loop.call_soon_threadsafe(self._settle, batch, _refuse(batch, error))

    def _do_all(self, batch: list[_Job]) -> None:
        """Do the jobs, first without savepoints: keeping pages for an undo costs a create a fifth of its time.

        Nearly every job that fails does so before it writes. Should one fail later, all is undone and
        done again with a savepoint each.
        """
        self._begin()
        try:
            for job in batch:
                self._do(job)
        except _HalfDone:
            self._roll_back()
            self._begin()
            for job in batch:
                self._do_undoably(job)

    def _begin(self) -> None:
        self._raw.execute("BEGIN IMMEDIATE")
        if not self.log.not_copied:
            write_ahead_log.rewrite_page_1(self._raw)  # the log begins anew, and page 1 tells whose it is

    def _do(self, job: _Job) -> None:
        before = self._raw.total_changes
        try:
            job.outcome = job.fn(self._conn)
        except Exception as error:
            self._check_alive(error)
            if self._raw.total_changes != before:
                raise _HalfDone() from error
            job.error = self._as_answer(error)

    def _do_undoably(self, job: _Job) -> None:
        before = noted(self._conn)
        self._raw.execute("SAVEPOINT job")
        job.outcome, job.error = None, None
        try:
            job.outcome = job.fn(self._conn)
        except Exception as error:  # noqa: BLE001 (whatever it is, its caller gets it)
            self._check_alive(error)
            job.error = self._as_answer(error)
            self._raw.execute("ROLLBACK TO job")
            forget(self._conn, but=before)
        self._raw.execute("RELEASE job")

    def _check_alive(self, error: Exception) -> None:
        if not self._raw.in_transaction:
            raise _RolledBack() from error

    def _as_answer(self, error: Exception) -> Exception:
        return self._faults.write_failed(error) if is_store_fault(error) else error

    def _probe_disk(self, _conn: Connection) -> None:
        room = os.statvfs(self._path.parent)
        self._faults.note_room(room.f_bavail * room.f_frsize)
        write_ahead_log.rewrite_page_1(self._raw)

    # On the event loop.

    def _settle(self, batch: list[_Job], changes: Touched) -> None:
        if changes:
            self._on_commit(changes)
        for job in batch:
            job.settle(job.outcome, job.error)


def _refuse(batch: list[_Job], error: Unavailable) -> Touched:
    for job in batch:
        job.error = error
    return {}
