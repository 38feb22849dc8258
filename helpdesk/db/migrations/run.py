"""Bring a database to the newest revision before anything else uses it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from helpdesk.db import postgres_locks
from helpdesk.db.sqlite_connection import driver, open_engine
from helpdesk.errors import StartError

# A test holds these against the files in versions/; they are here so that a start that has nothing
# to do need not import Alembic (a third of the start).
KNOWN = ("0001", "0002")
HEAD = KNOWN[-1]


def prepare_sqlite(path: Path) -> None:
    """Make the database, or bring it to the newest revision; all of it in one transaction.

    Raises StartError when it cannot be opened, is no database of ours, or a newer release wrote it;
    nothing is changed then.
    """
    try:
        if path.exists() and path.stat().st_size and _revision(path) == HEAD:
            return
        engine = open_engine(path, read_only=False)
        with engine.connect() as conn, conn.begin():  # or Alembic would commit by itself
            driver(conn).execute("BEGIN IMMEDIATE")
            _upgrade(conn)
        engine.dispose()
    except (sqlite3.Error, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StartError(
            f"cannot open the database {path} ({reason}); choose another --data-dir or --database-url"
        ) from None


def _revision(path: Path) -> str:
    """The revision that the file is at, found without touching it; "" where nothing was made in it yet."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as raw:
        names = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        # A first start was killed, or its disk was full. SQLite takes a few bytes of anything for an
        # empty database too, but counts no pages in them.
        if not names and raw.execute("PRAGMA page_count").fetchone() != (0,):
            return ""
        if "alembic_version" not in names or "tickets" not in names:
            raise StartError(f"{path} is not a database of this server; choose another --data-dir or --database-url")
        (revision,) = raw.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    if revision not in KNOWN:
        raise StartError(f"{path} was written by a newer release; start that release, or choose another --data-dir")
    return str(revision)


def prepare_postgres(engine: Engine, shown: str) -> None:
    """The same for a PostgreSQL database, whose address people know as `shown`.

    Several processes that start at once do it once. Raises DBAPIError when it cannot be reached.
    """
    with engine.connect() as conn:
        if _revision_of(conn, shown) == HEAD:
            return
    with postgres_locks.alone(engine) as conn, conn.begin():
        if _revision_of(conn, shown) != HEAD:
            _upgrade(conn)


def _revision_of(conn: Connection, shown: str) -> str:
    """The revision that the database is at; "" where nothing was made in it yet."""
    names = set(inspect(conn).get_table_names())
    if not names:
        return ""
    if not {"alembic_version", "tickets"} <= names:
        raise StartError(f"{shown} is not a database of this server; name an empty one with --database-url")
    revision = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in KNOWN:
        raise StartError(f"{shown} was written by a newer release; start that release, or name another --database-url")
    return revision


def _upgrade(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
