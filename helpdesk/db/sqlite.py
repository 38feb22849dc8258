"""The embedded database: one thread that writes, a few that read, group commit at synchronous=FULL.

One thread owns the one connection that writes and checkpoints; SQLite up to 3.51.2 can corrupt a
WAL database when two connections do so at once. A lock file keeps a second server away.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from helpdesk.db.data_lock import DataLock
from helpdesk.db.engine import CommitListener, Touched, overloaded
from helpdesk.db.sqlite_connection import driver, is_store_fault, open_engine
from helpdesk.db.sqlite_writer import Writer
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems

T = TypeVar("T")

READERS = 2  # more threads only fight over the interpreter lock (measured: 4 are no faster)
SLOW_READERS = 2  # for searches and reports; they wait for each other, and no short read for them
WAITING_MAX = 1024  # reads waiting; past that the answer is 503


class SqliteDatabase:
    """`Database` on one SQLite file, already migrated; `lock`, where given, is released at the end.

    `on_failure` is called once, on the loop, when a commit has failed; the process should end then
    for its supervisor to start anew. What leaves it working goes to `problems`.
    """

    is_shared = False

    def __init__(
        self,
        path: Path,
        lock: DataLock | None = None,
        *,
        on_failure: Callable[[], None] = lambda: None,
        problems: Problems | None = None,
    ) -> None:
        self._lock = lock
        self._problems = problems or Problems()
        self._loop = asyncio.get_running_loop()
        self._listeners: list[CommitListener] = []
        self._engine = open_engine(path, read_only=True)
        self._waiting = 0
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._slow_readers = ThreadPoolExecutor(SLOW_READERS, thread_name_prefix="slow-reader")
        writing = open_engine(path, read_only=False)
        self._writer = Writer(writing, on_commit=self._tell, on_failure=on_failure)

    def on_commit(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    def _tell(self, changes: Touched) -> None:
        for listener in self._listeners:
            listener(changes)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._read_in(self._readers, fn)

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        return await self._read_in(self._slow_readers, fn)

    async def _read_in(self, lane: ThreadPoolExecutor, fn: Callable[[Connection], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise overloaded()
        self._waiting += 1
        try:
            return await self._loop.run_in_executor(lane, self._read, fn)
        finally:
            self._waiting -= 1

    async def write(self, fn: Callable[[Connection], T]) -> T:
        return await self._writer.do(fn)

    async def ping(self) -> None:
        await self.read(lambda conn: conn.exec_driver_sql("SELECT 1").scalar())
        await self.write(lambda conn: None)

    async def close(self) -> None:
        # Readers first: the last connection to leave checkpoints, and that must be the writer's.
        for lane in (self._readers, self._slow_readers):
            await self._loop.run_in_executor(None, lane.shutdown)
        for conn in self._connections:
            conn.close()
        await self._writer.close()
        if self._lock is not None:
            self._lock.release()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        yield  # the lock file keeps every other process away

    # In a reader thread.

    def _read(self, fn: Callable[[Connection], T]) -> T:
        try:
            conn = self._connection()
            raw = driver(conn)
            raw.execute("BEGIN")
            try:
                return fn(conn)
            finally:
                raw.execute("ROLLBACK")
        except (sqlite3.Error, DBAPIError) as error:
            if is_store_fault(error):
                raise Unavailable("The database cannot answer now; try again in a moment") from error
            raise

    def _connection(self) -> Connection:
        """This thread's own connection."""
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._engine.connect()
            self._connections.append(conn)
        return conn
