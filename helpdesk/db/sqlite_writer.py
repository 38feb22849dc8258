"""The one thread that writes: it drains its queue into one transaction and commits once for all (group commit)."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from helpdesk.db.engine import Touched, forget, noted, overloaded, touched, unknown_outcome
from helpdesk.db.sqlite_connection import driver, is_store_fault
from helpdesk.errors import Unavailable
from helpdesk.lanes import Queue, Queued

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

BATCH_MAX = 64  # jobs in one commit; bounds how long the first of them waits for the last
QUEUE_MAX = 1024  # jobs waiting; past that the answer is 503


class _Job(Queued):
    __slots__ = ("error", "fn", "outcome")

    def __init__(self, fn: Callable[[Connection], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(future)
        self.fn = fn
        self.outcome: Any = None
        self.error: BaseException | None = None


class _HalfDone(Exception):
    """A job failed after it had written something."""


class Writer:
    """Owns the connection that writes and checkpoints.

    `on_commit` is called on the event loop with what a commit touched, before its callers go on.
    `on_failure` is called there once, when a commit has failed: its outcome is unknown (measured:
    after a failed fsync the row was there on restart), so nothing more is written.
    """

    def __init__(self, engine: Engine, *, on_commit: Callable[[Touched], None], on_failure: Callable[[], None]) -> None:
        self._engine = engine
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._queue = Queue(QUEUE_MAX, overloaded)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._prompt: deque[_Job] = deque()  # those of `_jobs` that go first
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    async def do(self, fn: Callable[[Connection], T]) -> T:
        """`fn`'s result once it is durable. Raises Unavailable, or what `fn` raises."""
        if self._failed:
            raise unknown_outcome()
        job = _Job(fn, self._loop.create_future())
        self._queue.add(job)
        self._jobs.put(job)
        outcome: T = await job.future
        return outcome

    async def do_promptly(self, fn: Callable[[Connection], T]) -> T:
        """As `do`, in the next commit, however much waits."""
        if self._failed:
            raise unknown_outcome()
        job = _Job(fn, self._loop.create_future())
        self._prompt.append(job)
        self._jobs.put(job)  # to wake the thread; the job is done once, in whichever place it is found first
        outcome: T = await job.future
        return outcome

    async def close(self) -> None:
        """Do what was handed over, then end."""
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    # In the thread.

    def _run(self) -> None:
        conn = self._engine.connect()
        while (job := self._jobs.get()) is not None:
            batch, is_last = self._gather(job)
            if batch:
                changes = self._commit(conn, batch)
                self._loop.call_soon_threadsafe(self._settle, batch, changes)
            if is_last:
                break
        conn.close()

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

    def _commit(self, conn: Connection, batch: list[_Job]) -> Touched:
        """Do the jobs in one transaction and commit it; what it touched. A job that fails is undone alone."""
        if self._failed:
            return _refuse(batch, unknown_outcome())
        raw = driver(conn)
        try:
            self._do_all(conn, raw, batch)
        except sqlite3.Error:
            log.exception("the database cannot be written")
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            forget(conn)
            return _refuse(batch, _nothing_written())
        try:
            raw.execute("COMMIT")
        except sqlite3.Error:
            log.critical("a commit failed and its outcome is unknown; the server stops", exc_info=True)
            self._failed = True
            self._loop.call_soon_threadsafe(self._on_failure)
            return _refuse(batch, unknown_outcome())
        return touched(conn)

    def _do_all(self, conn: Connection, raw: sqlite3.Connection, batch: list[_Job]) -> None:
        """Do the jobs, first without savepoints: keeping pages for an undo costs a create a fifth of its time.

        Nearly every job that fails does so before it writes. Should one fail later, all is undone and
        done again with a savepoint each.
        """
        raw.execute("BEGIN IMMEDIATE")
        try:
            for job in batch:
                self._do(conn, raw, job)
        except _HalfDone:
            raw.execute("ROLLBACK")
            forget(conn)
            raw.execute("BEGIN IMMEDIATE")
            for job in batch:
                self._do_undoably(conn, raw, job)

    def _do(self, conn: Connection, raw: sqlite3.Connection, job: _Job) -> None:
        before = raw.total_changes
        try:
            job.outcome = job.fn(conn)
        except Exception as error:
            _check_alive(raw, error)
            if raw.total_changes != before:
                raise _HalfDone from error
            job.error = _as_answer(error)

    def _do_undoably(self, conn: Connection, raw: sqlite3.Connection, job: _Job) -> None:
        before = noted(conn)
        raw.execute("SAVEPOINT job")
        job.outcome, job.error = None, None
        try:
            job.outcome = job.fn(conn)
        except Exception as error:  # noqa: BLE001 (whatever it is, its caller gets it)
            _check_alive(raw, error)
            job.error = _as_answer(error)
            raw.execute("ROLLBACK TO job")
            forget(conn, but=before)
        raw.execute("RELEASE job")

    # On the event loop.

    def _settle(self, batch: list[_Job], changes: Touched) -> None:
        if changes:
            self._on_commit(changes)
        for job in batch:
            job.settle(job.outcome, job.error)


def _check_alive(raw: sqlite3.Connection, error: BaseException) -> None:
    """Raise for all of the batch when SQLite itself has rolled everything back, as when the disk is full."""
    if not raw.in_transaction:
        raise sqlite3.OperationalError("the transaction was rolled back") from error


def _as_answer(error: BaseException) -> BaseException:
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return error
    log.error("a write failed", exc_info=error)
    return _nothing_written() if is_store_fault(error) else error


def _refuse(batch: list[_Job], error: Unavailable) -> Touched:
    for job in batch:
        job.error = error
    return {}


def _nothing_written() -> Unavailable:
    return Unavailable("The database cannot be written now; nothing was changed")
