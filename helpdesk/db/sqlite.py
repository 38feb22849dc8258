"""The embedded database: one thread that writes, a few that read, group commit at synchronous=FULL.

One thread owns the one connection that writes and checkpoints; SQLite up to 3.51.2 can corrupt a
WAL database when two connections do so at once. A lock file keeps a second server away.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from helpdesk.db.engine import CommitListener, Touched, touched
from helpdesk.errors import StartError, Unavailable

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

READERS = 2  # more threads only fight over the interpreter lock (measured: 4 are no faster)
BATCH_MAX = 64  # jobs in one commit; bounds how long the first of them waits for the last
SLOW_READERS = 1  # long reads wait for each other, never a short one for them
QUEUE_MAX = 1024  # jobs waiting, to read or to write; past that the answer is 503
_PRAGMAS = {
    "busy_timeout": 5000,
    "foreign_keys": 1,
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: an answer with 2xx must survive a power cut
    "trusted_schema": 0,
}


class DataLock:
    """Holds `<database>.lock` for this process; it is released when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise StartError(
                f"another server is using {database}; stop it, or start this one with another --data-dir"
            ) from None

    def release(self) -> None:
        os.close(self._fd)


def open_engine(path: Path, *, read_only: bool) -> Engine:
    """An engine whose connections are set up as this module needs them.

    The driver begins no transaction by itself: the threads below say BEGIN, so that DDL and several
    reads are transactions too.
    """
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512),
        poolclass=NullPool,
    )

    @event.listens_for(engine, "connect")
    def _set_up(raw: sqlite3.Connection, _record: object) -> None:
        for name, value in _PRAGMAS.items():
            raw.execute(f"PRAGMA {name}={value}")
            (got,) = raw.execute(f"PRAGMA {name}").fetchone()
            if got != value:
                raise StartError(f"SQLite did not take {name}={value} on {path}; is the file system writable?")
        raw.execute("PRAGMA cache_size=-16384")
        if read_only:
            raw.execute("PRAGMA query_only=1")

    return engine


def driver(conn: Connection) -> sqlite3.Connection:
    """The driver's own connection, for what must not go through SQLAlchemy: BEGIN, SAVEPOINT, COMMIT."""
    return cast(sqlite3.Connection, conn.connection.dbapi_connection)


class _Job:
    __slots__ = ("error", "fn", "future", "outcome")

    def __init__(self, fn: Callable[[Connection], Any], future: asyncio.Future[Any]) -> None:
        self.fn = fn
        self.future = future
        self.outcome: Any = None
        self.error: BaseException | None = None


class SqliteDatabase:
    """`Database` on one SQLite file.

    `on_failure` is called once, on the loop, when a commit has failed: its outcome is unknown, so
    nothing more is written and the process should end for its supervisor to start anew.
    """

    def __init__(self, path: Path, *, on_failure: Callable[[], None] = lambda: None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_failure = on_failure
        self._listeners: list[CommitListener] = []
        self._failed = False
        self._writer_engine = open_engine(path, read_only=False)
        self._reader_engine = open_engine(path, read_only=True)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting_reads = 0
        self._local = threading.local()
        self._reader_connections: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._slow_readers = ThreadPoolExecutor(SLOW_READERS, thread_name_prefix="slow-reader")
        self._writer = threading.Thread(target=self._write_loop, name="writer", daemon=True)
        self._writer.start()

    def on_commit(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._read_in(self._readers, fn)

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        return await self._read_in(self._slow_readers, fn)

    async def _read_in(self, lane: ThreadPoolExecutor, fn: Callable[[Connection], T]) -> T:
        if self._waiting_reads >= QUEUE_MAX:
            raise Unavailable("The server is overloaded; try again in a moment")
        self._waiting_reads += 1
        try:
            return await self._loop.run_in_executor(lane, self._read, fn)
        finally:
            self._waiting_reads -= 1

    async def write(self, fn: Callable[[Connection], T]) -> T:
        if self._failed:
            raise _unknown_outcome()
        if self._jobs.qsize() >= QUEUE_MAX:
            raise Unavailable("The server is overloaded; try again in a moment")
        job = _Job(fn, self._loop.create_future())
        self._jobs.put(job)
        outcome: T = await job.future
        return outcome

    async def ping(self) -> None:
        await self.read(lambda conn: conn.exec_driver_sql("SELECT 1").scalar())
        await self.write(lambda conn: None)

    async def close(self) -> None:
        # Readers first: the last connection to leave checkpoints, and that must be the writer's.
        for lane in (self._readers, self._slow_readers):
            await self._loop.run_in_executor(None, lane.shutdown)
        for conn in self._reader_connections:
            conn.close()
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._writer.join)

    # In a reader thread.

    def _read(self, fn: Callable[[Connection], T]) -> T:
        conn: Connection | None = getattr(self._local, "conn", None)
        try:
            if conn is None:
                conn = self._local.conn = self._reader_engine.connect()
                self._reader_connections.append(conn)
            raw = driver(conn)
            raw.execute("BEGIN")
            try:
                return fn(conn)
            finally:
                raw.execute("ROLLBACK")
        except (sqlite3.Error, DBAPIError) as error:
            raise _read_failed(error) from error

    # In the writer thread.

    def _write_loop(self) -> None:
        conn = self._writer_engine.connect()
        while (job := self._jobs.get()) is not None:
            batch = [job]
            stop = False
            while len(batch) < BATCH_MAX and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    stop = True
                    break
                batch.append(following)
            changes = self._commit(conn, batch)
            self._loop.call_soon_threadsafe(self._settle, batch, changes)
            if stop:
                break
        conn.close()

    def _commit(self, conn: Connection, batch: list[_Job]) -> Touched:
        """Run each job of the batch in one transaction; a job that fails is undone alone."""
        if self._failed:
            return _fail(batch, _unknown_outcome())
        raw = driver(conn)
        try:
            raw.execute("BEGIN IMMEDIATE")
            for job in batch:
                self._run(conn, raw, job)
                if not raw.in_transaction:  # SQLite itself rolls all back when the disk is full
                    touched(conn)
                    return _fail(batch, Unavailable("The database cannot be written now; nothing was changed"))
        except sqlite3.Error:
            log.exception("the database cannot be written")
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            touched(conn)
            return _fail(batch, Unavailable("The database cannot be written now; nothing was changed"))
        try:
            raw.execute("COMMIT")
        except sqlite3.Error:
            log.critical("a commit failed and its outcome is unknown; the server stops", exc_info=True)
            self._failed = True
            self._loop.call_soon_threadsafe(self._on_failure)
            return _fail(batch, _unknown_outcome())
        return touched(conn)

    def _run(self, conn: Connection, raw: sqlite3.Connection, job: _Job) -> None:
        # A savepoint sent straight to the driver: SQLAlchemy's begin_nested costs twice the insert.
        raw.execute("SAVEPOINT job")
        try:
            job.outcome = job.fn(conn)
        except BaseException as error:
            job.error = error
            if isinstance(error, DBAPIError | sqlite3.Error):
                log.exception("a write failed")
                job.error = _write_failed(error)
            if raw.in_transaction:
                raw.execute("ROLLBACK TO job")
        if raw.in_transaction:
            raw.execute("RELEASE job")

    # On the event loop.

    def _settle(self, batch: list[_Job], changes: Touched) -> None:
        if changes:
            for listener in self._listeners:
                listener(changes)
        for job in batch:
            if job.future.done():  # its caller was cancelled
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.outcome)


def _fail(batch: list[_Job], error: Unavailable) -> Touched:
    for job in batch:
        job.error = error
    return {}


def _unknown_outcome() -> Unavailable:
    return Unavailable(
        "The server could not confirm whether this was stored; repeat the request with the same Idempotency-Key",
        retry_after_s=5,
    )


def _is_store_fault(error: BaseException) -> bool:
    """Whether the store is at fault (disk full, I/O error, file locked or damaged), not our statement."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        cause, sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def _read_failed(error: BaseException) -> BaseException:
    return Unavailable("The database cannot answer now; try again in a moment") if _is_store_fault(error) else error


def _write_failed(error: BaseException) -> BaseException:
    return Unavailable("The database cannot be written now; nothing was changed") if _is_store_fault(error) else error
