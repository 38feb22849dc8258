"""The demo's accounts and tickets, created through the domain's own rules at times in the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from helpdesk.clock import MINUTE_MS
from helpdesk.db import clocks as clock_store
from helpdesk.db import tickets as ticket_store
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import clocks, comments, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.domain.demo_stories import STORIES, Note, Reply, Set, Step, Story
from helpdesk.messages.comments import NewComment
from helpdesk.messages.meta import DemoAccount
from helpdesk.messages.tickets import NewTicket

ACCOUNTS: tuple[DemoAccount, ...] = (
    DemoAccount("admin", "admin123", "admin"),
    DemoAccount("agent", "agent123", "agent"),
    DemoAccount("user", "user1234", "user"),
)
_NAMES = {"admin": "Ada Okafor", "agent": "Ben Lindqvist", "user": "Carla Mendes"}


class _Event(NamedTuple):
    at: int
    story: int
    step: Step | None  # None opens the ticket


def seed(conn: Connection, password_hashes: Sequence[str], *, now: int) -> None:
    """Fill an empty database. `password_hashes` belong to ACCOUNTS, in the same order."""
    people = _insert_people(conn, password_hashes, now - 40 * 1440 * MINUTE_MS)
    opened: dict[int, int] = {}
    replies: dict[int, list[int]] = {}
    for event in _events(now):
        _record_breaches(conn, until=event.at)
        story = STORIES[event.story]
        if event.step is None:
            opened[event.story] = _open(conn, people, story, event.at)
            continue
        ticket_id = opened[event.story]
        thread = replies.setdefault(event.story, [])
        if isinstance(event.step, Set):
            _set(conn, people, ticket_id, event.step, event.at)
        else:
            thread.append(_say(conn, people, ticket_id, event.step, thread, event.at))
    _record_breaches(conn, until=now)


def _record_breaches(conn: Connection, *, until: int) -> None:
    """Record every breach up to `until`, each at the time it happened."""
    while (due_at := clock_store.next_due(conn)) is not None and due_at <= until:
        clocks.sweep(conn, now=due_at)


def _insert_people(conn: Connection, password_hashes: Sequence[str], at: int) -> dict[str, Actor]:
    people: dict[str, Actor] = {}
    for account, password_hash in zip(ACCOUNTS, password_hashes, strict=True):
        user_id = user_store.insert(
            conn,
            username=account.username,
            name=_NAMES[account.username],
            email=f"{account.username}@example.com",
            role=account.role,
            password_hash=password_hash,
            created_at=at,
        )
        assert user_id is not None  # the database is empty
        people[account.username] = Actor(user_id, account.username, _NAMES[account.username], account.role)
    return people


def _events(now: int) -> list[_Event]:
    """Return the events of all stories in chronological order."""
    events = []
    for number, story in enumerate(STORIES):
        opened_at = now - story.minutes_ago * MINUTE_MS
        events.append(_Event(opened_at, number, None))
        events += [_Event(opened_at + step.after_min * MINUTE_MS, number, step) for step in story.steps]
    return sorted(events, key=lambda event: event.at)


def _open(conn: Connection, people: dict[str, Actor], story: Story, at: int) -> int:
    new = NewTicket(story.title, story.description, story.priority, list(story.tags), story.sla_minutes)
    return tickets.create(conn, people[story.by], new, now=at, may_set_sla=True).ticket.id


def _set(conn: Connection, people: dict[str, Actor], ticket_id: int, step: Set, at: int) -> None:
    ticket = ticket_store.by_id(conn, ticket_id)
    assert ticket is not None
    wanted = dict(step.fields)
    if "assignee" in wanted:
        wanted["assignee_id"] = people[wanted.pop("assignee")].id
    ticket_changes.apply(conn, ticket, wanted, actor=people[step.by], now=at)


def _say(
    conn: Connection, people: dict[str, Actor], ticket_id: int, step: Reply | Note, thread: list[int], at: int
) -> int:
    parent = thread[step.to] if step.to is not None else None
    new = NewComment(step.body, parent, isinstance(step, Note))
    return comments.add(conn, people[step.by], ticket_id, new, now=at).id
