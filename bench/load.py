"""Fill a database with many tickets, as fast as SQLite takes them, equal to what the domain's rules would write.

    python -m bench.load --data-dir /tmp/million --tickets 1000000

From a fixed seed; goes on where it was stopped. A test (bench/test_load.py) replays the same histories
through the domain and compares every row. The people are agent0…19 and user0…399, password "loadtest1".
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bench.histories import AGENTS, COMMENTS_EACH, END, REQUESTERS, SPAN_MS, History, histories
from bench.texts import Texts
from helpdesk.clock import rfc3339
from helpdesk.db import ticket_facts
from helpdesk.db.engines.data_file import open_data_file
from helpdesk.db.schema import metadata
from helpdesk.db.search import body_text
from helpdesk.db.search.fts5 import DOCUMENT_BITS, PREFIX_INDEXED
from helpdesk.domain import clocks, sla
from helpdesk.domain.sla import SlaClock
from helpdesk.domain.words import WORDS_VERSION, index_text
from helpdesk.passwords import hash_password
from helpdesk.terms import PRIORITIES

CHUNK = 1000  # tickets in one transaction
PASSWORD = "loadtest1"
ENTRIES_EACH = COMMENTS_EACH + 3  # at most: created, comments, changed, breached
TABLES = ("tickets", "clocks", "ticket_tags", "comments", "timeline", "search", "words")

Rows = dict[str, list[tuple[Any, ...]]]


def people() -> list[tuple[str, str]]:
    """Username and role of everybody, in the order of their numbers."""
    return [(f"agent{n}", "agent") for n in range(AGENTS)] + [(f"user{n}", "user") for n in range(REQUESTERS)]


def chunk_rows(chunk: int, total: int, texts: Texts) -> Rows:
    """The rows of one chunk of tickets."""
    first = chunk * CHUNK
    rows: Rows = {name: [] for name in TABLES}
    for offset, history in enumerate(histories(first, min(CHUNK, total - first), total, texts)):
        _add(rows, first + offset + 1, history)
    words = {word for row in rows["search"] for text in row[2:] for word in text.split()}
    rows["words"] = [(word,) for word in sorted(words) if len(word) > PREFIX_INDEXED]
    return rows


def _add(rows: Rows, ticket_id: int, history: History) -> None:
    """One ticket's rows. Ids are given by number, with room for every entry: they grow, with gaps."""
    entries: list[tuple[int | None, str, dict[str, Any], int, int, bool]] = []
    clock = sla.start(history.created_at, sla.DEFAULT_MINUTES[history.priority])
    first_fields = {
        "title": history.title,
        "description": history.description,
        "status": "open",
        "priority": history.priority,
        "tags": history.tags,
        "assignee_id": None,
        "sla_minutes": clock.minutes,
    }
    entries.append((history.creator + 1, "created", first_fields, 1, history.created_at, False))
    updated_at, first_responded_at, internal_count, version = history.created_at, None, 0, 1
    owner = str(history.creator + 1)
    body = index_text(body_text(history.description, " ".join(history.tags)))
    search_rows = [(0, index_text(history.title), body, "")]
    for n, comment in enumerate(history.comments, 1):
        clock = _settle(entries, clock, 1, comment.at)
        comment_id = (ticket_id - 1) * COMMENTS_EACH + n
        rows["comments"].append(
            (comment_id, ticket_id, None, comment.author + 1, comment.body, comment.internal, comment.at)
        )
        words = index_text(comment.body)
        search_rows.append((comment_id, "", "" if comment.internal else words, words if comment.internal else ""))
        entries.append((comment.author + 1, "commented", {"comment_id": comment_id}, 1, comment.at, comment.internal))
        internal_count += comment.internal
        if not comment.internal:
            updated_at = comment.at
            if comment.author < AGENTS and first_responded_at is None:
                first_responded_at = comment.at
    status, assignee_id, resolved_at = "open", None, None
    if history.change is not None:
        change = history.change
        clock = _settle(entries, clock, 1, change.at)
        status, assignee_id, version, updated_at = change.status, change.assignee + 1, 2, change.at
        changes = {"status": ["open", status], "assignee_id": [None, assignee_id]}
        entries.append((change.actor + 1, "updated", {"changes": changes}, 2, change.at, False))
        clock = sla.follow(clock, change.status, change.at)
        resolved_at = change.at if status in ("resolved", "closed") else None
    if clock.due_at is not None and clock.due_at <= END:
        clock = _settle(entries, clock, version, clock.due_at)
    row = (
        first_fields
        | clocks.columns(clock)
        | {
            "id": ticket_id,
            "status": status,
            "priority_rank": PRIORITIES.index(history.priority),
            "tags": " ".join(history.tags),
            "version": version,
            "creator_id": history.creator + 1,
            "assignee_id": assignee_id,
            "first_responded_at": first_responded_at,
            "resolved_at": resolved_at,
            "created_at": history.created_at,
            "updated_at": updated_at,
            "comment_count": len(history.comments),
            "internal_count": internal_count,
        }
    )
    rows["tickets"].append(tuple(row[c.name] for c in metadata.tables["tickets"].columns))
    kept = msgspec.structs.asdict(clocks.row_of(ticket_id, clock))
    rows["clocks"].append(tuple(kept.get(c.name) for c in metadata.tables["clocks"].columns))
    rows["ticket_tags"] += [(tag, history.created_at, ticket_id) for tag in history.tags]
    first_entry = (ticket_id - 1) * ENTRIES_EACH + 1
    rows["timeline"] += [
        (
            *(first_entry + n, ticket_id, actor, action, msgspec.json.encode(data).decode(), at_version, internal, at),
            *(("resolution", 1) if action == "sla_breached" else (None, None)),
        )
        for n, (actor, action, data, at_version, at, internal) in enumerate(entries)
    ]
    rows["search"] += [((ticket_id << DOCUMENT_BITS) + n, owner, *texts) for n, *texts in search_rows]


def _settle(
    entries: list[tuple[int | None, str, dict[str, Any], int, int, bool]], clock: SlaClock, version: int, now: int
) -> SlaClock:
    settled = sla.settle(clock, now)
    if settled is not clock:
        data = {"sla_deadline": rfc3339(clock.deadline), "sla_minutes": clock.minutes}
        entries.append((None, "sla_breached", data, version, now, False))
    return settled


def insert_people(conn: sqlite3.Connection) -> None:
    """Everybody, if nobody is there yet; all with one password."""
    password_hash = hash_password(PASSWORD, 4)
    conn.executemany(
        "INSERT OR IGNORE INTO users (id, username, username_key, name, name_key, email, role, password_hash, active,"
        " created_at) VALUES (?, ?, ?, ?, ?, NULL, ?, ?, 1, ?)",
        [
            (n, name, name, name.capitalize(), name, role, password_hash, END - SPAN_MS)
            for n, (name, role) in enumerate(people(), 1)
        ],
    )


def insert_rows(conn: sqlite3.Connection, rows: Rows) -> None:
    """One chunk, in the caller's transaction."""
    for table in ("tickets", "clocks", "ticket_tags", "comments", "timeline"):
        marks = ", ".join("?" * len(metadata.tables[table].columns))
        conn.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table])
    conn.executemany("INSERT INTO search (rowid, owner, title, body, internal) VALUES (?, ?, ?, ?, ?)", rows["search"])
    conn.executemany("INSERT OR IGNORE INTO words VALUES (?)", rows["words"])


def fill(path: Path, total: int) -> None:
    """Fill the database up to `total` tickets."""
    conn = sqlite3.connect(path, isolation_level=None)
    # Only while loading: a power cut would cost the load, which can be run again.
    conn.execute("PRAGMA synchronous=OFF")
    conn.execute("PRAGMA cache_size=-400000")
    insert_people(conn)
    done = conn.execute("SELECT coalesce(max(id), 0) FROM tickets").fetchone()[0]
    chunks = range(done // CHUNK, -(-total // CHUNK))
    started, texts = time.monotonic(), Texts()
    with multiprocessing.Pool(max(1, multiprocessing.cpu_count() - 1)) as pool:
        for rows in pool.imap(partial(chunk_rows, total=total, texts=texts), chunks):
            conn.execute("BEGIN")
            insert_rows(conn, rows)
            conn.execute("COMMIT")
            done += len(rows["tickets"])
            _progress(done, total, time.monotonic() - started)
    conn.execute("DELETE FROM ticket_counts")
    conn.execute(
        "INSERT INTO ticket_counts"
        " SELECT status, priority, breached, coalesce(assignee_id, 0), 0, count(*) FROM tickets GROUP BY 1, 2, 3, 4"
    )
    conn.execute("DELETE FROM search_state")
    conn.execute("INSERT INTO search_state VALUES (?, '', ?, 0)", (WORDS_VERSION, msgspec.msgpack.encode(())))
    for statement in ticket_facts.REBUILD:
        conn.execute(statement)
    conn.execute("INSERT INTO search (search) VALUES ('optimize')")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()


def _progress(done: int, total: int, passed_s: float) -> None:
    if sys.stderr.isatty() or done % 50_000 == 0 or done == total:
        print(f"\r{done:,} of {total:,} tickets, {passed_s:.0f} s", end="", file=sys.stderr, flush=True)
        if done == total:
            print(file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    path = options.data_dir / "helpdesk.db"
    lock = open_data_file(path)
    fill(path, options.tickets)
    lock.release()
    print(json.dumps({"tickets": options.tickets, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    main()
