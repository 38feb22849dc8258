"""What a copy leaves behind that was killed, and how it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from sqlalchemy import text

from helpdesk.commands import copy as copying
from helpdesk.db.copy import desk as store
from helpdesk.db.engine import Connection
from helpdesk.errors import StartError
from tests.cluster.desks import (
    Desks,
    Interruptions,
    contents,
    copy,
    counts,
    path_of,
    refused,
    searches,
)
from tests.process import ROOT, clean_environ, refused_start, wait_until


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_interrupted_copy_goes_on_where_it_was(
    desks: Desks, desk: str, engine: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url(engine)
    runs = 0
    while (status := interruptions.copy(desk, target, batches=9)) != 0:
        said = capsys.readouterr().err.splitlines()
        assert (status, said[-1]) == (130, "helpdesk copy: interrupted; repeat the command to go on from here")
        runs += 1
        with pytest.raises(StartError, match="has not been finished"):
            desks.prepare(target)
    assert runs > 10
    assert "every row was compared" in capsys.readouterr().out
    desks.prepare(target)
    assert desks.ask(target, contents) == desks.ask(desk, contents)
    assert desks.ask(target, searches) == desks.ask(desk, searches)
    assert desks.ask(target, counts) == desks.ask(desk, counts)


STUCK = """
import sys, threading
from helpdesk.commands import copy as copying
from helpdesk.db.copy import desk as store

def remember_and_stick(target, place, remember=store._remember):
    if place.step == sys.argv[1] and place.done == 4:
        print("stuck", flush=True)
        threading.Event().wait()
    remember(target, place)

store._remember = remember_and_stick
copying.BATCH = 2
sys.exit(copying.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("step", ["tickets", "comments", "comment words"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_process_that_is_ended_loses_no_row_and_writes_none_twice(
    desks: Desks, desk: str, engine: str, step: str, how: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url(engine)
    command = [sys.executable, "-c", STUCK, step, "--from", desk, "--to", target]
    with subprocess.Popen(command, cwd=ROOT, env=clean_environ(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "stuck\n"
        process.send_signal(how)
        assert process.wait(20) == (130 if how is signal.SIGINT else -how)
    lines = capfd.readouterr().err.splitlines()
    assert any(line.startswith("users") for line in lines)
    assert "Traceback" not in lines
    assert how is signal.SIGKILL or lines[-1].startswith("helpdesk copy: interrupted")

    def go_on() -> bool:
        # PostgreSQL keeps the dead process's lock until it has noticed.
        status = copy(desk, target)
        assert status == 0 or "is in use" in capfd.readouterr().err
        return status == 0

    wait_until(go_on)
    assert desks.ask(target, contents) == desks.ask(desk, contents)
    assert desks.ask(target, searches) == desks.ask(desk, searches)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_server_starts_on_half_a_desk(
    desks: Desks, desk: str, engine: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url(engine)
    assert interruptions.copy(desk, target, batches=12) == 130
    before = desks.ask(target, contents)
    assert "has not been finished; repeat it" in refused_start("--port", "0", "--database-url", target)
    assert desks.ask(target, contents) == before
    elsewhere = desks.folder / "elsewhere.db"
    assert "has not been finished; repeat it" in refused(capsys, target, f"sqlite:///{elsewhere}")
    assert not elsewhere.exists()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_half_a_desk_takes_no_copy_from_elsewhere(
    desks: Desks, desk: str, engine: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    target, other = desks.new_url(engine), desks.new_url("sqlite")
    path_of(other).write_bytes(path_of(desk).read_bytes())
    assert interruptions.copy(desk, target, batches=12) == 130
    said = refused(capsys, other, target)
    assert f"a copy from {path_of(desk)} into" in said and "has not been finished" in said
    assert interruptions.copy(desk, target, batches=-1) == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tickets SET version = version + 1 WHERE id = 1",
        "DELETE FROM tokens WHERE user_id > 0",
        "INSERT INTO timeline (ticket_id, action, data, version, created_at) VALUES (1, 'updated', '{}', 1, 0)",
    ],
)
def test_a_source_that_was_used_in_between_is_noticed(
    desks: Desks, desk: str, change: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url("postgresql")
    assert interruptions.copy(desk, target, batches=12) == 130
    desks.do(desk, change)
    assert "was used since the copy into" in refused(capsys, desk, target)


def test_the_password_is_not_kept_and_may_change(
    desks: Desks, desk: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    server, target = desks.new_url("postgresql"), desks.new_url("sqlite")
    assert copy(desk, server) == 0
    assert interruptions.copy(server.replace("postgres@", "postgres:first-secret@"), target, batches=12) == 130
    assert "first-secret" not in repr(desks.ask(target, lambda conn: conn.execute(text("SELECT * FROM copying")).all()))
    assert interruptions.copy(server.replace("postgres@", "postgres:other-secret@"), target, batches=-1) == 0
    said = capsys.readouterr()
    assert "secret" not in said.out + said.err


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("users", "UPDATE users SET name = 'Somebody Else' WHERE id = 2"),
        ("tokens", "UPDATE tokens SET expires_at = expires_at + 1"),
        ("tickets", "UPDATE tickets SET resolved_at = NULL"),
        ("ticket_tags", "DELETE FROM ticket_tags WHERE ticket_id = 1"),
        ("comments", "UPDATE comments SET internal = NOT internal WHERE id = 3"),
        ("timeline", "UPDATE timeline SET data = '{}' WHERE id = 5"),
        ("idempotency", "UPDATE idempotency SET status = 500 WHERE scope = 'user:1'"),
        ("ticket_counts", "UPDATE ticket_counts SET tickets = tickets + 1"),
        ("search", "-"),
    ],
)
def test_a_row_that_differs_is_found(
    desks: Desks,
    desk: str,
    engine: str,
    table: str,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if table == "search":
        change = "DELETE FROM search WHERE document = 1" if engine == "postgresql" else "DELETE FROM search_docsize"
    target = desks.new_url(engine)
    finish = store.finish

    def finish_and_alter(source: Connection, to: Connection, *, version: str) -> None:
        finish(source, to, version=version)
        with to.begin():
            to.execute(text(change))

    monkeypatch.setattr(store, "finish", finish_and_alter)
    assert f"differs from the source in {table};" in refused(capsys, desk, target, status=1)
    with pytest.raises(StartError, match="has not been finished"):
        desks.prepare(target)


def test_a_file_that_fails_is_told_in_a_sentence(
    desks: Desks, desk: str, interruptions: Interruptions, capsys: pytest.CaptureFixture[str]
) -> None:
    target = desks.new_url("sqlite")
    assert interruptions.copy(desk, target, batches=4) == 130
    desks.do(target, "CREATE TRIGGER full BEFORE INSERT ON comments BEGIN SELECT RAISE(ABORT, 'no room'); END")
    assert "a database failed (no room); repeat" in refused(capsys, desk, target, status=1)
    desks.do(target, "DROP TRIGGER full")
    assert interruptions.copy(desk, target, batches=-1) == 0


@pytest.mark.parametrize("batch", [1, 1000])  # the error comes after the batch, or within it
def test_a_server_that_fails_is_told_in_a_sentence(
    desks: Desks,
    desk: str,
    batch: int,
    interruptions: Interruptions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = desks.new_url("postgresql")
    assert interruptions.copy(desk, target, batches=4) == 130
    desks.do(target, "ALTER TABLE search ADD CONSTRAINT no_room CHECK (document <> 1)")
    monkeypatch.setattr(copying, "BATCH", batch)
    assert "a database failed (new row for relation" in refused(capsys, desk, target, status=1)
    assert not caplog.records
    desks.do(target, "ALTER TABLE search DROP CONSTRAINT no_room")
    assert interruptions.copy(desk, target, batches=-1) == 0
    assert desks.ask(target, searches) == desks.ask(desk, searches)
