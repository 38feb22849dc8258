"""The loader of bench/ writes what the domain's rules would write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from bench import load
from bench.histories import AGENTS, END, History, histories
from bench.texts import Texts
from helpdesk.db import tickets as ticket_store
from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver, open_engine
from helpdesk.db.migrations.run import prepare_sqlite
from helpdesk.domain import clocks, comments, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket

TOTAL = 300
WORDS = ("printer", "the", "zo", "login", "account", "ka")


def test_loaded_tickets_equal_those_that_the_rules_make(tmp_path: Path) -> None:
    loaded, ruled = tmp_path / "loaded.db", tmp_path / "ruled.db"
    for path in (loaded, ruled):
        prepare_sqlite(path)
    load.fill(loaded, TOTAL)
    engine = open_engine(ruled, read_only=False)
    with engine.connect() as conn:
        load.insert_people(driver(conn))
        for history in histories(0, TOTAL, TOTAL, Texts()):
            replay(conn, history)
    engine.dispose()
    assert contents(loaded) == contents(ruled)


def replay(conn: Connection, history: History) -> None:
    """One history by the domain's own rules."""
    new = NewTicket(history.title, history.description, history.priority, history.tags)
    made = tickets.create(conn, actor(history.creator), new, now=history.created_at, may_set_sla=False)
    for comment in history.comments:
        said = NewComment(comment.body, None, comment.internal)
        comments.add(conn, actor(comment.author), made.ticket.id, said, now=comment.at)
    change = history.change
    if change is not None:
        wanted = {"status": change.status, "assignee_id": change.assignee + 1}
        ticket_changes.apply(conn, row(conn, made.ticket.id), wanted, actor=actor(change.actor), now=change.at)
    due_at = row(conn, made.ticket.id).due_at
    if due_at is not None and due_at <= END:
        clocks.settle(conn, row(conn, made.ticket.id), now=due_at)


def actor(number: int) -> Actor:
    name, _ = load.people()[number]
    return Actor(number + 1, name, name.capitalize(), "agent" if number < AGENTS else "user")


def row(conn: Connection, ticket_id: int) -> ticket_store.TicketRow:
    found = ticket_store.by_id(conn, ticket_id)
    assert found is not None
    return found


def contents(path: Path) -> dict[str, Any]:
    """All rows, with timeline ids as their rank: the loader leaves gaps between tickets."""
    conn = sqlite3.connect(path)
    tables = {
        name: conn.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall()
        for name in ("tickets", "clocks", "ticket_tags", "comments", "ticket_facts")
    }
    tables["misdated"] = conn.execute("SELECT * FROM misdated_tickets").fetchall()
    tables["words"] = conn.execute("SELECT * FROM words ORDER BY 1").fetchall()
    tables["counts"] = conn.execute("SELECT * FROM ticket_counts WHERE tickets > 0 ORDER BY 1, 2, 3, 4").fetchall()
    tables["timeline"] = conn.execute(
        "SELECT row_number() OVER (ORDER BY ticket_id, id), ticket_id, actor_id, action, data, version, internal,"
        " created_at, clock, run FROM timeline ORDER BY ticket_id, id"
    ).fetchall()
    for word in WORDS:
        tables[f"search {word}"] = conn.execute(
            "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (f'"{word}" *',)
        ).fetchall()
    conn.close()
    return tables
