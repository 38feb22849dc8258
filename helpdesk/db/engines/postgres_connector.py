"""Connections for one lane: who finds none waits for one, unless the lane has had none for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from helpdesk.db.engines.postgres_faults import Faults
from helpdesk.errors import DatabaseAway

WITHIN_S = 2.0  # that a lane without any connection is waited for, from the first failure on
TURN_WITHIN_S = 4.0  # that one caller waits for those before it
RETRY_S = 0.05  # between two attempts to open one; after WITHIN_S all but one caller in RETRY_S are refused at once


class Connector:
    """Gives out the engine's connections, in the order they are asked for. For any thread."""

    def __init__(self, engine: Engine, faults: Faults, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._faults = faults
        self._monotonic = monotonic
        self._turn = threading.Lock()  # who finds no connection keeps it, or those who come later would be faster
        self._freed = threading.Event()
        self._counting = threading.Lock()
        self._waiting = 0  # callers, when there are too few connections
        self._failing_since: float | None = None
        self._tried_at = 0.0

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one piece of work. Raises Unavailable when there is none to wait for."""
        conn = self._connect()
        try:
            yield conn
        finally:
            conn.close()
            if self._waiting:
                self._freed.set()

    def _connect(self) -> Connection:
        # Nobody takes turns while there are enough: a lock around this costs a read a fifth of its CPU.
        if not self._waiting and self._failing_since is None:
            conn = self._try()
            if conn is not None:
                return conn
        self._count(1)
        try:
            return self._wait()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._counting:
            self._waiting += change

    def _wait(self) -> Connection:
        if not self._turn.acquire(timeout=TURN_WITHIN_S):
            raise DatabaseAway(cause="no connection to the database became free")
        try:
            while True:
                self._freed.clear()
                conn = self._try()
                if conn is not None:
                    return conn
                self._freed.wait(RETRY_S)
        finally:
            self._turn.release()

    def _try(self) -> Connection | None:
        """A connection; None when it is worth waiting. Raises Unavailable when it is not."""
        now = self._monotonic()
        is_hopeless = self._failing_since is not None and now - self._failing_since >= WITHIN_S
        if is_hopeless and now - self._tried_at < RETRY_S:
            raise DatabaseAway(cause="no connection to the database for some time")
        self._tried_at = now
        try:
            conn = self._engine.connect()
        except DBAPIError as error:
            refusal = self._faults.not_connected(error)
            if is_hopeless:
                raise refusal from error
            if self._failing_since is None:
                self._failing_since = now
            return None
        self._failing_since = None
        self._faults.connected()
        return conn

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()
