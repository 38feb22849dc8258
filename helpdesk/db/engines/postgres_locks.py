"""Which processes may use a PostgreSQL database together, held as advisory locks of a session.

A server without Redis takes the database for itself; servers with Redis share it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from helpdesk.errors import StartError

_OURS = 18500  # marks our locks among those of other programs on the same database


class Lock(IntEnum):
    """What a lock is for: the second of the two numbers that name it."""

    USE = 1  # whole: a single server, or a copy; shared: one server of several
    CHANGE = 2  # whole: who migrates, or fills a new database


_TRY_WHOLE = text("SELECT pg_try_advisory_lock(:ours, :lock)")
_TRY_SHARED = text("SELECT pg_try_advisory_lock_shared(:ours, :lock)")
_WAIT = text("SELECT pg_advisory_lock(:ours, :lock)")
# Longer than another process takes for a first start or a migration.
_WAIT_S = 300


class LockLost(Exception):
    """Another process has taken what this one held."""


class UseLock:
    """Holds Lock.USE on a connection of its own until `release`; called from one thread at a time."""

    def __init__(self, engine: Engine, *, shared: bool) -> None:
        """Raises StartError when another server stands in the way, DBAPIError when the database cannot be reached."""
        self._engine = engine
        self._shared = shared
        self._lock = threading.Lock()
        self._conn: Connection | None = None
        if not self._take():
            raise StartError(
                "another server uses this database without --redis-url; stop it, or give both a --redis-url"
                if shared
                else "another server uses this database; several need one --redis-url that they share"
            )

    def _take(self) -> bool:
        conn = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if conn.execute(_TRY_SHARED if self._shared else _TRY_WHOLE, {"ours": _OURS, "lock": Lock.USE}).scalar():
            self._conn = conn
            return True
        conn.close()
        return False

    def keep(self) -> None:
        """Look whether it is still held, and take it again where the connection was lost.

        Raises LockLost when another process was faster, DBAPIError while the database cannot be reached.
        """
        with self._lock:
            if self._conn is not None:
                try:
                    self._conn.execute(text("SELECT 1"))
                    return
                except DBAPIError:
                    self._conn.invalidate()
                    self._conn.close()
                    self._conn = None
            if not self._take():
                raise LockLost()

    def release(self) -> None:
        """Give the lock up; nothing when it is not held."""
        with self._lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A connection while which no other process migrates or fills the database; it waits for those that do."""
    with engine.connect() as conn:
        for timeout in ("lock_timeout", "statement_timeout"):
            conn.execute(text(f"SET {timeout} = '{_WAIT_S}s'"))
        conn.execute(_WAIT, {"ours": _OURS, "lock": Lock.CHANGE})
        conn.commit()
        yield conn  # closing the connection releases the lock
