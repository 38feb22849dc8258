"""Digests of what never changes (comments, timeline entries), by which a flipped bit is found. SQLite only.

Rows are sealed in ranges of their ids: one digest for up to RANGE_ROWS rows. PostgreSQL has checksums
of its own for that. A migration that changes these rows must empty the table `digests`.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver

RANGE_ROWS = 1000  # about 300 KB: 5 ms to read and digest

# Columns by name, so that one that is added later changes no digest; text as bytes, for a flipped bit
# may leave what is no UTF-8.
_COLUMNS = {
    "comments": "id, ticket_id, parent, author_id, CAST(body AS BLOB), internal, created_at",
    "timeline": ("id, ticket_id, actor_id, CAST(action AS BLOB), CAST(data AS BLOB), version, internal, created_at"),
}
TABLES = tuple(_COLUMNS)
_ROWS = {
    name: f"SELECT {columns} FROM {name} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
    for name, columns in _COLUMNS.items()
}
_AFTER = (
    "SELECT first_id, last_id, row_count, digest FROM digests WHERE table_name = ? AND first_id > ? ORDER BY first_id"
)
_LAST = "SELECT first_id, last_id, row_count, digest FROM digests WHERE table_name = ? ORDER BY first_id DESC LIMIT 1"
_SEAL = "INSERT OR REPLACE INTO digests (table_name, first_id, last_id, row_count, digest) VALUES (?, ?, ?, ?, ?)"
_MAX_ID = 2**63 - 1


class Range(NamedTuple):
    """Rows of a table that were sealed together."""

    table: str
    first_id: int
    last_id: int
    row_count: int
    digest: bytes


def sealed_after(conn: Connection, table: str, row_id: int) -> Range | None:
    """Return the first range that begins after a row."""
    found = driver(conn).execute(_AFTER, (table, row_id)).fetchone()
    return Range(table, *found) if found else None


def is_unchanged(conn: Connection, sealed: Range) -> bool:
    """Return whether the rows of a range are those that were sealed."""
    return _read(conn, sealed.table, sealed.first_id, sealed.last_id, limit=sealed.row_count + 1) == sealed


def unsealed(conn: Connection, table: str) -> Range | None:
    """Return the next range to seal; it takes in the last one where that is short and unchanged."""
    found = driver(conn).execute(_LAST, (table,)).fetchone()
    last = Range(table, *found) if found else None
    if last and last.row_count < RANGE_ROWS and is_unchanged(conn, last):
        longer = _read(conn, table, last.first_id, _MAX_ID)
        return None if longer == last else longer
    return _read(conn, table, last.last_id + 1 if last else 0, _MAX_ID)


def seal(conn: Connection, made: Range) -> None:
    """Store the digest of a range."""
    driver(conn).execute(_SEAL, made)


def _read(conn: Connection, table: str, first_id: int, last_id: int, *, limit: int = RANGE_ROWS) -> Range | None:
    """Return the range of the rows that are there, holding one of them at a time; None where there is none."""
    digest = hashlib.sha256()
    ids: list[int] = []
    for row in driver(conn).execute(_ROWS[table], (first_id, last_id, limit)):
        ids.append(row[0])
        digest.update(msgspec.msgpack.encode(row))
    return Range(table, ids[0], ids[-1], len(ids), digest.digest()) if ids else None
