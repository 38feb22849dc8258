"""Desks made at random by the domain's own rules, and what a list of their tickets must be, in plain Python."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from sqlalchemy import select

from helpdesk.db import users
from helpdesk.db.engine import Connection
from helpdesk.db.schema import comments as comment_table
from helpdesk.db.schema import tickets as ticket_table
from helpdesk.db.ticket_lists import Filter, Order, Stamp
from helpdesk.domain import comments, ticket_changes, tickets
from helpdesk.domain.access import Actor, visible_ticket
from helpdesk.domain.words import words_of
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from helpdesk.terms import PRIORITIES, STATUSES
from tests.conftest import START
from tests.databases import Databases

WORDS = ("alpha", "alpine", "alps", "beta", "bet", "b", "gamma", "delta", "deltas", "printer")
TAGS = ("mail", "net")


class Known(NamedTuple):
    """A ticket and the words of its title, of what requesters see, and of all."""

    row: Any
    title: list[str]
    public: list[str]
    everything: list[str]


def make(databases: Databases, conn: Connection, seed: int, count: int) -> None:
    """Fill an empty desk with so many tickets of three requesters; its clock is set back now and then."""
    rnd = random.Random(seed)
    with databases.transaction(conn):
        people = [_person(conn, f"{role}{n}", role) for role in ("user", "agent") for n in range(3)]
    now = START
    for _ in range(count):
        # Several in one moment, and some in the past.
        now += rnd.choice((0, 0, 1000, 60_000, 600_000, -50_000))
        with databases.transaction(conn):
            _ticket(conn, rnd, people, now)


def _person(conn: Connection, name: str, role: Any) -> Actor:
    made = users.insert(conn, username=name, name=None, email=None, role=role, password_hash="", created_at=START)
    assert made is not None
    return Actor(made, name, None, role)


def _ticket(conn: Connection, rnd: random.Random, people: list[Actor], now: int) -> None:
    creator, agents = rnd.choice(people[:3]), people[3:]
    text = lambda: " ".join(rnd.choices(WORDS, k=rnd.randint(1, 4)))  # noqa: E731
    tags = [tag for tag in TAGS if rnd.random() < 0.4]
    new = NewTicket(text(), text(), rnd.choice(PRIORITIES), tags, rnd.choice((1, 5, 600)))
    made = tickets.create(conn, creator, new, now=now, may_set_sla=True).ticket.id
    for _ in range(rnd.randint(0, 2)):
        said = NewComment(text(), None, rnd.random() < 0.3)
        comments.add(conn, rnd.choice(agents), made, said, now=now + rnd.choice((0, 30_000, 900_000)))
    if rnd.random() < 0.6:
        wanted = {"status": rnd.choice(STATUSES), "assignee_id": rnd.choice((None, agents[0].id, agents[1].id))}
        later = now + rnd.choice((0, 30_000, 120_000))
        ticket_changes.apply(conn, visible_ticket(conn, agents[0], made), wanted, actor=agents[0], now=later)


def read(conn: Connection) -> list[Known]:
    """Return all tickets and their words."""
    said: dict[int, list[Any]] = {}
    for comment in conn.execute(select(comment_table)):
        said.setdefault(comment.ticket_id, []).append(comment)
    known = []
    for row in conn.execute(select(ticket_table)):
        title = words_of(row.title)
        own = [*title, *words_of(row.description), *words_of(row.tags)]
        public = [word for one in said.get(row.id, []) if not one.internal for word in words_of(one.body)]
        internal = [word for one in said.get(row.id, []) if one.internal for word in words_of(one.body)]
        known.append(Known(row, title, own + public, own + public + internal))
    return known


def page(known: list[Known], where: Filter, order: Order, *, now: int, limit: int, offset: int) -> list[Stamp]:
    """Return what the list must be, by its definition."""
    found = [one for one in known if _passes(one, where, now)]
    found.sort(key=lambda one: _key(one, where, order), reverse=order.descending != (order.column == "relevance"))
    return [
        Stamp(one.row.id, one.row.version, one.row.comment_count, one.row.breached, one.row.created_at)
        for one in found[offset : offset + limit]
    ]


def _passes(one: Known, where: Filter, now: int) -> bool:
    row = one.row
    breached = bool(row.breached) or (row.status in ("open", "in_progress") and row.sla_deadline <= now)
    return (
        (not where.status or row.status in where.status)
        and (not where.priority or row.priority in where.priority)
        and where.owner_id in (None, row.creator_id)
        and where.creator_id in (None, row.creator_id)
        and (where.assignee_id is None or row.assignee_id == where.assignee_id)
        and (not where.unassigned or row.assignee_id is None)
        and (where.tag is None or where.tag in row.tags.split())
        and where.breached in (None, breached)
        and where.without_id != row.id
        and _has_all(one.everything if where.scope == "everything" else one.public, where.words)
    )


def _has_all(words: list[str], wanted: tuple[str, ...]) -> bool:
    return all(any(word.startswith(begins) for word in words) for begins in wanted)


def _key(one: Known, where: Filter, order: Order) -> tuple[int, int]:
    if order.column == "relevance":
        return _has_all(one.title, where.words), one.row.id
    return getattr(one.row, "priority_rank" if order.column == "priority" else order.column), one.row.id
