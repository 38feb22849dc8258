"""A page of the tickets with certain words, on SQLite: which way to go is chosen by a sample of the words.

FTS5 finds the documents with a word in the order of their tickets' ids, 20 million of them a second. So
there are three ways, each with an end:

- along the ids (id_ranges.py), for orders that follow them: quick where many tickets match;
- in the order of the list (sqlite_lists.py), asking one ticket after the other for its words;
- the same, with "is one of all that have this word" as one more condition, for words that are rare.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod

from helpdesk.db import ticket_facts
from helpdesk.db.engine import Connection
from helpdesk.db.search import fts5, id_ranges
from helpdesk.db.search.fts5 import Word
from helpdesk.db.search.id_ranges import Pass
from helpdesk.db.sqlite_lists import Listing, stamps
from helpdesk.db.sqlite_sources import Source, conditions
from helpdesk.db.ticket_lists import Filter, Order, Stamp
from helpdesk.terms import PRIORITIES

FIRST_RANGES = 3000  # tickets along the ids before anything is weighed: two milliseconds
BATCH_MIN, BATCH_MAX = 64, 1024
# Words whose frequency is looked at (0.5 ms each), the longest, and those that may become sets, the rarest. A query
# has up to 500: what these let through is asked for the others.
WEIGHED_MAX, SETS_MAX = 32, 4
# µs, measured at a million tickets: one document of a word; one ticket asked for a word, far from the
# one before and near it.
DOCUMENT, ASKED_FAR, ASKED_NEAR = 0.12, 40.0, 5.0
NEAR = 1 / 16  # of all tickets: what is so dense is near each other


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """Return the stamps of a page of tickets that have all of `where.words`, in order.

    "relevance" puts those with every word in the title before the others, each the newest first.
    """
    return _Search(conn, where, order, now=now).page(limit, offset)


class _Search:
    def __init__(self, conn: Connection, where: Filter, order: Order, *, now: int) -> None:
        self._conn = conn
        self._where = where
        self._order = order
        self._wanted = conditions(conn, where, now=now)
        # The longest first, since they are the rarest.
        self._words = [self._word(word) for word in sorted(where.words, key=len, reverse=True)]
        listed_by = Order() if order.column == "relevance" else order
        self._listing = Listing(conn, where, listed_by, self._wanted)

    def _word(self, begins: str, *, in_title: bool = False) -> Word:
        owner_id = self._where.owner_id or self._where.creator_id
        return fts5.word(self._conn, begins, "title" if in_title else self._where.scope, owner_id)

    def page(self, limit: int, offset: int) -> list[Stamp]:
        """Return the stamps of a page."""
        passes = self._passes()
        found = self._along_ids(passes, limit, offset, within=FIRST_RANGES) if passes else None
        if found is None:
            found = self._planned(passes, limit, offset)
        shown = stamps(self._conn, found)
        if self._order.column != "created_at" or not passes or self._follows_the_clock(shown):
            return self._by_time(shown)
        self._listing.count(offset)
        self._weigh()
        return stamps(self._conn, self._in_order(self._sets_max, limit, offset))

    # Along the ids.

    def _passes(self) -> list[Pass]:
        """Return the walks along the ids that make up the order; none where it does not follow them."""
        queries = tuple(word.first for word in self._words)
        parts = tuple(self._wanted.parts.values())
        if self._order.column == "created_at":
            return [Pass(parts, queries)]
        if self._order.column == "priority":
            ranks = [n for n, name in enumerate(PRIORITIES) if name in (self._where.priority or PRIORITIES)]
            passes = [Pass((f"{ticket_facts.RANK} = {rank}", *parts), queries) for rank in ranks]
            return passes[::-1] if self._order.descending else passes
        if self._order.column == "relevance":
            title = tuple(self._title_queries())
            passes = [Pass(parts, title), Pass(parts, queries, but_not=title)]
            return passes[::-1] if self._order.descending else passes
        return []

    def _title_queries(self) -> list[str]:
        words = sorted(self._where.words, key=len, reverse=True)
        return [self._word(word, in_title=True).first for word in words]

    def _along_ids(self, passes: list[Pass], limit: int, offset: int, *, within: int | None = None) -> list[int] | None:
        by_relevance = self._order.column == "relevance"
        return id_ranges.page(
            self._conn,
            passes,
            self._wanted.values,
            self._listing.tickets,
            descending=self._order.descending != by_relevance,  # the best are the newest
            limit=limit,
            offset=offset,
            within=within,
        )

    def _follows_the_clock(self, shown: list[Stamp]) -> bool:
        """Return whether the page is the same by id and by time: no clock was set back across its ends."""
        ends = [*shown[:1], *shown[-1:]]
        return not any(ticket_facts.is_misdated_across(self._conn, end.id, end.created_at) for end in ends)

    def _by_time(self, shown: list[Stamp]) -> list[Stamp]:
        if self._order.column != "created_at":
            return shown
        return sorted(shown, key=lambda one: (one.created_at, one.id), reverse=self._order.descending)

    # Weighing.

    def _planned(self, passes: list[Pass], limit: int, offset: int) -> list[int]:
        """Return the page by the way that costs least, by what a sample of the words tells."""
        self._listing.count(offset)
        if offset >= self._listing.at_most:
            return []
        self._weigh()
        if self._order.column == "relevance":
            return self._by_relevance(passes, limit, offset)
        wanted = limit + offset
        best = min(range(self._sets_max + 1), key=lambda as_sets: self._cost(as_sets, wanted))
        if passes and len(passes) * self._cost_along_ids(wanted) <= self._cost(best, wanted):
            return self._along_ids(passes, limit, offset) or []
        return self._in_order(best, limit, offset)

    def _weigh(self) -> None:
        """Find how frequent the words are; the rarest come first then, and those that were not looked at last."""
        weighed, others = self._words[:WEIGHED_MAX], self._words[WEIGHED_MAX:]
        sampled = [(fts5.frequency(self._conn, word.first, self._listing.tickets), word) for word in weighed]
        sampled.sort(key=lambda pair: pair[0].documents)
        self._frequencies = [frequency for frequency, _ in sampled]
        self._words = [word for _, word in sampled] + others

    @property
    def _sets_max(self) -> int:
        return min(SETS_MAX, len(self._frequencies))

    def _cost_along_ids(self, wanted: int) -> float:
        """Return about how many µs it takes to walk along the ids until so many are found."""
        matching = self._listing.passing * prod(one.share for one in self._frequencies)
        share = min(1.0, wanted / max(1.0, matching))
        documents = sum(one.documents for one in self._frequencies)
        return share * (DOCUMENT * documents + 0.1 * self._listing.tickets)

    def _cost(self, as_sets: int, wanted: int) -> float:
        """Return the same for the order of the list, with so many of the words (the rarest first) as sets."""
        listing, sets = self._with_sets(as_sets)
        asked = self._frequencies[as_sets:]
        candidates = min(listing.passing, wanted / prod(one.share for one in asked))
        far = listing.passing < NEAR * listing.tickets
        asking = candidates * sum(prod(one.share for one in asked[:n]) for n in range(len(asked)))
        return sets + listing.cost_us(candidates) + asking * (ASKED_FAR if far else ASKED_NEAR)

    def _with_sets(self, as_sets: int) -> tuple[Listing, float]:
        """Return the listing of what has the first so many words, and what these cost."""
        wanted, sets, cost = self._wanted, dict[Source, float](), 0.0
        for n in range(as_sets):
            name, frequency = f"word_{n}", self._frequencies[n]
            ids = f"SELECT rowid >> {fts5.DOCUMENT_BITS} AS id FROM search WHERE search MATCH :{name}"
            wanted = wanted.with_part(name, f"f.id IN ({ids})", self._words[n].all)
            source = Source(f"(SELECT DISTINCT {ids.removeprefix('SELECT ')}) o", covers=frozenset({name}))
            sets[source] = frequency.share * self._listing.tickets
            cost += DOCUMENT * frequency.documents
        return self._listing.with_sets(wanted, sets), cost

    # In the order of the list.

    def _in_order(self, as_sets: int, limit: int, offset: int) -> list[int]:
        """Return the page in the order of the list, with so many of the words as sets, and asking for the others."""
        listing, _ = self._with_sets(as_sets)
        if as_sets == len(self._words):
            return listing.page(limit=limit, offset=offset)
        shares = (one.share for one in self._frequencies[as_sets:])
        candidates = listing.stream((limit + offset) / prod(shares))
        queries = [word.first for word in self._words[as_sets:]]
        return list(islice(self._having(candidates, queries), offset, offset + limit))

    def _having(self, candidates: Iterator[int], queries: list[str]) -> Iterator[int]:
        """Yield those of the tickets that match every query, in their order."""
        size = BATCH_MIN
        while batch := list(islice(candidates, size)):
            found = fts5.among(self._conn, queries, batch)
            yield from (ticket_id for ticket_id in batch if ticket_id in found)
            size = min(2 * size, BATCH_MAX)

    def _by_relevance(self, passes: list[Pass], limit: int, offset: int) -> list[int]:
        """Return the page along the ids, or, where the filter lets few through, by asking each of them."""
        few = self._listing.passing * 2 * len(self._words) * ASKED_FAR + self._listing.cost_us(self._listing.passing)
        if few > sum(DOCUMENT * one.documents for one in self._frequencies):
            return self._along_ids(passes, limit, offset) or []
        candidates = list(self._listing.stream(self._listing.passing))
        found = fts5.among(self._conn, [word.first for word in self._words], candidates)
        best = fts5.among(self._conn, self._title_queries(), found)
        ids = sorted(found, key=lambda ticket_id: (ticket_id in best, ticket_id), reverse=not self._order.descending)
        return ids[offset : offset + limit]
