"""The embedded database: one thread that writes, a few that read, group commit at synchronous=FULL.

One thread owns the one connection that writes and checkpoints; SQLite up to 3.51.2 can corrupt a
WAL database when two connections do so at once. A lock file keeps a second server away.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from helpdesk.db.commits import CommitListeners
from helpdesk.db.engine import READ_WITHIN_S, SLOW_READ_WITHIN_S, CommitListener, Job
from helpdesk.db.engines.data_lock import DataLock
from helpdesk.db.engines.open_files import LOOK_EVERY_S, Content, OpenFiles
from helpdesk.db.engines.sqlite_connection import open_engine
from helpdesk.db.engines.sqlite_faults import Faults, WriteRefused
from helpdesk.db.engines.sqlite_reader import Reader
from helpdesk.db.engines.sqlite_writer import Writer
from helpdesk.errors import Overloaded
from helpdesk.lanes import Lane
from helpdesk.problems import Problems

T = TypeVar("T")

READERS = 2  # more threads only fight over the interpreter lock (measured: 4 are no faster)
SLOW_READERS = 2  # for searches and reports; they wait for each other, and no short read for them
WAITING_MAX = 1024  # reads waiting in one lane; past that the answer is 503


class SqliteDatabase:
    """`Database` on one SQLite file, already migrated; `lock`, where given, is released at the end.

    `on_failure` is called on the loop after a failed sync or an unhandled exception: the process
    should end then for its supervisor to start anew. What leaves it working goes to `problems`.
    Where the data file is no longer the one that was opened, everything is refused.
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
        problems = problems or Problems()
        self._lock = lock
        self._faults = Faults(problems)
        self._loop = asyncio.get_running_loop()
        self._listeners = CommitListeners(on_failure)
        self._opened: list[Reader] = []
        reading = open_engine(path, read_only=True)
        self._readers = self._lane("reader", reading, READERS, READ_WITHIN_S)
        self._slow_readers = self._lane("slow-reader", reading, SLOW_READERS, SLOW_READ_WITHIN_S)
        self._prompt_reader = Lane("prompt-reader", self._connect(reading, 1, READ_WITHIN_S))
        self._writer = Writer(path, problems, self._faults, on_commit=self._listeners.tell, on_failure=on_failure)
        content = Content(lock.header, lambda: self._writer.log.pages) if lock else None
        self._files = OpenFiles(path, problems, on_lost_log=on_failure, content=content)
        self._writer.checkpoints.may_run = self._files.is_intact

    def _lane(self, name: str, engine: Engine, threads: int, within_s: float) -> Lane[Reader]:
        return Lane(name, self._connect(engine, threads, within_s), length_max=WAITING_MAX, refusal=Overloaded)

    def _connect(self, engine: Engine, connections: int, within_s: float) -> list[Reader]:
        """Connect now: at the first use there may be no descriptor left."""
        opened = [Reader(engine, self._faults, within_s) for _ in range(connections)]
        self._opened += opened
        return opened

    def on_commit(self, listener: CommitListener) -> None:
        self._listeners.add(listener)

    def require_store(self) -> None:
        self._files.require()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        self._files.require()
        return await self._readers.do(lambda reader: reader.read(fn))

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        self._files.require()
        return await self._slow_readers.do(lambda reader: reader.read(fn))

    async def read_promptly(self, fn: Callable[[Connection], T]) -> T:
        self._files.require()
        return await self._prompt_reader.do(lambda reader: reader.read(fn))

    async def write(self, fn: Callable[[Connection], T]) -> T:
        return await self._writer.do(self._files.guarded(fn))

    async def write_promptly(self, fn: Callable[[Connection], T]) -> T:
        return await self._writer.do_promptly(self._files.guarded(fn))

    async def ping(self) -> None:
        """Report to `problems`, and raise nothing, when only writing fails."""
        self._files.look()
        await self.read_promptly(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar())
        with suppress(WriteRefused):
            await self._writer.probe()

    def jobs(self) -> dict[str, Job]:
        return {"data_files": self._watch_files}

    async def _watch_files(self, worked: Callable[[], None]) -> None:
        while True:
            self._files.look()
            await self.write_promptly(lambda _: None)  # looks into them, in the thread that writes
            worked()
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        if self._files.is_overwritten:
            # SQLite would copy the log over what stands in the file now, be it a backup. It can only be kept from
            # that by not closing its connections.
            os._exit(1)
        # Readers first: the last connection to leave checkpoints, and that must be the writer's.
        for lane in (self._readers, self._slow_readers, self._prompt_reader):
            lane.stop()
            await self._loop.run_in_executor(None, lane.join)
        for reader in self._opened:
            reader.close()
        await self._writer.close()
        if self._lock is not None:
            self._lock.release()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        yield  # the lock file keeps every other process away
