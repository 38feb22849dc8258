"""Bringing a database to the newest revision: what is made, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import NoSuchTableError

from helpdesk.db import schema
from helpdesk.db.engines.sqlite_connection import open_engine
from helpdesk.db.migrations import run
from helpdesk.db.migrations.run import HEAD, prepare_sqlite
from helpdesk.db.migrations.sqlite_checks import drop_check
from helpdesk.errors import StartError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "help desk #1?.db"


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn, conn:
        return conn.execute(statement).fetchall()


def refused(path: Path) -> str:
    """What is said of the file; asserts that it stays as it was."""
    before = path.read_bytes()
    with pytest.raises(StartError) as refusal:
        prepare_sqlite(path)
    assert path.read_bytes() == before
    return str(refusal.value)


@pytest.mark.parametrize("table", ["users", "clocks", "timeline", "search_state"])
def test_a_desk_without_one_of_its_tables_is_refused(path: Path, table: str) -> None:
    prepare_sqlite(path)
    execute(path, f"DROP TABLE {table}")
    assert f"the table {table} is missing" in refused(path)


def test_a_new_database_is_at_the_newest_revision(path: Path) -> None:
    prepare_sqlite(path)
    assert execute(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    tables = {name for (name,) in execute(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(schema.metadata.tables) <= tables


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    prepare_sqlite(path)
    assert execute(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_database_that_is_up_to_date_is_not_touched(path: Path) -> None:
    prepare_sqlite(path)
    before = path.read_bytes()
    prepare_sqlite(path)
    assert path.read_bytes() == before


def test_a_newer_releases_database_is_refused(path: Path) -> None:
    prepare_sqlite(path)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer release" in refused(path)


@pytest.mark.parametrize("table", ["recipes", "alembic_version", "tickets"])
def test_somebody_elses_database_is_refused(path: Path, table: str) -> None:
    execute(path, f"CREATE TABLE {table} (version_num TEXT)")
    assert "not a database of this server" in refused(path)


@pytest.mark.parametrize("content", [b"x", b"a shopping list\n" * 500, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert str(path) in refused(path)


def test_a_folder_is_no_database(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StartError):
        prepare_sqlite(path)


def test_a_first_start_that_was_cut_short_can_be_done_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = command.upgrade

    def fail_at_the_end(config: Config, revision: str) -> None:
        upgrade(config, revision)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(command, "upgrade", fail_at_the_end)
    with pytest.raises(StartError):
        prepare_sqlite(path)
    assert execute(path, "SELECT name FROM sqlite_master") == []
    monkeypatch.undo()
    prepare_sqlite(path)
    assert run._revision(path) == HEAD


def make_at(path: Path, revision: str) -> None:
    """Make a database as the migrations up to `revision` make it."""
    config = Config()
    config.set_main_option("script_location", str(Path(run.__file__).parent))
    with open_engine(path, read_only=False).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def test_counts_of_before_the_stripes_are_counted_again(path: Path) -> None:
    make_at(path, "0001")
    for statement in (
        "INSERT INTO users VALUES (1, 'ana', 'ana', NULL, '', NULL, 'user', '', 1, 0)",
        *(
            "INSERT INTO tickets VALUES "
            f"({n}, 't', 'd', 'open', 'low', 0, '', 1, 1, NULL, 60, 0, 0, NULL, 0, {n == 3}, NULL, NULL, 0, 0, 0, 0)"
            for n in (1, 2, 3)
        ),
        # As the release before 0002 made it, with a count that is wrong.
        "DROP TABLE ticket_counts",
        "CREATE TABLE ticket_counts (status TEXT NOT NULL, priority TEXT NOT NULL, breached BOOLEAN NOT NULL,"
        " assignee BIGINT NOT NULL, tickets INTEGER NOT NULL,"
        " PRIMARY KEY (status, priority, breached, assignee)) WITHOUT ROWID",
        "INSERT INTO ticket_counts VALUES ('open', 'low', 0, 0, 77)",
    ):
        execute(path, statement)
    prepare_sqlite(path)
    assert execute(path, "SELECT * FROM ticket_counts") == [("open", "low", 0, 0, 0, 2), ("open", "low", 1, 0, 0, 1)]
    assert run._revision(path) == HEAD


def test_a_breach_of_before_its_clock_had_a_name_is_that_of_the_resolution(path: Path) -> None:
    make_at(path, "0007")
    for statement in (
        "INSERT INTO users VALUES (1, 'ana', 'ana', NULL, '', NULL, 'user', '', 1, 0)",
        "INSERT INTO tickets VALUES "
        "(1, 't', 'd', 'open', 'low', 0, '', 1, 1, NULL, 60, 0, 0, NULL, 0, 1, NULL, NULL, 0, 0, 0, 0)",
        "INSERT INTO timeline (ticket_id, action, data, version, created_at) VALUES (1, 'created', '{}', 1, 0)",
        "INSERT INTO timeline (ticket_id, action, data, version, created_at) VALUES (1, 'sla_breached', '{}', 1, 7)",
    ):
        execute(path, statement)
    prepare_sqlite(path)
    events = execute(path, "SELECT action, clock, run FROM timeline ORDER BY id")
    assert events == [("created", None, None), ("sla_breached", "resolution", 1)]
    columns = "ticket_id, action, data, version, created_at, clock, run"
    again = f"INSERT INTO timeline ({columns}) VALUES (1, {{}}, '{{{{}}}}', 1, 9, {{}}, {{}})"
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, again.format("'sla_breached'", "'resolution'", 1))
    for event in (("'sla_breached'", "'resolution'", 2), ("'sla_warning'", "'resolution'", 1)):
        execute(path, again.format(*event))


@pytest.mark.parametrize(
    ("check", "rest"),
    [
        ("CHECK (action IN ('a', 'b'))", "CHECK (id > 0)"),
        ("check(action <> ')' AND (action <> 'it''s (' OR 1))", "CHECK (id > 0), UNIQUE (action)"),
    ],
)
def test_a_check_goes_and_the_rest_of_the_table_stays(path: Path, check: str, rest: str) -> None:
    execute(path, f"CREATE TABLE things (id INTEGER, action TEXT, CONSTRAINT named {check}, {rest})")
    execute(path, "INSERT INTO things VALUES (1, 'a')")
    with open_engine(path, read_only=False).begin() as conn:
        drop_check(conn, "things", "named")
        conn.exec_driver_sql("INSERT INTO things VALUES (2, ')')")
        with pytest.raises(LookupError):
            drop_check(conn, "things", "named")
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, "INSERT INTO things VALUES (-1, 'z')")
    assert execute(path, "SELECT * FROM things") == [(1, "a"), (2, ")")]
    assert execute(path, "SELECT sql FROM sqlite_master WHERE type = 'table'") == [
        (f"CREATE TABLE things (id INTEGER, action TEXT, {rest})",)
    ]
    assert execute(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        KeyError("stripe"),
        sqlite3.OperationalError("no such column: stripe"),
        NoSuchTableError("ticket_counts"),
        CommandError("Can't locate revision\nidentified by '0007'"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_revision_raises_is_one_sentence_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    prepare_sqlite(path)
    execute(path, "UPDATE alembic_version SET version_num = '0001'")

    def fail_half_done(config: Config, revision: str) -> None:
        conn = config.attributes["connection"]
        conn.exec_driver_sql("DROP TABLE words")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", fail_half_done)
        said = refused(path)
    assert f"cannot bring the database {path} up to date" in said and "\n" not in said
    assert type(error).__name__ in said
    assert run._revision(path) == "0001"
    assert execute(path, "SELECT count(*) FROM words") == [(0,)]
