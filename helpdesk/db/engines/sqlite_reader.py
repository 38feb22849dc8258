"""A connection to the SQLite file that reads, each time for no longer than it may."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.engines.sqlite_faults import Faults, is_interrupted, is_store_fault
from helpdesk.errors import TooSlow

T = TypeVar("T")

# How many instructions of SQLite's machine lie between two looks at the clock: about 0.4 ms. A plain read has
# a few thousand and never looks; one of 2 s looks 5,000 times, at 1 µs each.
LOOK_EVERY = 20_000


class Reader:
    """Used by one thread at a time."""

    def __init__(self, engine: Engine, faults: Faults, within_s: float) -> None:
        self._conn = engine.connect()
        self._raw = driver(self._conn)
        self._faults = faults
        self._within_s = within_s
        self._deadline = math.inf
        self._raw.set_progress_handler(self._is_late, LOOK_EVERY)

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Return `fn`'s result, from one snapshot.

        Raises TooSlow at the deadline, Unavailable when the file is at fault, and whatever `fn` raises.
        """
        try:
            self._raw.execute("BEGIN")
            self._deadline = time.monotonic() + self._within_s
            try:
                outcome = fn(self._conn)
            finally:
                self._deadline = math.inf
                if self._raw.in_transaction:
                    self._raw.execute("ROLLBACK")
        except (sqlite3.Error, DBAPIError) as error:
            if is_interrupted(error):
                raise TooSlow() from error
            if is_store_fault(error):
                raise self._faults.read_failed(error) from error
            raise
        self._faults.has_read()
        return outcome

    def close(self) -> None:
        """Give the connection up."""
        self._conn.close()
