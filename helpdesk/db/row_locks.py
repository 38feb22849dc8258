"""Locks on rows, waited for on a limited number of connections.

Whoever finds a row locked may wait for it in the database only while few others of this process do, or ten
callers of one locked ticket would take all connections that write. The rest give their connection
back and try again in a moment, for a while; then the answer is 503.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine, FromClause, Row, Select, text

from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.engines.postgres_connection import LOCK_TIMEOUT_S
from helpdesk.errors import RowsHeld

T = TypeVar("T")

WAITERS = 3  # of a process's connections that write
# For all other waits of those connections: for a rival's unique value, a counter, … Longer than PostgreSQL's
# deadlock_timeout of 1 s, or two that wait for each other would both be undone.
BRIEF_WAIT_S = 1.5
PATIENCE_S = 4.0  # how long the others try again
RETRIERS_MAX = 64  # how many of them; each costs a transaction every now and then
PAUSE_S, PAUSE_MAX_S = 0.02, 0.2  # between two attempts: doubled after each
_PERMITS = "lock_permits"
_PATIENTLY = text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")


class HeldUp(Exception):
    """Others hold what this transaction needs, and it may not wait for them."""


class RowLock:
    """A lock on the rows of a SELECT: `read` for those that only must not change, else as an UPDATE takes it.

    An UPDATE's lets entries that refer to the row be written meanwhile (FOR NO KEY UPDATE).
    """

    def __init__(self, rows: Select[*tuple[Any, ...]], *, read: bool = False, of: FromClause | None = None) -> None:
        kind: dict[str, Any] = {"read": read, "key_share": not read, "of": of}
        self._rows = rows
        self._if_free = rows.with_for_update(**kind, skip_locked=True)
        self._waiting = rows.with_for_update(**kind)

    def take(self, conn: Connection, values: Mapping[str, Any]) -> Row[*tuple[Any, ...]] | None:
        """Lock the row that there is at most, and return it; on SQLite, where nobody else writes, only that.

        A statement of its own: one that waited for another transaction sees of other rows what was before that.
        """
        if is_sqlite(conn):
            return conn.execute(self._rows, values).first()
        row = conn.execute(self._if_free, values).first()
        if row is not None or conn.execute(self._rows, values).first() is None:
            return row
        with may_wait(conn):
            return conn.execute(self._waiting, values).first()


@contextmanager
def may_wait(conn: Connection) -> Iterator[None]:
    """Around a statement that waits for others. Raises HeldUp when enough connections do that already."""
    permits: threading.Semaphore | None = conn.get_execution_options().get(_PERMITS)
    if permits is None:  # no server's: there is nobody whom it could stop
        yield
        return
    if not permits.acquire(blocking=False):
        raise HeldUp()
    try:
        conn.execute(_PATIENTLY)
        yield
    finally:
        permits.release()


def limited(engine: Engine) -> Engine:
    """Return the engine with a limit on how many of its connections wait for a lock."""
    return engine.execution_options(**{_PERMITS: threading.Semaphore(WAITERS)})


class Retries:
    """Repeats what was held up. Used on the event loop."""

    def __init__(self) -> None:
        self._retriers = 0

    async def do(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` gives, once it is not held up. Raises Unavailable when that takes too long."""
        try:
            return await attempt()
        except HeldUp:
            if self._retriers >= RETRIERS_MAX:
                raise RowsHeld() from None
        self._retriers += 1
        try:
            return await self._again(attempt)
        finally:
            self._retriers -= 1

    async def _again(self, attempt: Callable[[], Awaitable[T]]) -> T:
        give_up_at, pause_s = time.monotonic() + PATIENCE_S, PAUSE_S
        while time.monotonic() < give_up_at:
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 (spreads rivals)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
            try:
                return await attempt()
            except HeldUp:
                continue
        raise RowsHeld()
