"""A page of tickets in the order of a list, with words to look for or without, by the engine's own plans."""

from __future__ import annotations

from helpdesk.db import sqlite_lists, ticket_lists
from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.search import fts5_pages, tsvector
from helpdesk.db.ticket_lists import Filter, Order, Stamp


def page(conn: Connection, where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """Return the stamps of a page of the tickets that `where` lets through, in order.

    `now` decides which clocks have passed their deadline. "relevance", which needs words, puts those with
    every word in the title before the others, each the newest first.
    """
    if is_sqlite(conn):
        find = fts5_pages.page if where.words else sqlite_lists.page
    else:
        find = tsvector.page if where.words else ticket_lists.page
    return find(conn, where, order, now=now, limit=limit, offset=offset)


def one(conn: Connection, ticket_id: int, where: Filter, *, now: int) -> Stamp | None:
    """Return the stamp of the ticket if `where`, but for its words, lets it through."""
    find = sqlite_lists.one if is_sqlite(conn) else ticket_lists.one
    return find(conn, ticket_id, where, now=now)
