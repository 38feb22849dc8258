"""Bring a database to the newest revision before anything else uses it."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from helpdesk.db import schema
from helpdesk.db.engine import is_sqlite
from helpdesk.db.engines import postgres_locks, write_ahead_log
from helpdesk.db.engines.postgres_connection import is_held_up, is_store_fault
from helpdesk.db.engines.sqlite_connection import driver, open_engine
from helpdesk.errors import StartError

log = logging.getLogger("helpdesk")

# A test holds these against the files in versions/; they are here so that a start that has nothing
# to do need not import Alembic (a third of the start).
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
HEAD = KNOWN[-1]
# The table that stands in a database while a copy into it has not been finished (db/copy/desk.py).
COPYING = "copying"
# Processes of the release before this one may be at work: a migration that they hold up tries again.
ATTEMPTS, LOCK_TIMEOUT_S, PAUSE_S = 30, 2, 0.5


def prepare_sqlite(path: Path, *, by_copy: bool = False) -> None:
    """Make the database, or bring it to the newest revision; all of it in one transaction.

    `by_copy`: for the copy that fills it, which goes on in one that it has not finished, and migrates
    nothing that is there. Raises StartError when it cannot be opened, is no database of ours, was
    copied in part only, or a newer release wrote it; nothing is changed then.
    """
    try:
        revision = _revision(path, by_copy=by_copy) if path.exists() and path.stat().st_size else ""
        if revision == HEAD:
            return
        if by_copy and revision:
            raise _outdated(path)
        header = _header(path)
        engine = open_engine(path, read_only=False)
        with engine.connect() as conn, conn.begin():  # or Alembic would commit by itself
            driver(conn).execute("BEGIN IMMEDIATE")
            _upgrade(conn, path, since=revision)
            write_ahead_log.write_mark(driver(conn), header)
        engine.dispose()
    except (sqlite3.Error, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StartError(
            f"cannot open the database {path} ({reason})", server_advice="choose another --data-dir or --database-url"
        ) from None


def _header(path: Path) -> bytes:
    """Return the beginning of the file; to be called while no connection of this process is open (see DataLock)."""
    try:
        with path.open("rb") as file:
            return file.read(100)
    except OSError:
        return b""  # SQLite says what is wrong, or makes the file


def require_newest_sqlite(path: Path) -> None:
    """Raise StartError unless the database is whole and at the newest revision; nothing is changed."""
    try:
        revision = _revision(path)
    except sqlite3.Error as error:
        raise StartError(f"cannot open the database {path} ({error})") from None
    if revision != HEAD:
        raise _outdated(path)


def _revision(path: Path, *, by_copy: bool = False) -> str:
    """The revision that the file is at, found without touching it; "" where nothing was made in it yet."""
    with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True)) as raw:
        names = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        # A first start was killed, or its disk was full. SQLite takes a few bytes of anything for an
        # empty database too, but counts no pages in them.
        if not names and raw.execute("PRAGMA page_count").fetchone() != (0,):
            return ""
        if "alembic_version" not in names or "tickets" not in names:
            raise StartError(
                f"{path} is not a database of this server", server_advice="choose another --data-dir or --database-url"
            )
        if COPYING in names and not by_copy:
            raise _half_copied(path)
        (revision,) = raw.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    if revision not in KNOWN:
        raise StartError(
            f"{path} was written by a newer release", server_advice="start that release, or choose another --data-dir"
        )
    if revision == HEAD:
        _require_tables(names, path)
    return str(revision)


def prepare_postgres(engine: Engine, shown: str, *, by_copy: bool = False) -> None:
    """The same for a PostgreSQL database, whose address people know as `shown`.

    Several processes that start at once do it once. Raises DBAPIError when it cannot be reached.
    """
    with engine.connect() as conn:
        revision = _revision_of(conn, shown, by_copy=by_copy)
        if revision == HEAD:
            return
        if by_copy and revision:
            raise _outdated(shown)
    with postgres_locks.alone(engine) as conn:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with conn.begin():
                    # Whoever waits for a table keeps all that come after it waiting too.
                    conn.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
                    revision = _revision_of(conn, shown)
                    if revision != HEAD:
                        _upgrade(conn, shown, since=revision)
                return
            except DBAPIError as error:
                if not is_held_up(error) or attempt == ATTEMPTS:
                    raise
                time.sleep(PAUSE_S)


def require_newest_postgres(engine: Engine, shown: str) -> None:
    """The same as of a SQLite file. Raises DBAPIError when it cannot be reached."""
    with engine.connect() as conn:
        if _revision_of(conn, shown) != HEAD:
            raise _outdated(shown)


def _revision_of(conn: Connection, shown: str, *, by_copy: bool = False) -> str:
    """The revision that the database is at; "" where nothing was made in it yet."""
    names = set(inspect(conn).get_table_names())
    if not names:
        return ""
    if not {"alembic_version", "tickets"} <= names:
        raise StartError(
            f"{shown} is not a database of this server", server_advice="name an empty one with --database-url"
        )
    if COPYING in names and not by_copy:
        raise _half_copied(shown)
    revision = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in KNOWN:
        raise StartError(
            f"{shown} was written by a newer release",
            server_advice="start that release, or name another --database-url",
        )
    if revision == HEAD:
        _require_tables(names, shown)
    return revision


def _require_tables(names: set[str], shown: object) -> None:
    """Raise StartError when a table is gone: every part of the server would say so in turn, with a traceback."""
    missing = sorted(schema.metadata.tables.keys() - names)
    if missing:
        raise StartError(
            f"{shown} is damaged: the table {' and the table '.join(missing)} is missing; restore a backup, "
            "as the README says"
        )


def _half_copied(shown: object) -> StartError:
    return StartError(f"a copy into {shown} has not been finished; repeat it (see python -m helpdesk copy --help)")


def _outdated(shown: object) -> StartError:
    return StartError(f"{shown} is not of this release; start the server on it once, that brings it up to date")


def _upgrade(conn: Connection, shown: object, *, since: str) -> None:
    """Run the revisions that are missing since the one that is there ("" for none), and log it if there is one.

    Raises StartError, or DBAPIError where the store is at fault.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = conn
    if since:
        log.info("migration: bringing %s from revision %s to %s; a start cut short begins again", shown, since, HEAD)
    started = time.monotonic()
    try:
        command.upgrade(config, "head")
    except Exception as error:
        # Whatever a revision raises ends the start in one sentence, after the transaction is rolled back.
        if isinstance(error, DBAPIError) and not is_sqlite(conn) and (is_held_up(error) or is_store_fault(error)):
            raise
        raise _not_migrated(shown, error) from error
    if since:
        log.info("migration: done in %.1f s", time.monotonic() - started)


def _not_migrated(shown: object, error: Exception) -> StartError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    reason = str(cause).strip().partition("\n")[0] or "no reason given"
    return StartError(
        f"cannot bring the database {shown} up to date ({type(cause).__name__}: {reason}); nothing was changed, "
        "so the release before still starts on it"
    )
