"""The search index on SQLite: one row of FTS5 for each document."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.ticket_lists import Scope

DOCUMENT_BITS = 32  # room for 2**32 comments and 2**31 tickets in SQLite's 64-bit rowid
_DOCUMENTS = 1 << DOCUMENT_BITS
# FTS5 has lists of its own for beginnings this short (`prefix` in the schema); for a longer one it
# merges the lists of all words that begin so before it gives the first row (measured at a million
# tickets: 31 ms against 0.04 ms for the word itself). So we look the words up and name each.
PREFIX_INDEXED = 3
EXPANDED_MAX = 64  # words that one beginning is spelled out into; with more of them, each is rare
_STEPS = 24  # rows that are passed over one by one before a new query is cheaper (30 µs)
SAMPLES, SAMPLE_SIZE = 4, 512  # where, and how many tickets each, a word's frequency is looked at
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


class Word(NamedTuple):
    """One word to look for, as FTS5 queries: quick to its first documents, and quick to all of them."""

    first: str
    all: str


def word(conn: Connection, begins: str, scope: Scope, owner_id: int | None) -> Word:
    """Return the queries for words that begin with `begins` (letters and digits only) where `scope` says.

    With `owner_id`, only in tickets which that person created.
    """
    owner = "" if owner_id is None else f'owner : "{owner_id}" AND '
    prefix = f'"{begins}" *'
    spelled = _spelled_out(conn, begins) or prefix
    return Word(f"{owner}{_COLUMNS[scope]} : ({spelled})", f"{owner}{_COLUMNS[scope]} : ({prefix})")


def _spelled_out(conn: Connection, begins: str) -> str | None:
    if len(begins) <= PREFIX_INDEXED:
        return None
    rows = driver(conn).execute(
        "SELECT word FROM words WHERE word BETWEEN ? AND ? LIMIT ?",
        (begins, begins + "\U0010ffff", EXPANDED_MAX + 1),
    )
    words = [row[0] for row in rows]
    return " OR ".join(f'"{one}"' for one in words or [begins]) if len(words) <= EXPANDED_MAX else None


class _Tickets:
    """The tickets that match one FTS5 query, in the order of their ids, read as far as they are asked for."""

    def __init__(self, raw: sqlite3.Connection, query: str) -> None:
        self._raw = raw
        self._query = query
        self._rows: Iterator[tuple[int]] = iter(())
        self._current = 0

    def seek(self, ticket_id: int) -> int:
        """Return the first that matches from `ticket_id` on, which grows with each call; a great number for none."""
        if self._current < ticket_id:
            for (rowid,) in islice(self._rows, _STEPS):
                self._current = rowid >> DOCUMENT_BITS
                if self._current >= ticket_id:
                    return self._current
            sql = "SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? ORDER BY rowid"
            self._rows = iter(self._raw.execute(sql, (self._query, ticket_id << DOCUMENT_BITS)))
            row = next(self._rows, None)
            self._current = row[0] >> DOCUMENT_BITS if row else 1 << 62
        return self._current


def among(conn: Connection, queries: Sequence[str], ids: Iterable[int]) -> set[int]:
    """Return those of the tickets that match every one of the FTS5 queries."""
    found = sorted(ids)
    for query in queries:
        stream = _Tickets(driver(conn), query)
        found = [ticket_id for ticket_id in found if stream.seek(ticket_id) == ticket_id]
    return set(found)


class Frequency(NamedTuple):
    """About how many documents have a word, and which share of the tickets."""

    documents: float
    share: float


def frequency(conn: Connection, query: str, tickets: int) -> Frequency:
    """Return how frequent what matches is, by a sample of the tickets, whose ids go up to `tickets`."""
    sql = "SELECT count(*), count(DISTINCT rowid >> ?) FROM search WHERE search MATCH ? AND rowid BETWEEN ? AND ?"
    size = min(SAMPLE_SIZE, max(1, tickets // SAMPLES))
    documents = found = 0
    for n in range(SAMPLES):
        first = tickets * n // SAMPLES + 1
        bounds = (first << DOCUMENT_BITS, ((first + size) << DOCUMENT_BITS) - 1)
        row = driver(conn).execute(sql, (DOCUMENT_BITS, query, *bounds)).fetchone()
        documents, found = documents + row[0], found + row[1]
    looked_at = size * SAMPLES
    # One that was not seen at all may still have as many as a sample can miss.
    return Frequency(max(documents, 1) * max(1.0, tickets / looked_at), min(1.0, max(found, 1) / looked_at))
