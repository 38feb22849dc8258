"""Lists of tickets on SQLite: which way to walk is chosen by counts, and each way has an end.

SQLite, left alone, takes an index that fits one filter and reads a million rows to sort 20 of them. Here
each ticket's facts are looked up along one of two kinds of way:

- in the order of the list, until the page is full: quick where many tickets pass the filter;
- through all that one filter lets through, then sorted: quick where few do.

`ticket_counts` tells how many pass. A walk in order ends where the other way would have been cheaper,
and then that one is taken: the worst costs twice the better of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy

from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.sqlite_sources import (
    EVERY,
    SKIPPED,
    Conditions,
    Source,
    conditions,
    in_order,
    narrow,
    of_statuses,
    select,
)
from helpdesk.db.ticket_lists import Filter, Order, Stamp

QUICK = 1000  # rows along the order before anything is counted: a quarter of a millisecond
COUNTED_MAX = 200_000  # entries of an index that are counted (15 ns each)
WALK_MIN = 1000.0  # µs that a walk in order gets at least
SORTED = 0.9  # µs to sort one ticket by a column of its row
_NO_LIMIT = -1

Row = tuple[int, int]  # a ticket's id and what it is sorted by


def stamps(conn: Connection, ids: Sequence[int]) -> list[Stamp]:
    """Return the stamps of these tickets, in the order of `ids`."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT id, version, comment_count, breached, created_at FROM tickets WHERE id IN ({marks})"
    found = {row[0]: Stamp(*row) for row in driver(conn).execute(sql, ids)}
    return [found[i] for i in ids]


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """Return the stamps of a page of tickets, in order. `where.words` is not looked at."""
    found = Listing(conn, where, order, conditions(conn, where, now=now))
    return stamps(conn, found.page(limit=limit, offset=offset))


def one(conn: Connection, ticket_id: int, where: Filter, *, now: int) -> Stamp | None:
    """Return the stamp of the ticket if `where` lets it through."""
    wanted = conditions(conn, where, now=now)
    parts = " AND ".join(["f.id = :ticket", *wanted.parts.values()])
    row = driver(conn).execute(f"SELECT f.id FROM ticket_facts f WHERE {parts}", wanted.values | {"ticket": ticket_id})
    return next(iter(stamps(conn, [found[0] for found in row])), None)


class Listing:
    """The tickets of one filter in one order."""

    def __init__(self, conn: Connection, where: Filter, order: Order, wanted: Conditions) -> None:
        self._raw = driver(conn)
        self._where = where
        self._order = order
        self._wanted = wanted
        self._has_sets = False
        self._rows: dict[Source, float] = {}
        self.tickets: int = self._raw.execute("SELECT coalesce(max(id), 0) FROM ticket_facts").fetchone()[0]
        self.at_most = self.tickets  # no more than these pass
        self.passing = float(self.tickets)  # about so many do

    def page(self, *, limit: int, offset: int) -> list[int]:
        """Return the ids of a page."""
        first = in_order(self._where, self._order, self._wanted)[0]
        if self._is_covered(first):
            return _ids(self._run(first, limit, offset))
        if not self._has_sets and offset <= QUICK:
            quick = self._quickly(first, limit, offset)
            if quick is not None:
                return quick
        self.count(offset)
        if offset >= self.at_most:
            return []
        if self._is_exact and offset > self.at_most // 2:
            return self._from_the_end(limit, offset)
        return self._planned(limit, offset)

    def with_sets(self, wanted: Conditions, sets: dict[Source, float]) -> Listing:
        """Return the listing of those in all `sets` too, which have about so many tickets. Call `count` before."""
        narrower = copy(self)
        narrower._wanted, narrower._has_sets, narrower._rows = wanted, True, self._rows | sets
        for tickets in sets.values():
            narrower.passing *= min(1.0, tickets / max(1, self.tickets))
        return narrower

    def stream(self, wanted: float) -> Iterator[int]:
        """Yield the ids of all that pass, in order; about `wanted` are asked for. Call `count` before."""
        best = min(self._rows, key=lambda source: self._cost(source, wanted))
        for ticket_id, _ in self._rows_of(best, _NO_LIMIT, 0):
            yield ticket_id

    def cost_us(self, wanted: float) -> float:
        """Return about what it takes to read the first `wanted`. Call `count` before."""
        return min(self._cost(source, wanted) for source in self._rows)

    def count(self, offset: int = 0) -> None:
        """Find how many pass; what `ticket_counts` tells is exact, the other filters are taken to be independent."""
        if self._rows:
            return
        counted = self._counts()
        self.at_most, self.passing = counted["passing"], float(counted["passing"])
        for source in in_order(self._where, self._order, self._wanted):
            self._rows[source] = self.tickets if source.where == "1" else counted["priority"]
        self._rows[EVERY] = self.tickets
        if self._where.status:
            self._rows[of_statuses(self._where)] = counted["status"]
        enough = max(COUNTED_MAX, offset + 1)
        for source in narrow(self._where, self._wanted):
            sql = f"SELECT count(*) FROM (SELECT 1 FROM {source.table} WHERE {source.where} LIMIT {enough})"
            self._rows[source] = rows = self._raw.execute(sql, self._wanted.values).fetchone()[0]
            self.at_most = min(self.at_most, rows if rows < enough else self.tickets)
            if source.covers & {"owner", "creator", "tag"}:
                self.passing *= min(1.0, rows / max(1, self.tickets))

    def _counts(self) -> dict[str, int]:
        """Return how many tickets have all that `ticket_counts` knows, and how many the status or priority alone."""
        where = self._where
        statuses, priorities = _one_of("status", where.status), _one_of("priority", where.priority)
        breached = "1" if where.breached is None or self._wanted.any_due else f"breached = {int(where.breached)}"
        assignee = "assignee = :assignee" if "assignee" in self._wanted.parts else "1"
        sql = (
            f"SELECT sum(tickets) FILTER (WHERE {statuses} AND {priorities} AND {breached} AND {assignee}),"
            f" sum(tickets) FILTER (WHERE {statuses}), sum(tickets) FILTER (WHERE {priorities}) FROM ticket_counts"
        )
        row = self._raw.execute(sql, self._wanted.values).fetchone()
        return dict(zip(("passing", "status", "priority"), (number or 0 for number in row), strict=True))

    # Choosing.

    def _is_covered(self, source: Source) -> bool:
        return not self._wanted.parts.keys() - source.covers

    def _cost(self, source: Source, wanted: float | None) -> float:
        """Return about how many µs this way takes to the first `wanted` that pass, or to all."""
        rows = self._rows[source]
        if not source.key:
            return rows * source.row_us + SORTED * self.passing
        share = 1.0 if wanted is None else min(1.0, wanted / max(1.0, self.passing))
        row_us = SKIPPED if self._is_covered(source) else source.row_us
        # In another order than the list's, all of them are sorted.
        return rows * row_us * share if self._is_in_order(source) else rows * row_us + SORTED * self.passing

    def _is_in_order(self, source: Source) -> bool:
        return source.key.removeprefix("o.") == {"priority": "priority_rank"}.get(
            self._order.column, self._order.column
        )

    def _quickly(self, first: Source, limit: int, offset: int) -> list[int] | None:
        """Return the page if a short walk fills it."""
        statuses = self._where.status
        if self._order.column != "sla_deadline" or len(statuses) < 2:
            found = self._within(first, QUICK, limit, offset)
            return None if found is None else _ids(found)
        # The head of each status' list: what agents look at most, and rare among all tickets.
        rows: list[Row] = []
        for status in statuses:
            head = self._within(of_statuses(self._where, status), QUICK, offset + limit, 0)
            if head is None:
                return None
            rows += head
        rows.sort(key=lambda row: (row[1], row[0]), reverse=self._order.descending)
        return _ids(rows[offset : offset + limit])

    @property
    def _is_exact(self) -> bool:
        return self._wanted.parts.keys() <= {"kind", "assignee"} and not self._wanted.any_due

    def _from_the_end(self, limit: int, offset: int) -> list[int]:
        """Return the page by walking in the other direction, which is shorter; how many pass must be known."""
        backwards = copy(self)
        backwards._order = Order(self._order.column, not self._order.descending)
        limit = min(limit, self.at_most - offset)
        return backwards._planned(limit, self.at_most - offset - limit)[::-1]

    def _planned(self, limit: int, offset: int) -> list[int]:
        """Return the page by the way that costs least, or by the next if that leads nowhere."""
        ways = list(self._rows)
        best = min(ways, key=lambda source: self._cost(source, offset + limit))
        surest = min(ways, key=lambda source: self._cost(source, None))
        if self._is_in_order(best) and best != surest:
            rows = round(max(self._cost(surest, None), WALK_MIN) / best.row_us)
            found = self._within(best, rows, limit, offset)
            if found is not None:
                return _ids(found)
            best = surest
        return _ids(self._run(best, limit, offset))

    # Walking.

    def _within(self, source: Source, rows: int, limit: int, offset: int) -> list[Row] | None:
        """Return the page if it is full within the first so many rows of this way, or if it has no more."""
        direction = "DESC" if self._order.descending else "ASC"
        last = (
            f"SELECT {source.ticket}, {source.key} FROM {source.table} WHERE {source.where}"
            f" ORDER BY {source.key} {direction}, {source.ticket} {direction} LIMIT 1 OFFSET {rows}"
        )
        bound = self._raw.execute(last, self._wanted.values).fetchone()
        found = self._run(source, limit, offset, bound)
        return found if bound is None or len(found) == limit else None

    def _run(self, source: Source, limit: int, offset: int, bound: Row | None = None) -> list[Row]:
        return list(self._rows_of(source, limit, offset, bound))

    def _rows_of(self, source: Source, limit: int, offset: int, bound: Row | None = None) -> Iterator[Row]:
        if not self._is_in_order(source):
            source = Source(source.table, source.ticket, source.where, source.covers)
        parts = [part for name, part in self._wanted.parts.items() if name not in source.covers]
        sql = select(source, parts, self._order, is_bounded=bound is not None)
        values = self._wanted.values | {"limit": limit, "offset": offset}
        if bound is not None:
            values |= {"bound_id": bound[0], "bound_key": bound[1]}
        return self._raw.execute(sql, values)


def _one_of(column: str, names: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(name)) for name in names)})" if names else "1"


def _ids(rows: Sequence[Row]) -> list[int]:
    return [row[0] for row in rows]
