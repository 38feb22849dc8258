"""Bring a database to the newest revision before anything else uses it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from helpdesk.db.sqlite_connection import driver, open_engine
from helpdesk.errors import StartError

# A test holds this against the newest file in versions/; it is here so that a start that has
# nothing to do need not import Alembic (a third of the start).
HEAD = "0001"
KNOWN = ("0001",)


def prepare_sqlite(path: Path) -> None:
    """Make the database, or bring it to the newest revision; all of it in one transaction.

    Raises StartError when it cannot be opened, is no database of ours, or a newer release wrote it.
    """
    engine = open_engine(path, read_only=False)
    try:
        with engine.connect() as conn:
            raw = driver(conn)
            raw.execute("BEGIN IMMEDIATE")
            revision = _revision(conn, path)
            if revision != HEAD:
                _upgrade(conn)
            raw.execute("COMMIT")
    except DBAPIError as error:
        raise StartError(f"cannot open the database {path}: {error.orig}; is it a database of this server?") from None
    except Exception as error:
        if isinstance(error, StartError):
            raise
        raise StartError(f"cannot open the database {path}: {error}") from error
    finally:
        engine.dispose()


def _revision(conn: Connection, path: Path) -> str | None:
    names = inspect(conn).get_table_names()
    if not names:
        return None
    if "alembic_version" not in names:
        raise StartError(f"{path} is not a database of this server; choose another --data-dir or --database-url")
    revision: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision not in KNOWN:
        raise StartError(f"{path} was written by a newer release; start that release, or choose another --data-dir")
    return revision


def _upgrade(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
