"""The search index on SQLite: one row of FTS5 for each document."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from helpdesk.db.engine import Connection
from helpdesk.db.sqlite_connection import driver
from helpdesk.db.ticket_lists import Scope

DOCUMENT_BITS = 24  # room for 16 million comments a ticket and 2**39 tickets in SQLite's 64-bit rowid
_DOCUMENTS = 1 << DOCUMENT_BITS
# FTS5 has lists of its own for beginnings this short (`prefix` in the schema); for a longer one it
# merges the lists of all words that begin so before it gives the first row (measured at a million
# tickets: 31 ms against 0.04 ms for the word itself). So we look the words up and name each.
PREFIX_INDEXED = 3
EXPANDED_MAX = 64  # words that one beginning is spelled out into; with more of them, each is rare
_STEPS = 24  # rows that are passed over one by one before a new query is cheaper (30 µs)
_KNOWN_MAX = 50_000  # words that the writer remembers to have stored

_COLUMNS: dict[Scope, str] = {
    "everything": "{title body internal}",
    "public": "{title body}",
    "title": "{title}",
}

# FTS5 has a grammar of its own, so nothing here is an expression of SQLAlchemy's.
_INSERT = "INSERT INTO search (rowid, owner, title, body, internal) VALUES (?, ?, ?, ?, ?)"
_DELETE = "INSERT INTO search (search, rowid, owner, title, body, internal) VALUES ('delete', ?, ?, ?, ?, '')"


def add(
    conn: Connection,
    ticket_id: int,
    document: int,
    *,
    owner_id: int,
    title: str,
    body: str,
    internal: str,
) -> None:
    """Index a new document of a ticket that `owner_id` created; the texts are words with blanks between."""
    rowid = (ticket_id << DOCUMENT_BITS) + document
    driver(conn).execute(_INSERT, (rowid, str(owner_id), title, body, internal))
    _store_words(conn, f"{title} {body} {internal}".split())


def _store_words(conn: Connection, words: Iterable[str]) -> None:
    # What this transaction stored is forgotten with it, should it be rolled back.
    known: set[str] = conn.info.setdefault("known_words", set())
    new = [(word,) for word in words if word not in known and len(word) > PREFIX_INDEXED]
    if new:
        driver(conn).executemany("INSERT OR IGNORE INTO words (word) VALUES (?)", new)
        if len(known) > _KNOWN_MAX:
            known.clear()
        known.update(word for (word,) in new)


def remove(conn: Connection, ticket_id: int, document: int, *, owner_id: int, title: str, body: str) -> None:
    """Take a document out. The texts must be those it was added with: the index keeps no copy."""
    rowid = (ticket_id << DOCUMENT_BITS) + document
    driver(conn).execute(_DELETE, (rowid, str(owner_id), title, body))


def remove_all(conn: Connection) -> None:
    """Empty the index."""
    driver(conn).execute("INSERT INTO search (search) VALUES ('delete-all')")
    driver(conn).execute("DELETE FROM words")
    conn.info.pop("known_words", None)


def expression(conn: Connection, word: str, scope: Scope, owner_id: int | None) -> str:
    """The FTS5 query for words that begin with `word` (letters and digits only) where `scope` says.

    With `owner_id`, only in tickets which that person created.
    """
    found = f"{_COLUMNS[scope]} : ({_spelled_out(conn, word)})"
    return found if owner_id is None else f'owner : "{owner_id}" AND {found}'


def _spelled_out(conn: Connection, word: str) -> str:
    if len(word) > PREFIX_INDEXED:
        rows = driver(conn).execute(
            "SELECT word FROM words WHERE word BETWEEN ? AND ? LIMIT ?",
            (word, word + "\U0010ffff", EXPANDED_MAX + 1),
        )
        words = [row[0] for row in rows]
        if len(words) <= EXPANDED_MAX:
            return " OR ".join(f'"{w}"' for w in words or [word])
    return f'"{word}" *'


class _Tickets:
    """The tickets that match one FTS5 query, in the order of their ids, read as far as they are asked for."""

    def __init__(self, raw: sqlite3.Connection, query: str, *, descending: bool) -> None:
        self._raw = raw
        self._query = query
        self._sql = (
            "SELECT rowid FROM search WHERE search MATCH ? AND rowid <= ? ORDER BY rowid DESC"
            if descending
            else "SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? ORDER BY rowid"
        )
        self._sign = -1 if descending else 1
        self._rows: Iterator[tuple[int]] = iter(())
        self._current: int | None = None

    def seek(self, bound: int) -> int | None:
        """The first ticket at or beyond `bound`, in the direction of reading; None when there is none."""
        if self._current is None or self._sign * (self._current - bound) < 0:
            for (rowid,) in islice(self._rows, _STEPS):
                self._current = rowid >> DOCUMENT_BITS
                if self._sign * (self._current - bound) >= 0:
                    return self._current
            self._restart(bound)
        return self._current

    def _restart(self, bound: int) -> None:
        rowid = bound * _DOCUMENTS if self._sign > 0 else (bound + 1) * _DOCUMENTS - 1
        self._rows = iter(self._raw.execute(self._sql, (self._query, rowid)))
        row = next(self._rows, None)
        self._current = row[0] >> DOCUMENT_BITS if row else None


def tickets(conn: Connection, queries: Sequence[str], *, descending: bool) -> Iterator[int]:
    """Ids of the tickets that match every one of the FTS5 queries, each in any of its documents, in order.

    Reads no further than it is asked to (a leapfrog join): three words that stand in every second
    ticket cost no more than a page of them.
    """
    streams = [_Tickets(driver(conn), query, descending=descending) for query in queries]
    step = -1 if descending else 1
    bound = (1 << 62 - DOCUMENT_BITS) if descending else 0
    while True:
        agreed = bound
        for stream in streams:
            found = stream.seek(agreed)
            if found is None:
                return
            agreed = found
        if agreed == bound or all(stream.seek(agreed) == agreed for stream in streams):
            yield agreed
            agreed += step
        bound = agreed


def matches(conn: Connection, ticket_id: int, queries: Sequence[str]) -> bool:
    """Whether the ticket matches every one of the FTS5 queries."""
    first = ticket_id << DOCUMENT_BITS
    sql = "SELECT 1 FROM search WHERE search MATCH ? AND rowid BETWEEN ? AND ? LIMIT 1"
    raw = driver(conn)
    return all(raw.execute(sql, (query, first, first + _DOCUMENTS - 1)).fetchone() for query in queries)
