"""A desk's rows from one database to another: what is read and written, and what is remembered on the way.

Every batch is committed together with how far the copy has come. The order of the steps and what
people see of them are in helpdesk/commands/copy.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from helpdesk.db import search, ticket_facts
from helpdesk.db.copy import rows as copied_rows
from helpdesk.db.copy.rows import TABLES, Key
from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.migrations.run import COPYING
from helpdesk.db.schema import comments, ticket_counts, tickets, timeline, users
from helpdesk.db.search import documents as documents_of
from helpdesk.db.search import rebuilding
from helpdesk.db.search.documents import Document, Words
from helpdesk.db.search.rebuilding import State
from helpdesk.errors import StartError

_NUMBERED = (users, tickets, comments, timeline)  # the database gives their rows a number each


class CopyFailed(Exception):
    """The copy could not be finished; the message is one sentence that says what to do."""


class Mark(msgspec.Struct, frozen=True):
    """What tells a source that was used since from one that was not. Equal rows are told by copied_rows.digest."""

    rows: dict[str, int]  # of each table
    newest_entry: int  # id in the timeline
    versions: int  # of all tickets, added up


class Place(msgspec.Struct, frozen=True):
    """How far a copy has come: `done` rows of the step, the last of them with the key `after`; () before the first."""

    step: str
    after: Key = ()
    done: int = 0


# Made by the copy and removed by it, so it is in no migration. One row.
_copying = Table(
    COPYING,
    MetaData(),
    Column("source", Text, nullable=False),  # without a password
    Column("mark", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("after", LargeBinary, nullable=False),
    Column("done", Integer, nullable=False),
)

_MARKS = select(func.coalesce(func.max(timeline.c.id), 0)), select(func.coalesce(func.sum(tickets.c.version), 0))
_KIND = (tickets.c.status, tickets.c.priority, tickets.c.breached, func.coalesce(tickets.c.assignee_id, 0))
_RECOUNT = ticket_counts.insert().from_select(
    ["status", "priority", "breached", "assignee", "stripe", "tickets"],
    select(*_KIND, literal(0), func.count()).group_by(*_KIND),
)


@contextmanager
def faults_told() -> Iterator[None]:
    """Raise CopyFailed for what a database could not do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
        raise CopyFailed(f"a database failed ({reason}); repeat the command to go on from here") from error


@contextmanager
def _transaction(conn: Connection) -> Iterator[None]:
    with conn.begin():
        if is_sqlite(conn):
            driver(conn).execute("BEGIN IMMEDIATE")
        yield


def mark(source: Connection) -> Mark:
    """What the source is recognized by."""
    with source.begin():
        rows = {name: _count(source, table) for name, table in TABLES.items()}
        newest_entry, versions = (int(source.execute(query).scalar_one()) for query in _MARKS)
    return Mark(rows, newest_entry, versions)


def _count(conn: Connection, table: Table) -> int:
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def begin(target: Connection, *, source: str, of: Mark, shown: str) -> Place:
    """Where to go on in the target, which people know as `shown`; from now on it takes this copy only.

    `source` is the source's address, `of` its mark. Raises StartError, with nothing changed, when the
    target is not empty, or half of a copy from another source, or the source was used since.
    """
    encoded = msgspec.json.encode(of).decode()
    with _transaction(target):
        if not inspect(target).has_table(COPYING):
            _require_empty(target, shown)
            _copying.create(target)
            first = Place(next(iter(TABLES)))
            target.execute(_copying.insert(), {"source": source, "mark": encoded, **_columns(first)})
            return first
        row = target.execute(select(_copying)).one()
    if row.source != source:
        raise StartError(f"a copy from {row.source} into {shown} has not been finished; repeat that, or empty {shown}")
    if row.mark != encoded:
        raise StartError(f"{source} was used since the copy into {shown} began; empty {shown} and start over")
    return Place(row.step, tuple(msgspec.msgpack.decode(row.after)), row.done)


def _require_empty(target: Connection, shown: str) -> None:
    for table in TABLES.values():
        if _count(target, table):
            raise StartError(f"{shown} is not empty (it has {table.name}); name an empty database with --to")


def _columns(place: Place) -> dict[str, Any]:
    return {"step": place.step, "after": msgspec.msgpack.encode(place.after), "done": place.done}


def _remember(target: Connection, place: Place) -> None:
    target.execute(_copying.update(), _columns(place))


def copy_batch(source: Connection, target: Connection, place: Place, *, limit: int) -> Place:
    """Copy the next rows of the table that `place.step` names; where the copy is then, `place` itself at the end."""
    table = TABLES[place.step]
    rows = copied_rows.after(source, table, place.after, limit=limit)
    if not rows:
        return place
    moved = Place(place.step, copied_rows.key_of(table, rows[-1]), place.done + len(rows))
    with _transaction(target):
        target.execute(table.insert(), [dict(row._mapping) for row in rows])
        _remember(target, moved)
    return moved


def index_tickets(target: Connection, place: Place, *, limit: int, words: Words) -> Place:
    """Index the texts of the next tickets of the target; as `copy_batch`."""
    return _index(target, place, documents_of.of_tickets, limit, words)


def index_comments(target: Connection, place: Place, *, limit: int, words: Words) -> Place:
    """Index the texts of the next comments of the target; as `copy_batch`."""
    return _index(target, place, documents_of.of_comments, limit, words)


def _index(
    target: Connection,
    place: Place,
    read: Callable[..., tuple[list[Document], Key]],
    limit: int,
    words: Words,
) -> Place:
    with _transaction(target):
        found, after = read(target, place.after, limit=limit, words=words)
        if not found:
            return place
        moved = Place(place.step, after, place.done + len(found))
        search.add_all(target, found)
        _remember(target, moved)
    return moved


def finish(source: Connection, target: Connection, *, version: str) -> None:
    """What follows from the rows: the counts, and that ids go on where the source's do. May be repeated.

    `version` is that of the words that the target's index was made of. It is stored unless the source's is
    another: names are copied as the source folds them, and a server then makes index and names anew.
    """
    with source.begin():
        is_of_version = rebuilding.is_whole(source, version)
    with source.begin():
        last = {table: _last_given(source, table) for table in _NUMBERED}
    with _transaction(target):
        recount(target)
        if is_of_version:
            rebuilding.store(target, State(version, ""))
        ticket_facts.rebuild(target)
        for table, number in last.items():
            _go_on_after(target, table, max(number, _last_given(target, table)))
        if not is_sqlite(target):
            # Searches are planned by statistics, which PostgreSQL would make by itself some minutes later.
            target.execute(text("ANALYZE"))


def recount(conn: Connection) -> None:
    """Count anew how many tickets there are of each kind."""
    conn.execute(ticket_counts.delete())
    conn.execute(_RECOUNT)


def _last_given(conn: Connection, table: Table) -> int:
    """The greatest id ever given out; 0 for none."""
    if is_sqlite(conn):
        given = conn.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).scalar()
    else:
        given = conn.execute(text(f"SELECT last_value FROM {table.name}_id_seq WHERE is_called")).scalar()
    return max(given or 0, conn.execute(select(func.max(table.c.id))).scalar() or 0)


def _go_on_after(conn: Connection, table: Table, last: int) -> None:
    """Let the next id be greater than `last`."""
    if not last:
        return
    if not is_sqlite(conn):
        conn.execute(text(f"SELECT setval('{table.name}_id_seq', :last)"), {"last": last})
        return
    values = {"name": table.name, "last": last}
    conn.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
    conn.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values)


def documents(conn: Connection) -> int:
    """How many documents the search index has."""
    # FTS5 keeps one row of sizes for each document; `search` itself would be walked through.
    table = "search_docsize" if is_sqlite(conn) else "search"
    with conn.begin():
        return int(conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def counted_tickets(conn: Connection) -> int:
    """How many tickets there are by the counts."""
    with conn.begin():
        return int(conn.execute(select(func.sum(ticket_counts.c.tickets))).scalar() or 0)


def end(target: Connection) -> None:
    """Give the target free for servers."""
    with _transaction(target):
        _copying.drop(target)
