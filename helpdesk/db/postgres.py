"""PostgreSQL, which several processes write to: each piece of work in its own transaction, in threads.

The isolation of one writer is made by locks: what a transaction decides by, it locks first
(`tickets.lock`, `users.lock`, `idempotency.claim`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from helpdesk.db import postgres_connection, postgres_locks
from helpdesk.db.engine import CommitListener, Touched, forget, overloaded, touched, unknown_outcome
from helpdesk.db.postgres_connection import (
    SLOW_STATEMENT_TIMEOUT_S,
    STATEMENT_TIMEOUT_S,
    is_store_fault,
    may_be_repeated,
)
from helpdesk.db.postgres_locks import LockLost, UseLock
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

# Connections of one process; beside these it has one for its lock. docs/operations.md counts with them.
READERS, SLOW_READERS, WRITERS = 4, 2, 8
WAITING_MAX = 1024  # pieces of work waiting in one lane; past that the answer is 503
ATTEMPTS = 5  # at work that ran into a conflict or a dead connection
BACKOFF_S = 0.02  # at most, before the second attempt; doubled before each further one
LATE_S = 5  # on top of a statement's own time: then the caller is answered, whatever the thread still waits for
KEEP_LOCK_S = 2.0  # how often the lock is looked at


class _Lane:
    """Threads with a connection each, and a bound on what waits for them."""

    def __init__(self, url: str, threads: int, *, read_only: bool, timeout_s: int = STATEMENT_TIMEOUT_S) -> None:
        self.engine = postgres_connection.open_engine(
            url, connections=threads, read_only=read_only, timeout_s=timeout_s
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="postgres")
        self._timeout_s = timeout_s + LATE_S
        self._waiting = 0

    async def do(self, work: Callable[[], T], late: Callable[[], Unavailable]) -> T:
        """`work`'s result. Raises Unavailable when too much waits, and `late()` when it takes too long."""
        if self._waiting >= WAITING_MAX:
            raise overloaded()
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._timeout_s):
                # Shielded: a caller who leaves does not undo what a thread is doing.
                return await asyncio.shield(future)
        except TimeoutError:
            raise late() from None

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, or asyncio would log that nobody has

    def close(self) -> None:
        """Finish what was handed over; blocks until it is done."""
        self._threads.shutdown()
        self.engine.dispose()


class PostgresDatabase:
    """`Database` on PostgreSQL, already migrated.

    `lock` says that this process may use it; `on_failure` is called once, on the loop, when another
    process has taken it meanwhile: this one must stop then. What leaves it working goes to `problems`.
    """

    is_shared = True

    def __init__(
        self,
        url: str,
        lock: UseLock,
        *,
        on_failure: Callable[[], None] = lambda: None,
        problems: Problems | None = None,
    ) -> None:
        self._problems = problems or Problems()
        self._loop = asyncio.get_running_loop()
        self._url = url
        self._listeners: list[CommitListener] = []
        self._readers = _Lane(url, READERS, read_only=True)
        self._slow_readers = _Lane(url, SLOW_READERS, read_only=True, timeout_s=SLOW_STATEMENT_TIMEOUT_S)
        self._writers = _Lane(url, WRITERS, read_only=False)
        self._lock = lock
        self._on_failure = on_failure
        self._keeper = asyncio.create_task(self._keep_lock())

    def on_commit(self, listener: CommitListener) -> None:
        """Of this process's commits only; the others' come by wakeups.py."""
        self._listeners.append(listener)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """In REPEATABLE READ. Raises Unavailable after 15 s at the latest, and whatever `fn` raises."""
        return await self._readers.do(lambda: self._read(self._readers.engine, fn), _away)

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        """The same within 35 s, in connections of its own."""
        return await self._slow_readers.do(lambda: self._read(self._slow_readers.engine, fn), _away)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """In READ COMMITTED; `fn` runs up to ATTEMPTS times. Raises Unavailable, and whatever `fn` raises."""
        return await self._writers.do(lambda: self._write(fn), unknown_outcome)

    async def ping(self) -> None:
        """Raises Unavailable also on a standby, which takes no writes."""
        await self.read(lambda conn: conn.execute(text("SELECT 1")).scalar())
        if await self.write(lambda conn: conn.execute(text("SELECT pg_is_in_recovery()")).scalar()):
            raise _away()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """By an advisory lock of all processes. Raises Unavailable after 300 s of waiting."""
        holder = postgres_locks.alone(postgres_connection.open_engine(self._url))
        try:
            await asyncio.to_thread(holder.__enter__)
        except DBAPIError as error:
            raise _away() from error
        try:
            yield
        finally:
            await asyncio.to_thread(holder.__exit__, None, None, None)

    async def close(self) -> None:
        """Finish what was handed over, then give up the connections and the lock."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        for lane in (self._readers, self._slow_readers, self._writers):
            await self._loop.run_in_executor(None, lane.close)
        await self._loop.run_in_executor(None, self._lock.release)

    async def _keep_lock(self) -> None:
        while True:
            await asyncio.sleep(KEEP_LOCK_S)
            try:
                await asyncio.to_thread(self._lock.keep)
            except DBAPIError:
                continue  # whoever asks for something hears that the database is away
            except LockLost:
                log.critical("another server has taken the database while it was away; this one stops")
                self._on_failure()
                return

    # In a thread of a lane.

    def _read(self, engine: Engine, fn: Callable[[Connection], T]) -> T:
        return _repeated(lambda: _read_once(engine, fn))

    def _write(self, fn: Callable[[Connection], T]) -> T:
        outcome, changes = _repeated(lambda: _write_once(self._writers.engine, fn))
        if changes:
            # The caller's answer takes the same way to the loop, and so comes after this.
            self._loop.call_soon_threadsafe(self._tell, changes)
        return outcome

    def _tell(self, changes: Touched) -> None:
        for listener in self._listeners:
            listener(changes)


def _read_once(engine: Engine, fn: Callable[[Connection], T]) -> T:
    with engine.connect() as conn:
        return fn(conn)


def _write_once(engine: Engine, fn: Callable[[Connection], T]) -> tuple[T, Touched]:
    with engine.connect() as conn:
        forget(conn)
        outcome = fn(conn)
        changes = touched(conn)
        try:
            conn.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            log.warning("the connection was lost during a commit; its outcome is unknown")
            raise unknown_outcome() from error
        return outcome, changes


def _repeated(work: Callable[[], T]) -> T:
    """`work`'s result, tried again after conflicts and dead connections. Raises Unavailable."""
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except DBAPIError as error:
            if may_be_repeated(error) and attempt + 1 < ATTEMPTS:
                time.sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311 (spreads rivals)
                continue
            if is_store_fault(error):
                log.warning("the database does not answer: %s", postgres_connection.reason(error))
                raise _away() from error
            raise
    raise AssertionError("the last attempt returns or raises")


def _away() -> Unavailable:
    return Unavailable("The database cannot answer now; nothing was changed, try again in a moment")
