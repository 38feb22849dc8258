"""A page of the tickets with certain words: along the words while that is quick, else along the order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import bindparam, exists, select

from helpdesk.db.engine import Connection
from helpdesk.db.schema import tickets
from helpdesk.db.search import fts5
from helpdesk.db.ticket_lists import Filter, Order, Stamp, stamps

CHUNK_MIN, CHUNK_MAX = 32, 500  # tickets whose other filters are looked at in one statement
# Tickets with the words that are looked at before the order of the list is followed instead: past
# these the other filters are so rare, or the sort so different, that the words lead nowhere.
ALONG_WORDS_MAX = 5000

# The sum keeps SQLite from walking along the ids, which would be nearly all of them: the index of
# times holds few that are newer than a page.
_id = tickets.c.id + 0
_NEWER_BELOW = select(exists().where(tickets.c.created_at > bindparam("at"), _id < bindparam("id")))
_OLDER_ABOVE = select(exists().where(tickets.c.created_at < bindparam("at"), _id > bindparam("id")))


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """The stamps of a page of tickets that have all of `where.words`, in order."""
    owner_id = where.owner_id or where.creator_id
    queries = [fts5.expression(conn, word, where.scope, owner_id) for word in where.words]
    wanted = offset + limit
    if order.column == "relevance":
        return list(islice(_by_relevance(conn, where, order, queries, now), offset, wanted))
    by_age = order.column == "created_at"
    ids = fts5.tickets(conn, queries, descending=order.descending or not by_age)
    found, is_all = _along_words(conn, where, ids, now, wanted if by_age else None)
    if is_all:
        return _sorted(conn, order, found, now=now, limit=limit, offset=offset)
    if by_age and len(found) >= wanted and _come_first(conn, order, found[:wanted]):
        first = sorted(found[:wanted], key=lambda one: (one.created_at, one.id), reverse=order.descending)
        return first[offset:]
    return list(islice(_along_order(conn, where, order, queries, now), offset, wanted))


def _along_words(
    conn: Connection, where: Filter, ids: Iterator[int], now: int, wanted: int | None
) -> tuple[list[Stamp], bool]:
    """Tickets of `ids` that pass the other filters, in their order, and whether these are all there are.

    Stops when `wanted` are found, or after ALONG_WORDS_MAX ids.
    """
    found: list[Stamp] = []
    seen, size = 0, max(CHUNK_MIN, min(CHUNK_MAX, wanted or CHUNK_MAX))
    while seen < ALONG_WORDS_MAX:
        chunk = list(islice(ids, size))
        found += _passing(conn, where, chunk, now)
        if len(chunk) < size:
            return found, True
        if wanted is not None and len(found) >= wanted:
            return found, False
        seen, size = seen + len(chunk), CHUNK_MAX
    return found, False


def _passing(conn: Connection, where: Filter, ids: Sequence[int], now: int) -> list[Stamp]:
    """Those of the tickets that pass the other filters, in the order of `ids`."""
    if not ids:
        return []
    found = {stamp.id: stamp for stamp in stamps(conn, where, Order(), now=now, ids=ids)}
    return [found[i] for i in ids if i in found]


def _sorted(conn: Connection, order: Order, found: list[Stamp], *, now: int, limit: int, offset: int) -> list[Stamp]:
    """A page of what was found, in order: all of it is there, so the database may sort it."""
    ids = [stamp.id for stamp in found]
    return list(stamps(conn, Filter(), order, now=now, ids=ids, limit=limit, offset=offset)) if ids else []


def _come_first(conn: Connection, order: Order, found: list[Stamp]) -> bool:
    """Whether the first by id are the first by time: beyond their ids, no clock was set back so far."""
    times = [stamp.created_at for stamp in found]
    if order.descending:
        return not conn.execute(_NEWER_BELOW, {"at": min(times), "id": found[-1].id}).scalar()
    return not conn.execute(_OLDER_ABOVE, {"at": max(times), "id": found[-1].id}).scalar()


def _along_order(conn: Connection, where: Filter, order: Order, queries: Sequence[str], now: int) -> Iterator[Stamp]:
    """All that match, in order: one ticket after the other is asked for its words."""
    for stamp in stamps(conn, where, order, now=now):
        if fts5.matches(conn, stamp.id, queries):
            yield stamp


def _by_relevance(conn: Connection, where: Filter, order: Order, queries: Sequence[str], now: int) -> Iterator[Stamp]:
    """Those with every word in the title, then the others, each the newest first; or all of that reversed."""
    owner_id = where.owner_id or where.creator_id
    in_title = [fts5.expression(conn, word, "title", owner_id) for word in where.words]
    newest_first = not order.descending
    best = fts5.tickets(conn, in_title, descending=newest_first)
    best_again = fts5.tickets(conn, in_title, descending=newest_first)
    others = _without(fts5.tickets(conn, queries, descending=newest_first), best_again, descending=newest_first)
    for ids in (best, others) if newest_first else (others, best):
        while chunk := list(islice(ids, CHUNK_MIN)):
            yield from _passing(conn, where, chunk, now)


def _without(ids: Iterator[int], left_out: Iterator[int], *, descending: bool) -> Iterator[int]:
    """`ids` but those in `left_out`; both in the same order."""
    sign = -1 if descending else 1
    skip = next(left_out, None)
    for ticket_id in ids:
        while skip is not None and sign * (skip - ticket_id) < 0:
            skip = next(left_out, None)
        if ticket_id != skip:
            yield ticket_id
