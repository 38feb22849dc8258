"""Whatever a list is asked for, the answer is the one that its definition gives, whichever way it was found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text

from helpdesk.db import sqlite_lists, ticket_facts, ticket_pages
from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.search import fts5_pages, id_ranges
from helpdesk.db.ticket_lists import Filter, Order
from helpdesk.domain import tickets
from helpdesk.domain.access import Actor
from helpdesk.messages.tickets import NewTicket
from tests.conftest import START
from tests.databases import Databases
from tests.db import generated_desks

SORTS = ("created_at", "updated_at", "sla_deadline", "priority", "relevance")
FILTERS: dict[str, tuple[Any, ...]] = {
    "status": ((), ("open",), ("closed", "open", "pending"), ("resolved", "in_progress")),
    "priority": ((), ("low",), ("urgent", "medium")),
    "assignee_id": (None, 4, 99),
    "unassigned": (False, True),
    "creator_id": (None, 1),
    "tag": (None, "net", "nosuchtag"),
    "breached": (None, True, False),
    "words": ((), ("al",), ("b", "alpi"), ("alps", "beta", "d"), ("delta",), ("zz",)),
    "viewer": ((None, "everything"), (2, "public")),
    "without_id": (None, 45),
}
NEVER = 1e12
# Small desks are answered by the first look alone; these let each of the other ways answer.
WAYS: dict[str, list[tuple[Any, str, float]]] = {
    "as it is": [],
    "counted": [(sqlite_lists, "QUICK", -1), (fts5_pages, "FIRST_RANGES", 0)],
    "all sorted": [(sqlite_lists, "QUICK", -1), (sqlite_lists, "SORTED", 0), (fts5_pages, "FIRST_RANGES", 0)],
    "walks cut short": [
        (sqlite_lists, "QUICK", -1),
        (sqlite_lists, "WALK_MIN", 1),
        (sqlite_lists, "SORTED", 0.01),
        (fts5_pages, "FIRST_RANGES", 0),
    ],
    "short ranges": [(sqlite_lists, "QUICK", 5), (id_ranges, "RANGE_MIN", 4), (fts5_pages, "DOCUMENT", 0)],
    "words as sets": [
        (sqlite_lists, "QUICK", 3),
        (fts5_pages, "FIRST_RANGES", 0),
        (fts5_pages, "ASKED_FAR", NEVER),
        (fts5_pages, "ASKED_NEAR", NEVER),
    ],
    "one word weighed": [(fts5_pages, "FIRST_RANGES", 0), (fts5_pages, "WEIGHED_MAX", 1)],
    "words asked for": [
        (sqlite_lists, "QUICK", 3),
        (fts5_pages, "FIRST_RANGES", 0),
        (fts5_pages, "BATCH_MIN", 3),
        (fts5_pages, "ASKED_FAR", 0),
        (fts5_pages, "ASKED_NEAR", 0),
        (fts5_pages, "DOCUMENT", NEVER),
    ],
}


def filters() -> Iterator[Filter]:
    """Every combination that makes sense."""
    for values in product(*FILTERS.values()):
        given = dict(zip(FILTERS, values, strict=True))
        owner_id, scope = given.pop("viewer")
        if not (given["unassigned"] and given["assignee_id"]):
            yield Filter(**given, owner_id=owner_id, scope=scope)


@pytest.mark.parametrize("way", WAYS)
def test_every_combination_gives_the_tickets_of_its_definition(
    databases: Databases, conn: Connection, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, way: str
) -> None:
    if way != "as it is" and request.config.getoption("--engine") == "postgresql":
        pytest.skip("PostgreSQL chooses its ways by itself")
    for module, name, value in WAYS[way]:
        monkeypatch.setattr(module, name, value)
    rnd, share = random.Random(way), 0.125 if way == "as it is" and is_sqlite(conn) else 0.025
    generated_desks.make(databases, conn, seed=len(way), count=90)
    with databases.transaction(conn):
        known = generated_desks.read(conn)
        for where in filters():
            if rnd.random() < share:
                check(conn, known, where, rnd)


def check(conn: Connection, known: list[generated_desks.Known], where: Filter, rnd: random.Random) -> None:
    """One page, anywhere in the list, while some deadlines have passed without an entry or none has."""
    order = Order(rnd.choice(SORTS if where.words else SORTS[:-1]), rnd.random() < 0.5)
    asked = {
        "now": START + rnd.choice((-(10**9), 600_000)),
        "limit": rnd.choice((1, 4, 21, 101)),
        "offset": rnd.choice((0, 0, 3, 20, 60, 10**12)),
    }
    found = ticket_pages.page(conn, where, order, **asked)
    assert found == generated_desks.page(known, where, order, **asked), (where, order, asked)


@pytest.mark.parametrize("column", SORTS)
def test_a_query_may_have_hundreds_of_words(
    databases: Databases, conn: Connection, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Each is in one ticket of many, so that by their shares together no ticket is left."""
    monkeypatch.setattr(fts5_pages, "FIRST_RANGES", 0)
    generated_desks.make(databases, conn, seed=9, count=40)
    words = tuple(chr(0x4E00 + n) for n in range(499))
    with databases.transaction(conn):
        agent = Actor(4, "agent0", None, "agent")
        new = NewTicket("All of them", " ".join(words))
        made = tickets.create(conn, agent, new, now=START, may_set_sla=False).ticket.id
    with databases.transaction(conn):
        for where in (Filter(words=words), Filter(words=words, status=("open",)), Filter(words=(*words, "zz"))):
            found = ticket_pages.page(conn, where, Order(column), now=START, limit=20, offset=0)
            assert [stamp.id for stamp in found] == ([] if "zz" in where.words else [made])


@pytest.mark.sqlite
def test_facts_kept_by_each_change_are_those_of_all_tickets(databases: Databases, conn: Connection) -> None:
    generated_desks.make(databases, conn, seed=5, count=60)

    def facts() -> list[Any]:
        return [conn.execute(text(f"SELECT * FROM {name}")).all() for name in ("ticket_facts", "misdated_tickets")]

    with databases.transaction(conn):
        kept = facts()
        ticket_facts.rebuild(conn)
        assert kept == facts() and all(kept)


def test_pages_of_one_list_are_the_list(databases: Databases, conn: Connection) -> None:
    generated_desks.make(databases, conn, seed=3, count=60)
    with databases.transaction(conn):
        known = generated_desks.read(conn)
        for column, words in product(SORTS, ((), ("al",))):
            where, order = Filter(words=words), Order(column, True)
            if column == "relevance" and not words:
                continue
            pages = [ticket_pages.page(conn, where, order, now=START, limit=7, offset=n) for n in range(0, 70, 7)]
            listed = generated_desks.page(known, where, order, now=START, limit=100, offset=0)
            assert [stamp for one in pages for stamp in one] == listed, (column, words)
