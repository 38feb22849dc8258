"""What a copy refuses, and leaves as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

from helpdesk.commands import copy as copying
from helpdesk.db.copy import desk as store
from helpdesk.db.engine import Connection
from helpdesk.db.engines import postgres_connection
from helpdesk.db.engines.data_lock import DataLock
from helpdesk.db.engines.postgres_locks import UseLock
from helpdesk.errors import StartError
from tests.cluster.desks import (
    Desks,
    contents,
    copy,
    path_of,
    refused,
)
from tests.process import running_server


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "row",
    [
        "INSERT INTO users VALUES (1, 'ana', 'ana', NULL, '', NULL, 'user', '', true, 0)",
        "INSERT INTO idempotency VALUES ('s', 'k', '', true, 200, '{}', '', 0)",
    ],
)
def test_a_target_that_is_not_empty_is_refused_and_stays_as_it_is(
    desks: Desks, desk: str, engine: str, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url(engine)
    desks.do(target, row)
    before = desks.ask(target, contents)
    assert "is not empty" in refused(capsys, desk, target)
    assert desks.ask(target, contents) == before
    desks.prepare(target)


def test_a_finished_copy_is_not_repeated(desks: Desks, desk: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = desks.new_url("postgresql")
    assert copy(desk, target) == 0
    assert "is not empty" in refused(capsys, desk, target)


def test_a_running_server_keeps_its_database(desks: Desks, capsys: pytest.CaptureFixture[str]) -> None:
    file, server = desks.folder / "desk" / "helpdesk.db", desks.new_url("postgresql")
    with running_server(file.parent):
        assert f"{file} is in use" in refused(capsys, f"sqlite:///{file}", server)
    with running_server(desks.folder / "other", "--database-url", server):
        assert "is in use" in refused(capsys, f"sqlite:///{file}", server)
        assert "is in use" in refused(capsys, server, desks.new_url("sqlite"))


def test_of_several_servers_each_keeps_the_database(
    desks: Desks, desk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = desks.new_url("postgresql")
    lock = UseLock(postgres_connection.open_engine(server), shared=True)
    assert "is in use" in refused(capsys, desk, server)
    lock.release()
    assert copy(desk, server) == 0


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_server_starts_on_a_database_that_is_being_copied(
    desks: Desks, desk: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = desks.new_url(engine), desks.new_url(engine)
    assert copy(desk, source) == 0

    def look_and_finish(source_conn: Connection, target_conn: Connection, **options: Any) -> None:
        for url in (source, target):
            with pytest.raises(StartError, match="another server"):
                if engine == "sqlite":
                    DataLock(path_of(url))
                else:
                    UseLock(postgres_connection.open_engine(url), shared=True)
        finish(source_conn, target_conn, **options)

    finish = store.finish
    monkeypatch.setattr(store, "finish", look_and_finish)
    assert copy(source, target) == 0


def test_a_missing_source_is_not_made(desks: Desks, capsys: pytest.CaptureFixture[str]) -> None:
    target = desks.folder / "target.db"
    assert "there is no database" in refused(capsys, f"sqlite:///{desks.folder}/gone.db", f"sqlite:///{target}")
    missing = desks.postgres.url("gone")
    assert 'database "gone" does not exist' in refused(capsys, missing, f"sqlite:///{target}")
    assert list(desks.folder.iterdir()) == []


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("revision", "says"), [("0001", "start the server on it once"), ("9999", "written by a newer release")]
)
def test_a_database_of_another_release_is_refused(
    desks: Desks, desk: str, engine: str, revision: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other, elsewhere = desks.new_url(engine), desks.folder / "elsewhere.db"
    desks.do(other, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert says in refused(capsys, other, f"sqlite:///{elsewhere}")
    assert says in refused(capsys, desk, other)
    assert not elsewhere.exists()
    assert desks.ask(other, lambda conn: conn.execute(text("SELECT version_num FROM alembic_version")).scalar()) == (
        revision
    )


def test_what_is_no_desk_is_refused(desks: Desks, desk: str, capsys: pytest.CaptureFixture[str]) -> None:
    recipes, noise = desks.folder / "recipes.db", desks.folder / "noise.db"
    with closing(sqlite3.connect(recipes)) as raw:
        raw.execute("CREATE TABLE recipes (name)")
    noise.write_bytes(b"a shopping list\n" * 500)
    for path, says in ((recipes, "is not a database of this server"), (noise, "cannot open the database")):
        before = path.read_bytes()
        assert says in refused(capsys, f"sqlite:///{path}", desks.new_url("sqlite"))
        assert says in refused(capsys, desk, f"sqlite:///{path}")
        assert path.read_bytes() == before


def test_from_and_to_must_be_two_databases(
    desks: Desks, desk: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desks.folder)
    link = desks.folder / "link.db"
    link.symlink_to(path_of(desk))
    server = desks.new_url("postgresql")
    for source, target in (
        (desk, desk),
        (desk, f"sqlite:///{path_of(desk).name}"),
        (desk, f"sqlite:///{link}"),
        (server, server.replace("postgresql+psycopg:", "postgres:").replace("postgres@", "postgres:secret@")),
    ):
        assert "name the same database" in refused(capsys, source, target)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--from", "sqlite:///a.db"], "--to; see --help"),
        (["--from", "a.db", "--to", "sqlite:///b.db"], "--from must be an address like"),
        (["--from", "sqlite:///a.db", "--to", ""], "--to must name a database"),
        (["--from", "sqlite:///a.db", "--to", "postgresql://desk@host:port/desk"], "cannot be read"),
        (["--from", "sqlite:///a.db", "--to", "sqlite:///b.db", "--force"], "--force; see --help"),
    ],
)
def test_a_bad_command_line_is_told_in_a_sentence(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copying.main(options) == 2
    said = capsys.readouterr().err
    assert says in said and said.startswith("helpdesk copy: ") and said.count("\n") == 1


def test_a_server_that_does_not_answer_is_told_in_a_sentence(desk: str, capsys: pytest.CaptureFixture[str]) -> None:
    away = "postgresql://desk:secret@127.0.0.1:1/desk"
    said = refused(capsys, desk, away)
    assert "cannot open the database postgresql+psycopg://desk@127.0.0.1:1/desk (" in said
