"""Desks of both engines to copy from and to, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from helpdesk.clock import HOUR_MS
from helpdesk.commands import copy as copying
from helpdesk.db import schema, ticket_pages
from helpdesk.db import tickets as ticket_store
from helpdesk.db import tokens as token_store
from helpdesk.db import users as user_store
from helpdesk.db.copy import desk as store
from helpdesk.db.copy.rows import TABLES
from helpdesk.db.engine import Connection
from helpdesk.db.migrations.run import prepare_postgres, prepare_sqlite
from helpdesk.db.search import rebuilding
from helpdesk.db.search.rebuilding import State
from helpdesk.db.ticket_lists import Filter, Order
from helpdesk.domain import clocks, comments, demo, idempotency, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.domain.idempotency import Answer, Claim
from helpdesk.domain.words import WORDS_VERSION, query_words
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from tests.conftest import START
from tests.databases import Databases, PostgresDatabases, SqliteDatabases
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


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def fill(conn: Connection) -> None:
    rebuilding.store(conn, State(WORDS_VERSION, ""))
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
    """All rows of all tables but the counts, which are split differently where several write, and the index's state."""
    found = {
        name: sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
        for name, table in schema.metadata.tables.items()
        if name not in ("ticket_counts", "search_state")
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
                    page = ticket_pages.page(conn, where, order, now=START, limit=50, offset=0)
                    pages.append([stamp.id for stamp in page])
    return pages


def is_indexed(conn: Connection) -> bool:
    """Whether a server would leave the search index as it is."""
    return rebuilding.is_whole(conn, WORDS_VERSION)


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
