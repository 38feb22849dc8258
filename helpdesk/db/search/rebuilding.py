"""Making the search index anew, in steps that are each one transaction: a start that is killed goes on where it was.

The index holds the words of one function only. Its version is stored beside it; on SQLite words are
removed by giving them again, so old words under a new function would corrupt the index.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from helpdesk.db import search
from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.schema import comments, search_state, tickets
from helpdesk.db.schema import users as people
from helpdesk.db.search import documents, fts5, tsvector
from helpdesk.db.search.documents import Key, Words
from helpdesk.folding import name_key

_TABLES = {"people": people, "tickets": tickets, "comments": comments}  # the steps, in their order
_STEPS = (*_TABLES, "")


class State(msgspec.Struct, frozen=True):
    """How far the index is made: `done` rows of the table `step`, the last of them with the key `after`.

    `step` is "" when the index is whole.
    """

    version: str
    step: str
    after: Key = ()
    done: int = 0

    @property
    def is_whole(self) -> bool:
        return self.step == ""


_NAMES = (
    select(people.c.id, people.c.name)
    .where(people.c.id > bindparam("after"))
    .order_by(people.c.id)
    .limit(bindparam("limit"))
)
_SET_KEY = people.update().where(people.c.id == bindparam("row_id")).values(name_key=bindparam("key"))


def state(conn: Connection) -> State | None:
    """Return how far the index is made; None where no version is stored yet."""
    row = conn.execute(select(search_state)).first()
    return State(row.version, row.step, tuple(msgspec.msgpack.decode(row.after)), row.done) if row else None


def is_whole(conn: Connection, version: str) -> bool:
    """Return whether the index is whole, and of this version of the words."""
    there = state(conn)
    return there is not None and there.version == version and there.is_whole


def begin(conn: Connection, version: str) -> State:
    """Return where to go on; from the first step on, with an empty index, unless it is half made in this version."""
    there = state(conn)
    if there is not None and there.version == version:
        return there
    if is_sqlite(conn):
        fts5.remove_all(conn)  # on PostgreSQL each document takes the place of the old one
    first = State(version, _STEPS[0])
    store(conn, first)
    return first


def store(conn: Connection, reached: State) -> None:
    """Remember how far the index is made."""
    conn.execute(search_state.delete())
    conn.execute(search_state.insert(), {**msgspec.structs.asdict(reached), "after": _encoded(reached.after)})


def _encoded(key: Key) -> bytes:
    return msgspec.msgpack.encode(key)


def total(conn: Connection, step: str) -> int:
    """Return about how many rows a step has to go through: the newest id, since counting millions takes seconds."""
    return int(conn.execute(select(func.coalesce(func.max(_TABLES[step].c.id), 0))).scalar_one())


def advance(conn: Connection, reached: State, *, limit: int, words: Words) -> State:
    """Index the next rows of a step, or go on to the next step; return how far the index is made then."""
    if reached.step == "people":
        count, after = _set_name_keys(conn, reached.after, limit)
    else:
        of_step = documents.of_tickets if reached.step == "tickets" else documents.of_comments
        found, after = of_step(conn, reached.after, limit=limit, words=words)
        count = len(found)
        if is_sqlite(conn):
            search.add_all(conn, found)
        else:
            tsvector.replace_all(conn, found)
    if count:
        moved = State(reached.version, reached.step, after, reached.done + count)
    else:
        moved = State(reached.version, _STEPS[_STEPS.index(reached.step) + 1])
    store(conn, moved)
    return moved


def _set_name_keys(conn: Connection, after: Key, limit: int) -> tuple[int, Key]:
    rows = conn.execute(_NAMES, {"after": after[0] if after else 0, "limit": limit}).all()
    if not rows:
        return 0, after
    values: list[dict[str, Any]] = [{"row_id": row.id, "key": name_key(row.name or "")} for row in rows]
    conn.execute(_SET_KEY, values)
    return len(rows), (rows[-1].id,)
