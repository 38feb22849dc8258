"""Open the database that the configuration names: make it or bring it up to date, and keep others off it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from helpdesk.config import Config
from helpdesk.db.engine import Connection, Database
from helpdesk.db.engines import postgres_connection, sqlite_connection
from helpdesk.db.engines.data_file import open_data_file, open_source_file
from helpdesk.db.engines.data_lock import InUse
from helpdesk.db.engines.postgres import PostgresDatabase
from helpdesk.db.engines.postgres_locks import UseLock
from helpdesk.db.engines.sqlite import SqliteDatabase
from helpdesk.db.migrations.run import (
    prepare_postgres,
    require_newest_postgres,
)
from helpdesk.errors import StartError
from helpdesk.problems import Problems

COPY_TIMEOUT_S = 600  # for one statement of a copy: it counts all rows of a table, and makes statistics


def open_database(config: Config, *, on_failure: Callable[[], None], problems: Problems) -> Database:
    """The database, ready; to be called on the event loop.

    For `on_failure` and `problems` see SqliteDatabase and PostgresDatabase. Raises StartError.
    """
    if config.is_sqlite:
        if config.database_url is None:
            _make_data_dir(config.data_dir)
        return _open_sqlite(config.database_path, on_failure, problems)
    assert config.database_url is not None
    return _open_postgres(config.database_url, on_failure, problems, shared=config.redis_url is not None)


def _open_sqlite(path: Path, on_failure: Callable[[], None], problems: Problems) -> Database:
    lock = open_data_file(path)
    try:
        return SqliteDatabase(path, lock, on_failure=on_failure, problems=problems)
    except BaseException:
        lock.release()
        raise


def _make_data_dir(directory: Path) -> None:
    try:
        # The data are nobody else's: they hold what customers wrote.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"cannot make {directory} ({error.strerror})", server_advice="choose another --data-dir"
        ) from None


def _open_postgres(url: str, on_failure: Callable[[], None], problems: Problems, *, shared: bool) -> Database:
    place = postgres_connection.place(url)
    engine = postgres_connection.open_engine(url)
    try:
        lock = UseLock(engine, shared=shared)
        try:
            prepare_postgres(engine, place)
        except BaseException:
            lock.release()
            raise
    except DBAPIError as error:
        raise _not_reachable(place, error) from None
    return PostgresDatabase(url, lock, on_failure=on_failure, problems=problems)


def _not_reachable(place: str, error: DBAPIError) -> StartError:
    reason = postgres_connection.reason(error)
    return StartError(f"cannot open the database {place} ({reason})", server_advice="start it, or see --database-url")


@contextmanager
def open_for_copy(url: str, *, as_source: bool) -> Iterator[Connection]:
    """A connection to a database that nobody else uses meanwhile: a source to read, or a target, made when missing.

    Raises StartError when it is in use or cannot be opened, and when it is there but not of this release.
    """
    with ExitStack() as opened:
        with _for_a_copy():
            open_alone = _sqlite_alone if url.startswith("sqlite") else _postgres_alone
            conn = open_alone(opened, url, as_source)
        yield conn


def place_of(url: str) -> str:
    """Where a database is, the same for all addresses of it. Raises StartError when the address cannot be read."""
    if url.startswith("sqlite"):
        return str(_sqlite_path(url).resolve())
    return postgres_connection.place(url)


def _sqlite_path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@contextmanager
def _for_a_copy() -> Iterator[None]:
    """Refusals without advice on options that a server has and a copy has not."""
    try:
        yield
    except StartError as error:
        if error.server_advice:
            raise StartError(error.what) from None
        raise


def _in_use(place: object) -> StartError:
    return StartError(f"{place} is in use by a server or another copy; stop that one and repeat this")


def _sqlite_alone(opened: ExitStack, url: str, as_source: bool) -> Connection:
    path = _sqlite_path(url)
    if as_source and not path.is_file():
        raise StartError(f"there is no database {path}")
    try:
        lock = open_source_file(path) if as_source else open_data_file(path, by_copy=True)
    except InUse:
        raise _in_use(path) from None
    opened.callback(lock.release)
    return opened.enter_context(sqlite_connection.open_engine(path, read_only=as_source).connect())


def _postgres_alone(opened: ExitStack, url: str, as_source: bool) -> Connection:
    place = place_of(url)
    engine = postgres_connection.open_engine(url, read_only=as_source, timeout_s=COPY_TIMEOUT_S)
    try:
        opened.callback(_whole(engine, place).release)
        if as_source:
            require_newest_postgres(engine, place)
        else:
            prepare_postgres(engine, place, by_copy=True)
        return opened.enter_context(engine.connect())
    except DBAPIError as error:
        raise _not_reachable(place, error) from None


def _whole(engine: Engine, place: str) -> UseLock:
    try:
        return UseLock(engine, shared=False)
    except StartError:
        raise _in_use(place) from None
