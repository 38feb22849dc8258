"""The migrations and schema.py agree, and a desk of any earlier commit is brought to the newest revision."""

from __future__ import annotations

import gzip
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from helpdesk.db import schema
from helpdesk.db.engines.sqlite_connection import open_engine
from helpdesk.db.migrations.run import HEAD, prepare_sqlite
from tests.process import ROOT

# Demo desks made by the first commit that could make one, and by each whose tables differ from those
# of the one before it, until 0001 was frozen. A later desk differs by its revision alone.
DESKS = sorted((Path(__file__).parent / "desks").glob("*.db.gz"))
MOVED = ("sla_paused_ms", "sla_stopped_at", "sla_due_at")  # from tickets to clocks, in 0009
KEPT = ("users", "tokens", "tickets", "ticket_tags", "comments", "timeline", "idempotency")


def shape(path: Path) -> dict[str, list[str]]:
    """The definition of everything in a database, in one spelling."""
    with closing(sqlite3.connect(path)) as conn:
        rows = conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'search_%'"
        ).fetchall()
    return {name: parts(re.sub(r'[\s"]+', "", sql or "").lower()) for name, sql in rows if name != "alembic_version"}


def parts(definition: str) -> list[str]:
    """A statement's columns and constraints, sorted: a column added later stands behind the constraints."""
    found, depth = [""], 0
    for character in definition:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 1:
            found.append("")
        else:
            found[-1] += character
    head, _, first = found[0].partition("(")
    last, _, tail = found[-1].rpartition(")")
    columns = [first, *found[1:-1], last] if len(found) > 1 else [definition]
    return [head, tail, *sorted(columns)]


def columns(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as conn:
        return [name for (name,) in conn.execute(f"SELECT name FROM pragma_table_info('{table}')")]


def rows(path: Path, table: str, names: list[str]) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        quoted = ", ".join(f'"{name}"' for name in names)
        return sorted(conn.execute(f"SELECT {quoted} FROM {table}").fetchall(), key=repr)


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as conn:
        return str(conn.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A database made by the migrations."""
    path = tmp_path / "fresh.db"
    prepare_sqlite(path)
    return path


def test_the_migrations_make_what_schema_py_says(tmp_path: Path, fresh: Path) -> None:
    path = tmp_path / "by-schema.db"
    with open_engine(path, read_only=False).begin() as conn:
        schema.metadata.create_all(conn)
        for statement in schema.EXTRAS["sqlite"]:
            conn.exec_driver_sql(statement)
    assert shape(fresh) == shape(path)


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.name.partition(".")[0])
def test_a_desk_of_an_earlier_commit_is_migrated_and_keeps_every_row(desk: Path, tmp_path: Path, fresh: Path) -> None:
    path = tmp_path / "desk.db"
    path.write_bytes(gzip.decompress(desk.read_bytes()))
    kept = {table: [name for name in columns(path, table) if name not in MOVED] for table in KEPT}
    before = {table: rows(path, table, kept[table]) for table in KEPT}
    clocks = rows(path, "tickets", ["id", "sla_minutes", "created_at", "sla_deadline", *MOVED])
    assert len(before["tickets"]) == len(clocks) == 13
    prepare_sqlite(path)
    assert revision(path) == HEAD
    for table in KEPT:
        assert rows(path, table, kept[table]) == before[table], table
    moved = ["ticket_id", "target_minutes", "started_at", "deadline", "paused_ms", "stopped_at", "due_at"]
    assert rows(path, "clocks", moved) == clocks
    made, wanted = shape(path), shape(fresh)
    assert made.keys() == wanted.keys()
    different = {name for name in wanted if made[name] != wanted[name]}
    assert not different, {name: (made[name], wanted[name]) for name in different}
    with closing(sqlite3.connect(path)) as conn:
        counted = conn.execute("SELECT sum(tickets) FROM ticket_counts").fetchone()
        assert counted == conn.execute("SELECT count(*) FROM ticket_facts").fetchone() == (13,)
        breached = "SELECT id FROM tickets WHERE breached", "SELECT ticket_id FROM clocks WHERE breached_at IS NOT NULL"
        assert conn.execute(breached[0]).fetchall() == conn.execute(breached[1]).fetchall()
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# Kills itself before its n-th statement.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from helpdesk.db.migrations.run import prepare_sqlite
left = int(sys.argv[2])
def count(*args):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", count)
prepare_sqlite(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("statement", [2, 8, 20, 40, 55])
def test_a_migration_that_is_killed_begins_again(statement: int, tmp_path: Path, fresh: Path) -> None:
    path = tmp_path / "desk.db"
    path.write_bytes(gzip.decompress(DESKS[0].read_bytes()))
    before = revision(path), shape(path)
    killed = subprocess.run([sys.executable, "-c", KILLED, path, str(statement)], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert (revision(path), shape(path)) == before
    prepare_sqlite(path)
    assert revision(path) == HEAD and shape(path).keys() == shape(fresh).keys()
    assert len(rows(path, "clocks", ["ticket_id"])) == 13
