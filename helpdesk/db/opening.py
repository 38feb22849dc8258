"""Open the database that the configuration names: make it or bring it up to date, and keep others off it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from helpdesk.config import Config
from helpdesk.db import postgres_connection
from helpdesk.db.engine import Database
from helpdesk.db.migrations.run import prepare_postgres, prepare_sqlite
from helpdesk.db.postgres import PostgresDatabase
from helpdesk.db.postgres_locks import UseLock
from helpdesk.db.sqlite import DataLock, SqliteDatabase
from helpdesk.errors import StartError


def open_database(config: Config, *, on_failure: Callable[[], None]) -> Database:
    """The database, ready; to be called on the event loop.

    `on_failure`: see SqliteDatabase and PostgresDatabase. Raises StartError.
    """
    if config.is_sqlite:
        return _open_sqlite(config.database_path, on_failure)
    assert config.database_url is not None
    return _open_postgres(config.database_url, on_failure, shared=config.redis_url is not None)


def _open_sqlite(path: Path, on_failure: Callable[[], None]) -> Database:
    _make_directory(path.parent)
    try:
        lock = DataLock(path)
    except OSError as error:
        raise StartError(
            f"cannot write in {path.parent} ({error.strerror}); make it writable or choose another --data-dir"
        ) from None
    prepare_sqlite(path)
    return SqliteDatabase(path, lock, on_failure=on_failure)


def _make_directory(directory: Path) -> None:
    try:
        # The data are nobody else's: they hold what customers wrote.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make {directory} ({error.strerror}); choose another --data-dir") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StartError(f"cannot write in {directory}; make it writable or choose another --data-dir")


def _open_postgres(url: str, on_failure: Callable[[], None], *, shared: bool) -> Database:
    shown = postgres_connection.shown(url)
    engine = postgres_connection.open_engine(url)
    try:
        lock = UseLock(engine, shared=shared)
        try:
            prepare_postgres(engine, shown)
        except BaseException:
            lock.release()
            raise
    except DBAPIError as error:
        reason = postgres_connection.reason(error)
        raise StartError(f"cannot open the database {shown} ({reason}); start it, or see --database-url") from None
    return PostgresDatabase(url, lock, on_failure=on_failure)
