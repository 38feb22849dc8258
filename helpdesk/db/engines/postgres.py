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
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from helpdesk.db.commits import CommitListeners
from helpdesk.db.engine import (
    READ_WITHIN_S,
    SLOW_READ_WITHIN_S,
    CommitListener,
    Job,
    Touched,
    forget,
    take_touched,
)
from helpdesk.db.engines import postgres_connection, postgres_locks
from helpdesk.db.engines.postgres_connection import is_lock_timeout, may_be_repeated
from helpdesk.db.engines.postgres_connector import Connector
from helpdesk.db.engines.postgres_faults import Faults
from helpdesk.db.engines.postgres_lanes import Connections, that_read, that_write
from helpdesk.db.engines.postgres_locks import LockLost, UseLock
from helpdesk.db.row_locks import HeldUp, Retries
from helpdesk.errors import DatabaseAway, OutcomeUnknown
from helpdesk.problems import Problems

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

# Connections of one process; beside these it has one for its lock. docs/operations.md counts with them.
READERS, SLOW_READERS, WRITERS = 4, 2, 8
PROMPT_READERS, PROMPT_WRITERS = 1, 1  # for jobs and health, which no overload may hold up
ATTEMPTS = 5  # at work that ran into a conflict or a dead connection
BACKOFF_S = 0.02  # at most, before the second attempt; doubled before each further one
KEEP_LOCK_S = 2.0  # how often the lock is looked at


class PostgresDatabase:
    """`Database` on PostgreSQL, already migrated.

    `lock` says that this process may use it; `on_failure` is called on the loop when another process has
    taken it meanwhile, or a listener of commits has failed: this one must stop then. What leaves it working
    goes to `problems`.
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
        self._faults = Faults(problems or Problems())
        self._loop = asyncio.get_running_loop()
        self._url = url
        self._listeners = CommitListeners(on_failure)
        self._readers = that_read(url, self._faults, READERS, READ_WITHIN_S)
        self._slow_readers = that_read(url, self._faults, SLOW_READERS, SLOW_READ_WITHIN_S, plan_by_values=True)
        self._prompt_readers = that_read(url, self._faults, PROMPT_READERS, READ_WITHIN_S, is_prompt=True)
        self._writers = that_write(url, self._faults, WRITERS)
        self._prompt_writers = that_write(url, self._faults, PROMPT_WRITERS, is_prompt=True)
        for lane in self._lanes:
            lane.open_one()
        self._retries = Retries()
        self._lock = lock
        self._on_failure = on_failure

    @property
    def _lanes(self) -> tuple[Connections, ...]:
        readers = (self._readers, self._slow_readers, self._prompt_readers)
        return (*readers, self._writers, self._prompt_writers)

    def on_commit(self, listener: CommitListener) -> None:
        """Of this process's commits only; the others' come by live/wakeups.py."""
        self._listeners.add(listener)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """In REPEATABLE READ. Raises Unavailable after 5 s at the latest, and whatever `fn` raises."""
        return await self._readers.do(lambda connector: self._read(connector, fn), DatabaseAway)

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        """The same within 13 s, in connections of its own."""
        return await self._slow_readers.do(lambda connector: self._read(connector, fn), DatabaseAway)

    async def read_promptly(self, fn: Callable[[Connection], T]) -> T:
        return await self._prompt_readers.do(lambda connector: self._read(connector, fn), DatabaseAway)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """In READ COMMITTED; `fn` runs up to ATTEMPTS times. Raises Unavailable, and whatever `fn` raises."""
        return await self._retries.do(
            lambda: self._writers.do(lambda connector: self._write(connector, fn), OutcomeUnknown)
        )

    async def write_promptly(self, fn: Callable[[Connection], T]) -> T:
        return await self._retries.do(
            lambda: self._prompt_writers.do(lambda connector: self._write(connector, fn), OutcomeUnknown)
        )

    def require_store(self) -> None:
        """Nothing is answered from memory here; who asks PostgreSQL hears that it is away."""

    async def ping(self) -> None:
        """Raises Unavailable also on a standby, which takes no writes."""
        await self.read_promptly(lambda conn: conn.execute(text("SELECT 1")).scalar())
        if await self.write_promptly(lambda conn: conn.execute(text("SELECT pg_is_in_recovery()")).scalar()):
            raise DatabaseAway()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """By an advisory lock of all processes. Raises Unavailable after 300 s of waiting."""
        holder = postgres_locks.alone(postgres_connection.open_engine(self._url))
        try:
            await asyncio.to_thread(holder.__enter__)
        except DBAPIError as error:
            raise DatabaseAway() from error
        try:
            yield
        finally:
            await asyncio.to_thread(holder.__exit__, None, None, None)

    def jobs(self) -> dict[str, Job]:
        return {"database_lock": self._keep_lock}

    async def close(self) -> None:
        """Finish what was handed over, then give up the connections and the lock."""
        for lane in self._lanes:
            await self._loop.run_in_executor(None, lane.close)
        await self._loop.run_in_executor(None, self._lock.release)

    async def _keep_lock(self, worked: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(KEEP_LOCK_S)
            try:
                await asyncio.to_thread(self._lock.keep)
            except DBAPIError:
                continue  # whoever asks for something hears that the database is away
            except LockLost:
                log.critical("another server has taken the database while it was away; this one stops")
                self._on_failure()
                await asyncio.Event().wait()  # there is nothing left to keep; the server ends
            worked()

    # In a thread of a lane.

    def _read(self, connector: Connector, fn: Callable[[Connection], T]) -> T:
        outcome = self._repeated(lambda: _read_once(connector, fn), is_write=False)
        self._faults.has_read()
        return outcome

    def _write(self, connector: Connector, fn: Callable[[Connection], T]) -> T:
        outcome, changes = self._repeated(lambda: _write_once(connector, fn), is_write=True)
        if changes:
            self._faults.wrote()
            # The caller's answer takes the same way to the loop, and so comes after this.
            self._loop.call_soon_threadsafe(self._listeners.tell, changes)
        return outcome

    def _repeated(self, work: Callable[[], T], *, is_write: bool) -> T:
        """`work`'s result, tried again after conflicts and dead connections. Raises Unavailable."""
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except DBAPIError as error:
                if is_write and is_lock_timeout(error):
                    raise HeldUp() from error
                if may_be_repeated(error) and attempt + 1 < ATTEMPTS:
                    time.sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311 (spreads rivals)
                    continue
                refusal = self._faults.refusal(error, is_write=is_write)
                if refusal is error:
                    raise
                raise refusal from error
        raise AssertionError("the last attempt returns or raises")


def _read_once(connector: Connector, fn: Callable[[Connection], T]) -> T:
    with connector.connection() as conn:
        return fn(conn)


def _write_once(connector: Connector, fn: Callable[[Connection], T]) -> tuple[T, Touched]:
    with connector.connection() as conn:
        forget(conn)
        outcome = fn(conn)
        changes = take_touched(conn)
        try:
            conn.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            cause = "the connection was lost during a commit; its outcome is unknown"
            log.warning("%s", cause, extra={"cause": cause})
            raise OutcomeUnknown(cause=cause) from error
        return outcome, changes
