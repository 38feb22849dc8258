"""The embedded database: one writer, group commit, and what happens when the disk says no."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from helpdesk.db import users
from helpdesk.db.engine import Connection, Touched, touch
from helpdesk.db.engines.data_lock import DataLock
from helpdesk.db.engines.sqlite import SqliteDatabase
from helpdesk.db.engines.sqlite_connection import driver, open_engine
from helpdesk.db.migrations.run import HEAD, KNOWN, prepare_sqlite
from helpdesk.errors import StartError, Unavailable

pytestmark = pytest.mark.gen_test


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prepare_sqlite(tmp_path / "helpdesk.db")
    return tmp_path / "helpdesk.db"


def adds(name: str, *, then_raise: bool = False) -> Callable[[Connection], int | None]:
    def work(conn: Connection) -> int | None:
        user_id = users.insert(conn, username=name, name=None, email=None, role="user", password_hash="", created_at=1)
        touch(conn, "user", user_id)
        if then_raise:
            raise ValueError(name)
        return user_id

    return work


def names(conn: Connection) -> list[str]:
    return list(conn.exec_driver_sql("SELECT username FROM users ORDER BY id").scalars())


async def test_a_job_that_fails_is_undone_alone(path: Path) -> None:
    db = SqliteDatabase(path)
    jobs = [db.write(adds(n, then_raise=n == "b")) for n in "abc"]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(outcomes[1], ValueError)
    assert await db.read(names) == ["a", "c"]
    await db.close()


async def test_listeners_hear_what_a_commit_touched_before_its_caller_goes_on(path: Path) -> None:
    db = SqliteDatabase(path)
    heard: list[Touched] = []
    db.on_commit(heard.append)
    user_id = await db.write(adds("a"))
    assert heard == [{"user": {user_id}}]
    with pytest.raises(ValueError, match="b"):
        await db.write(adds("b", then_raise=True))
    assert heard == [{"user": {user_id}}]
    await db.close()


async def test_many_writes_at_once_are_all_durable(path: Path) -> None:
    db = SqliteDatabase(path)
    await asyncio.gather(*(db.write(adds(f"user{n}")) for n in range(300)))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM users").fetchone() == (300,)
    await db.close()


async def test_too_many_waiting_are_refused(path: Path) -> None:
    db = SqliteDatabase(path)
    writes = [asyncio.ensure_future(db.write(adds(f"user{n}"))) for n in range(3000)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    refused = [o for o in outcomes if isinstance(o, Unavailable)]
    assert refused and refused[0].headers["Retry-After"]
    assert len(await db.read(names)) == 3000 - len(refused)
    await db.close()


async def test_readers_cannot_write_and_see_one_snapshot(path: Path) -> None:
    db = SqliteDatabase(path)
    with pytest.raises(Unavailable):
        await db.read(adds("a"))
    assert await db.read(names) == []
    await db.close()


async def test_a_full_disk_refuses_the_write_and_the_next_one_works(path: Path) -> None:
    db = SqliteDatabase(path)

    def limit(pages: int) -> Callable[[Connection], None]:
        return lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").close()

    def fill(conn: Connection) -> None:
        for n in range(5000):
            adds(f"{n}" + "x" * 500)(conn)

    await db.write(limit(1))  # SQLite takes the present size as the least
    with pytest.raises(Unavailable):
        await db.write(fill)
    assert await db.read(names) == []
    await db.write(limit(1_000_000))
    assert await db.write(adds("a")) is not None
    await db.close()


async def test_the_file_is_set_up_to_survive_a_power_cut(path: Path) -> None:
    engine = open_engine(path, read_only=False)
    with engine.connect() as conn:
        got = {
            n: driver(conn).execute(f"PRAGMA {n}").fetchone()[0]
            for n in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert got == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_one_data_directory_has_one_server(path: Path) -> None:
    lock = DataLock(path)
    with pytest.raises(StartError, match="another server"):
        DataLock(path)
    lock.release()
    DataLock(path).release()


async def test_the_known_revisions_are_those_in_the_directory() -> None:
    folder = Path(users.__file__).parent / "migrations" / "versions"
    revisions = sorted(p.name.split("_")[0] for p in folder.glob("[0-9]*.py"))
    assert tuple(revisions) == KNOWN
    assert revisions[-1] == HEAD


async def test_the_migrated_schema_is_that_of_the_metadata(path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from helpdesk.db.schema import metadata

    engine = open_engine(path, read_only=False)
    with engine.connect() as conn:
        differences = [
            d
            for d in compare_metadata(MigrationContext.configure(conn), metadata)
            # The others are in schema.EXTRAS.
            if not re.search("'(search_?[a-z]*|words|digests|ticket_facts|misdated_tickets)'", str(d))
        ]
    assert differences == []
