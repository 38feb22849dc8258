"""`python -m helpdesk copy`: what arrives, and what people see of it."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from helpdesk.commands import copy as copying
from helpdesk.db import schema
from helpdesk.db import timeline as timeline_store
from helpdesk.db import users as user_store
from helpdesk.db.copy.rows import TABLES
from helpdesk.db.engine import Connection
from helpdesk.domain import ticket_changes, tickets
from helpdesk.messages.tickets import NewTicket
from tests.cluster.desks import (
    Desks,
    actor,
    contents,
    copy,
    counts,
    fill,
    is_indexed,
    path_of,
    row,
    say,
    searches,
)
from tests.conftest import START
from tests.process import ROOT, clean_environ


def test_a_desk_there_and_back_is_the_same_desk(
    desks: Desks, desk: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copying, "BATCH", 3)
    server, server2, back = (desks.new_url(engine) for engine in ("postgresql", "postgresql", "sqlite"))
    path_of(back).unlink()
    for source, target in ((desk, server), (server, server2), (server2, back)):
        assert copy(source, target) == 0, capsys.readouterr().err
        desks.prepare(target)
    before = desks.ask(desk, contents)
    assert all(before.values())
    found, counted = desks.ask(desk, searches), desks.ask(desk, counts)
    assert sum(map(bool, found)) > 50
    for url in (server, server2, back):
        assert desks.ask(url, contents) == before
        assert desks.ask(url, searches) == found
        assert desks.ask(url, counts) == counted
        assert desks.ask(url, is_indexed)


def test_a_desk_with_names_of_another_release_is_indexed_anew_after_the_copy(desks: Desks, desk: str) -> None:
    desks.do(desk, "UPDATE search_state SET version = '1'")
    target = desks.new_url("sqlite")
    path_of(target).unlink()
    assert copy(desk, target) == 0
    assert not desks.ask(target, is_indexed)


def test_a_copied_desk_goes_on(desks: Desks, desk: str) -> None:
    """What is added and taken out after the copy finds the index and the counts as it needs them."""
    server, back = desks.new_url("postgresql"), desks.new_url("sqlite")
    assert copy(desk, server) == copy(server, back) == 0

    def go_on(conn: Connection) -> None:
        admin = actor(conn, "admin")
        loud = next(t for t in range(1, 99) if row(conn, t).title == "Café printer")
        say(conn, admin, loud, "one more zebra")
        ticket_changes.apply(conn, row(conn, loud), {"title": "Tea urn", "status": "resolved"}, actor=admin, now=START)

    for url in (desk, server, back):
        desks.ask(url, go_on)
    assert desks.ask(server, searches) == desks.ask(desk, searches) == desks.ask(back, searches)
    assert desks.ask(server, counts) == desks.ask(desk, counts) == desks.ask(back, counts)


def test_numbers_that_were_given_out_are_never_given_again(desks: Desks, desk: str) -> None:
    """Also those of rows that are not there any more: of a transaction that failed, or of before an older copy."""
    desks.do(desk, "UPDATE sqlite_sequence SET seq = seq + 100 WHERE name IN ('tickets', 'timeline')")
    server, back = desks.new_url("postgresql"), desks.new_url("sqlite")

    def newest(conn: Connection) -> list[int]:
        return [conn.execute(select(func.max(schema.metadata.tables[t].c.id))).scalar_one() for t in numbered]

    def add(conn: Connection) -> None:
        new = NewTicket("One more", "after the copy")
        admin = actor(conn, "admin")
        say(conn, admin, tickets.create(conn, admin, new, now=START, may_set_sla=True).ticket.id, "hello")
        made = {"name": None, "email": None, "role": "user", "password_hash": "", "created_at": 0}
        assert user_store.insert(conn, username="new", **made)  # type: ignore[arg-type]

    numbered = ("users", "tickets", "comments", "timeline")
    before = desks.ask(desk, newest)
    after = [n + more for n, more in zip(before, (1, 101, 1, 102), strict=True)]
    assert copy(desk, server) == 0
    assert desks.ask(server, timeline_store.horizon) == before[3] + 100
    assert copy(server, back) == 0
    for url in (server, back):
        desks.ask(url, add)
        assert desks.ask(url, newest) == after


def test_an_empty_desk_can_be_copied(desks: Desks) -> None:
    empty, server, back = desks.new_url("sqlite"), desks.new_url("postgresql"), desks.new_url("sqlite")
    assert copy(empty, server) == copy(server, back) == 0
    desks.ask(server, fill)
    desks.ask(back, fill)
    assert desks.ask(server, contents)["tickets"] == desks.ask(back, contents)["tickets"]


def test_the_order_of_a_language_changes_nothing(
    desks: Desks, desk: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copying, "BATCH", 2)
    create = "CREATE DATABASE swedish TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE' LOCALE 'C.UTF-8'"
    desks.postgres.sql(create)
    swedish, back = desks.postgres.url("swedish"), desks.new_url("sqlite")
    try:
        assert desks.postgres.sql("SELECT 'a' < 'B' AND 'é' < 'z'", "swedish") == ["t"]
        assert copy(desk, swedish) == 0, capsys.readouterr().err
        assert copy(swedish, back) == 0, capsys.readouterr().err
        assert desks.ask(back, contents) == desks.ask(desk, contents)
    finally:
        desks.postgres.sql("DROP DATABASE swedish WITH (FORCE)")


def test_the_source_stays_as_it_was(desks: Desks, desk: str) -> None:
    files = [path_of(desk), desks.folder / "again.db"]
    before = files[0].read_bytes()
    assert copy(desk, f"sqlite:///{files[1]}") == 0
    assert files[0].read_bytes() == before
    assert {path.suffix for path in desks.folder.iterdir()} == {".db", ".lock"}


def module(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "helpdesk", *words]
    return subprocess.run(command, cwd=ROOT, env=clean_environ(), capture_output=True, text=True, check=False)


def test_the_module_says_what_there_is() -> None:
    alone, asked, unknown = module(), module("--help"), module("sing")
    assert (alone.returncode, alone.stdout) == (2, "") and "copy  " in alone.stderr
    assert (asked.returncode, asked.stdout) == (0, alone.stderr)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1) and "'sing'" in unknown.stderr
    about = module("copy", "--help")
    assert about.returncode == 0 and "--from URL" in about.stdout and "PGPASSWORD" in about.stdout


def test_each_step_is_shown_with_a_bar(desks: Desks, desk: str) -> None:
    target = desks.folder / "target.db"
    done = module("copy", "--from", desk, "--to", f"sqlite:///{target}")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line[:14].rstrip() for line in lines] == [*TABLES, "ticket words", "comment words", "comparing"]
    assert lines[1] == "tokens        ████████████████ 100 %  7 of 7"
    assert done.stdout == (
        f"copied 16 tickets, 35 comments, 6 users and all else from {path_of(desk)} to {target}; "
        "every row was compared\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_the_bar_grow(desks: Desks, desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BATCH", 3)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert copy(desk, f"sqlite:///{desks.folder}/target.db") == 0
    tokens = next(line for line in terminal.getvalue().split("\n") if "tokens" in line)
    assert tokens.split("\r")[1:] == [
        "tokens        ░░░░░░░░░░░░░░░░   0 %  0 of 7",
        "tokens        ██████░░░░░░░░░░  42 %  3 of 7",
        "tokens        █████████████░░░  85 %  6 of 7",
        "tokens        ████████████████ 100 %  7 of 7",
    ]
