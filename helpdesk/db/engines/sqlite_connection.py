"""Connections to the SQLite file, set up as the threads need them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from helpdesk.db.engine import COMPILED_MAX
from helpdesk.errors import StartError

PREPARED_MAX = 128  # statements that a connection keeps prepared, about 20 KB each
READER_CACHE_KIB, WRITER_CACHE_KIB = 4096, 16384
BUSY_TIMEOUT_MS = 5000
_PRAGMAS = {
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": 1,
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: an answer with 2xx must survive a power cut
    "trusted_schema": 0,
    "wal_autocheckpoint": 4000,  # the server's writer does without: sqlite_checkpoints.py
    "journal_size_limit": 64 * 1024 * 1024,  # what is left of a log that has grown, once it starts anew
}


def open_engine(path: Path, *, read_only: bool) -> Engine:
    """An engine whose connections are set up as this module needs them.

    The driver begins no transaction by itself: the threads below say BEGIN, so that DDL and several
    reads are transactions too.
    """
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=PREPARED_MAX
        ),
        poolclass=NullPool,
        query_cache_size=COMPILED_MAX,
        hide_parameters=True,  # a statement's values are what people wrote; errors are logged
    )

    @event.listens_for(engine, "connect")
    def _set_up(raw: sqlite3.Connection, _record: object) -> None:
        for name, value in _PRAGMAS.items():
            raw.execute(f"PRAGMA {name}={value}")
            (got,) = raw.execute(f"PRAGMA {name}").fetchone()
            if got != value:
                raise StartError(f"SQLite did not take {name}={value} on {path}; is the file system writable?")
        # In KiB, for each connection; the system's own cache holds the rest of the file.
        raw.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB if read_only else WRITER_CACHE_KIB}")
        if read_only:
            raw.execute("PRAGMA query_only=1")

    return engine


def driver(conn: Connection) -> sqlite3.Connection:
    """The driver's own connection, for what must not go through SQLAlchemy: BEGIN, SAVEPOINT, COMMIT."""
    return cast(sqlite3.Connection, conn.connection.dbapi_connection)
