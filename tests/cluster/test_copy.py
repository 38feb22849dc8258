"""`python -m helpdesk copy`: what arrives, what a kill leaves behind, and what is refused."""

from __future__ import annotations

import io
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from helpdesk import copying
from helpdesk.clock import HOUR_MS
from helpdesk.db import copying as store
from helpdesk.db import postgres_connection, schema, search
from helpdesk.db import tickets as ticket_store
from helpdesk.db import timeline as timeline_store
from helpdesk.db import tokens as token_store
from helpdesk.db import users as user_store
from helpdesk.db.copied_rows import TABLES
from helpdesk.db.engine import Connection
from helpdesk.db.migrations.run import prepare_postgres, prepare_sqlite
from helpdesk.db.postgres_locks import UseLock
from helpdesk.db.sqlite import DataLock
from helpdesk.db.ticket_lists import Filter, Order
from helpdesk.domain import clocks, comments, demo, idempotency, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.domain.idempotency import Answer, Claim
from helpdesk.domain.words import query_words
from helpdesk.errors import StartError
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from tests.conftest import START
from tests.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.process import ROOT, clean_environ, refused_start, running_server, wait_until
from tests.services import Postgres

QUERIES = ("printer", "the", "vpn", "a", "café", "secret", "prin vpn", "nothing-like-it", "打印", "jams second")


class Desks:
    """Databases of both engines, told apart by their addresses."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.folder = folder
        self.postgres = postgres
        self.files, self.servers = SqliteDatabases(folder), PostgresDatabases(postgres)

    def new_url(self, engine: str) -> str:
        """The address of a new desk, migrated and empty."""
        return (self.files if engine == "sqlite" else self.servers).new_url()

    def of(self, url: str) -> Databases:
        return self.files if url.startswith("sqlite") else self.servers

    def ask(self, url: str, fn: Callable[[Connection], Any]) -> Any:
        """What `fn` makes of a connection, committed."""
        with self.of(url).connection(url) as conn:
            answer = fn(conn)
            conn.commit()
            return answer

    def do(self, url: str, *statements: str) -> None:
        def execute(conn: Connection) -> None:
            for statement in statements:
                conn.execute(text(statement))

        self.ask(url, execute)

    def prepare(self, url: str) -> None:
        """As a server does at its start."""
        if url.startswith("sqlite"):
            prepare_sqlite(path_of(url))
        else:
            prepare_postgres(self.servers.engine(url), url)


@pytest.fixture
def desks(tmp_path: Path, postgres: Postgres) -> Iterator[Desks]:
    made = Desks(tmp_path, postgres)
    yield made
    made.servers.remove_all()


@pytest.fixture
def desk(desks: Desks) -> str:
    """A desk on SQLite in which everything has happened that a desk can hold."""
    url = desks.new_url("sqlite")
    desks.ask(url, fill)
    return url


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def fill(conn: Connection) -> None:
    demo.seed(conn, ["hash"] * len(demo.ACCOUNTS), now=START)
    admin, agent, user = (actor(conn, name) for name in ("admin", "agent", "user"))
    for username, name in (("zoe", None), ("Ärmel", "Änne Straße"), ("bo", "")):
        made = {"email": None, "role": "user", "password_hash": "x", "created_at": START}
        assert user_store.insert(conn, username=username, name=name, **made)  # type: ignore[arg-type]
    conn.execute(schema.users.update().where(schema.users.c.username == "bo").values(active=False))
    for n in range(7):
        token_store.insert(conn, digest=bytes([255 - 37 * n] * 32), user_id=user.id, created_at=n, expires_at=START + n)

    def open_one(title: str, description: str, **fields: Any) -> int:
        new = NewTicket(title, description, **fields)
        return tickets.create(conn, admin, new, now=START, may_set_sla=True).ticket.id

    loud = open_one("Café printer", "打印机 \U0001f5a8 jams\nevery second page", tags=["printer", "café", "a-b", "ab"])
    taken = open_one("VPN drops", "since Monday", assignee_id=agent.id, priority="urgent", tags=["vpn"])
    late = open_one("Too late", "nobody came", sla_minutes=1)
    first = say(conn, user_of(conn, loud), loud, "It is the second printer.")
    hidden = say(conn, agent, loud, "The secret is the toner.", parent=first, internal=True)
    say(conn, admin, loud, "Agreed, secret.", parent=hidden)
    for n in range(5):
        say(conn, agent, taken, f"Try number {n}", parent=None, internal=n % 2 == 1)
        say(conn, admin, loud, f"Page {n} of the café")
    shut = row(conn, taken)
    ticket_changes.apply(conn, shut, {"status": "closed"}, actor=agent, now=START + 1)
    clocks.settle(conn, row(conn, late), now=START + HOUR_MS)
    for n in range(5):
        claim = Claim(f"user:{n % 2}", "zBa_é"[n] * 3, bytes([n]) * 32, n % 2 == 0, START + n // 4, 24)
        idempotency.once(conn, claim, lambda _conn, n=n: Answer(200 + n, bytes(range(256)), {"ETag": "1"}))  # type: ignore[misc]


def actor(conn: Connection, username: str) -> Actor:
    user = user_store.by_username(conn, username)
    assert user is not None
    return Actor(user.id, user.username, user.name, user.role)


def user_of(conn: Connection, ticket_id: int) -> Actor:
    return actor(conn, row(conn, ticket_id).creator_username)


def row(conn: Connection, ticket_id: int) -> ticket_store.TicketRow:
    ticket = ticket_store.by_id(conn, ticket_id)
    assert ticket is not None
    return ticket


def say(
    conn: Connection, who: Actor, ticket_id: int, body: str, *, parent: int | None = None, internal: bool = False
) -> int:
    return comments.add(conn, who, ticket_id, NewComment(body, parent, internal), now=START).id


def contents(conn: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but the counts, which are split differently where several write."""
    found = {
        name: sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
        for name, table in schema.metadata.tables.items()
        if name != "ticket_counts"
    }
    assert set(found) == set(TABLES)
    return found


def searches(conn: Connection) -> list[list[int]]:
    """The tickets that a number of searches find."""
    pages = []
    for query in QUERIES:
        for scope in ("everything", "public", "title"):
            for order in (Order(), Order("relevance", False), Order("updated_at", True)):
                for owner_id in (None, 1, 3):
                    where = Filter(words=query_words(query), scope=scope, owner_id=owner_id)
                    page = search.page(conn, where, order, now=START, limit=50, offset=0)
                    pages.append([stamp.id for stamp in page])
    return pages


def counts(conn: Connection) -> list[Any]:
    """How many tickets there are of each kind that there is."""
    return sorted((count for count in ticket_store.counts(conn, me=2) if count.tickets), key=repr)


def copy(source: str, target: str) -> int:
    """The exit status of the command."""
    return copying.main(["--from", source, "--to", target])


def refused(capsys: pytest.CaptureFixture[str], source: str, target: str, *, status: int = 2) -> str:
    """What the command says; asserts that it is one sentence and the status that goes with it."""
    capsys.readouterr()
    assert copy(source, target) == status
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "█" not in line and "░" not in line]
    assert said.out == ""
    assert len(lines) == 1 and lines[0].startswith("helpdesk copy: "), said.err
    assert "--data-dir" not in lines[0] and "--database-url" not in lines[0]
    return lines[0]


class Interruptions:
    """Makes copies end as by Ctrl-C, in the middle of the transaction of their n-th batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = -1
        remember = store._remember

        def interrupted(target: Connection, place: store.Place) -> None:
            remember(target, place)  # and yet it is not: the transaction is undone
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt

        monkeypatch.setattr(store, "_remember", interrupted)
        monkeypatch.setattr(copying, "BATCH", 2)

    def copy(self, source: str, target: str, *, batches: int) -> int:
        """The exit status of a copy that is interrupted in that batch, if it comes so far."""
        self._left = batches
        return copy(source, target)


@pytest.fixture
def interruptions(monkeypatch: pytest.MonkeyPatch) -> Interruptions:
    return Interruptions(monkeypatch)


# What arrives.


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


# What a kill leaves behind.


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
from helpdesk import copying
from helpdesk.db import copying as store

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

    def finish_and_alter(source: Connection, to: Connection) -> None:
        finish(source, to)
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


# What is refused.


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

    def look_and_finish(source_conn: Connection, target_conn: Connection) -> None:
        for url in (source, target):
            with pytest.raises(StartError, match="another server"):
                if engine == "sqlite":
                    DataLock(path_of(url))
                else:
                    UseLock(postgres_connection.open_engine(url), shared=True)
        finish(source_conn, target_conn)

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


# What people see of it.


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
