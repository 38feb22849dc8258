"""The tables that are copied row by row, read in an order that is the same on both engines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Table, Text, bindparam, select, tuple_

from helpdesk.db.engine import Connection
from helpdesk.db.schema import clocks, comments, idempotency, ticket_tags, tickets, timeline, tokens, users

Key = tuple[Any, ...]

# What refers to others after them. By the order of these columns each is read: they tell all its
# rows apart, and it has an index that begins with them.
_KEYS: dict[Table, tuple[str, ...]] = {
    users: ("id",),
    tokens: ("digest",),
    tickets: ("id",),
    clocks: ("ticket_id", "clock", "run"),
    ticket_tags: ("ticket_id", "tag", "created_at"),
    comments: ("id",),
    timeline: ("id",),
    idempotency: ("created_at", "scope", "key"),
}
TABLES = {table.name: table for table in _KEYS}


def after(conn: Connection, table: Table, key: Key, *, limit: int) -> Sequence[Row[Any]]:
    """The next rows after the one with `key`, or the first ones after ()."""
    values = {f"after_{n}": value for n, value in enumerate(key)}
    with conn.begin():
        return conn.execute(_page(table, conn.dialect.name, is_first=not key), values | {"limit": limit}).all()


def key_of(table: Table, row: Row[Any]) -> Key:
    """What `after` takes to go on behind this row."""
    return tuple(row._mapping[name] for name in _KEYS[table])


@lru_cache(maxsize=64)
def _page(table: Table, dialect: str, *, is_first: bool) -> Select[Any]:
    columns = [table.c[name] for name in _KEYS[table]]
    keys = [_by_code_points(column, dialect) for column in columns]
    query = select(table).order_by(*keys).limit(bindparam("limit"))
    if is_first:
        return query
    last = (bindparam(f"after_{n}", type_=column.type) for n, column in enumerate(columns))
    return query.where(tuple_(*keys) > tuple_(*last))


def _by_code_points(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """The column as SQLite compares it; PostgreSQL would order texts as the database's language does."""
    return column.collate("C") if dialect == "postgresql" and isinstance(column.type, Text) else column


def digest(conn: Connection, table: Table, *, limit: int, told: Callable[[int], None]) -> str:
    """The SHA-256 of all rows in order. Reads `limit` rows at a time and tells each time how many they were."""
    hashed, encode, key = hashlib.sha256(), msgspec.msgpack.Encoder().encode, ()
    while rows := after(conn, table, key, limit=limit):
        # An encoded row says where it ends; the columns' types make the same values on both engines.
        hashed.update(b"".join([encode(tuple(row)) for row in rows]))
        key = key_of(table, rows[-1])
        told(len(rows))
    return hashed.hexdigest()
