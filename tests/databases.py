"""Fresh databases of either engine for the tests: files of SQLite, or databases of one PostgreSQL server."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from helpdesk.db.engine import Connection, Database, forget, is_sqlite
from helpdesk.db.engines import postgres_connection, sqlite_connection
from helpdesk.db.engines.postgres import PostgresDatabase
from helpdesk.db.engines.postgres_locks import UseLock
from helpdesk.db.engines.sqlite import SqliteDatabase
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.migrations.run import prepare_postgres, prepare_sqlite
from helpdesk.problems import Problems
from tests.services import Postgres


class Databases:
    """Makes databases that are migrated and empty."""

    @abstractmethod
    def new_url(self) -> str:
        """The address of a new one."""

    @abstractmethod
    def open(self, url: str, problems: Problems | None = None) -> Database:
        """It, open; to be called on the event loop."""

    @abstractmethod
    def engine(self, url: str) -> Engine:
        """An engine for connections to it."""

    @contextmanager
    def connection(self, url: str) -> Iterator[Connection]:
        """A connection to it, for the rules without a loop."""
        engine = self.engine(url)
        with engine.connect() as conn:
            yield conn
        engine.dispose()

    @contextmanager
    def transaction(self, conn: Connection) -> Iterator[None]:
        """Around one piece of work, which is undone when it fails; what was read before has ended."""
        conn.rollback()
        try:
            with conn.begin():
                if is_sqlite(conn):
                    driver(conn).execute("BEGIN")  # the driver begins none by itself
                yield
        except BaseException:
            forget(conn)
            raise

    def remove_all(self) -> None:
        """Remove what was made."""


class SqliteDatabases(Databases):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def new_url(self) -> str:
        self._made += 1
        path = self._folder / f"desk{self._made}.db"
        prepare_sqlite(path)
        return f"sqlite:///{path}"

    def open(self, url: str, problems: Problems | None = None) -> Database:
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")), problems=problems)

    def engine(self, url: str) -> Engine:
        return sqlite_connection.open_engine(Path(url.removeprefix("sqlite:///")), read_only=False)


class PostgresDatabases(Databases):
    """Each is a copy of one that was migrated."""

    _TEMPLATE = "template_desk"

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._names: list[str] = []
        if not server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{self._TEMPLATE}'"):
            server.sql(f"CREATE DATABASE {self._TEMPLATE}")
            prepare_postgres(postgres_connection.open_engine(server.url(self._TEMPLATE)), self._TEMPLATE)

    def new_url(self) -> str:
        self._server.databases += 1
        name = f"desk{self._server.databases}"
        self._names.append(name)
        self._do(f"CREATE DATABASE {name} TEMPLATE {self._TEMPLATE}")
        return self._server.url(name)

    def open(self, url: str, problems: Problems | None = None) -> Database:
        return PostgresDatabase(url, UseLock(postgres_connection.open_engine(url), shared=True), problems=problems)

    def engine(self, url: str) -> Engine:
        return postgres_connection.open_engine(url)

    def remove_all(self) -> None:
        for name in self._names:
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        engine = postgres_connection.open_engine(self._server.url("postgres"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(statement))
