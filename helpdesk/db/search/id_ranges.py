"""Walking along the ids of tickets, range by range, through those that have certain words; on SQLite.

All of a range is found by one statement, inside SQLite: a fetch of each document would cost eight times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.search.fts5 import DOCUMENT_BITS

RANGE_MIN, GROWTH = 256, 8
_OF_RANGE = f"SELECT rowid >> {DOCUMENT_BITS} FROM search WHERE rowid BETWEEN :first AND :last AND search MATCH"


class Pass(msgspec.Struct, frozen=True):
    """One walk over all ids: what the facts `f` fulfil, queries that all match, and queries that do not all match."""

    parts: tuple[str, ...]
    queries: tuple[str, ...]
    but_not: tuple[str, ...] = ()


def page(
    conn: Connection,
    passes: Sequence[Pass],
    values: dict[str, Any],
    tickets: int,
    *,
    descending: bool,
    limit: int,
    offset: int,
    within: int | None = None,
) -> list[int] | None:
    """Return a page of what one pass after the other finds, each in the order of ids, which go up to `tickets`.

    None if it takes more than so many tickets to fill it.
    """
    found: list[int] = []
    for one in passes:
        walk = _Walk(conn, one, values, tickets, descending=descending)
        while (bounds := walk.next_range(offset + limit - len(found))) is not None:
            if within is not None and (within := within - (bounds[1] - bounds[0] + 1)) < 0:
                return None
            if offset >= RANGE_MIN and (passed := walk.count(bounds)) <= offset:
                offset -= passed
                continue
            ids = walk.ids(bounds)
            found += ids[offset:]
            offset = max(0, offset - len(ids))
            if len(found) >= limit:
                return found[:limit]
    return found


class _Walk:
    """Where one pass is, and how dense what it looks for has been so far."""

    def __init__(self, conn: Connection, what: Pass, values: dict[str, Any], tickets: int, *, descending: bool) -> None:
        self._raw = driver(conn)
        self._left = (1, tickets)
        self._descending = descending
        self._size = RANGE_MIN / GROWTH
        self._seen = self._found = 0
        self._values = dict(values)
        conditions = ["f.id BETWEEN :low AND :high", *what.parts]
        conditions += [f"f.id IN ({_OF_RANGE} {self._bound(query)})" for query in what.queries]
        if what.but_not:
            each = " AND ".join(f"f.id IN ({_OF_RANGE} {self._bound(query)})" for query in what.but_not)
            conditions.append(f"NOT ({each})")
        self._from = f"FROM ticket_facts f WHERE {' AND '.join(conditions)}"

    def _bound(self, query: str) -> str:
        name = f"query_{len(self._values)}"
        self._values[name] = query
        return f":{name}"

    def next_range(self, wanted: int) -> tuple[int, int] | None:
        """Return the first and last id of the next range, likely to hold `wanted`; None at the end."""
        low, high = self._left
        if low > high:
            return None
        most = self._size * GROWTH
        likely = 1.5 * wanted * self._seen / self._found if self._found else most
        self._size = min(most, max(RANGE_MIN, likely))
        if self._descending:
            low = max(low, high - int(self._size) + 1)
            self._left = (self._left[0], low - 1)
        else:
            high = min(high, low + int(self._size) - 1)
            self._left = (high + 1, self._left[1])
        self._seen += high - low + 1
        return low, high

    def count(self, bounds: tuple[int, int]) -> int:
        """Return how many the range has."""
        number = int(self._run("SELECT count(*)", bounds)[0][0])
        self._found += number
        return number

    def ids(self, bounds: tuple[int, int]) -> list[int]:
        """Return the ids of the range, in order."""
        rows = self._run("SELECT f.id", bounds, f" ORDER BY f.id {'DESC' if self._descending else 'ASC'}")
        self._found += len(rows)
        return [row[0] for row in rows]

    def _run(self, select: str, bounds: tuple[int, int], order: str = "") -> list[tuple[int]]:
        low, high = bounds
        first, last = low << DOCUMENT_BITS, ((high + 1) << DOCUMENT_BITS) - 1
        values = self._values | {"low": low, "high": high, "first": first, "last": last}
        return self._raw.execute(f"{select} {self._from}{order}", values).fetchall()
