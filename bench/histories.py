"""The histories that the loader writes: what happens to each ticket, decided by its number alone."""

from __future__ import annotations

import random
from typing import NamedTuple

from bench.texts import Texts
from helpdesk.clock import DAY_MS, MINUTE_MS, parse_rfc3339
from helpdesk.terms import Priority, Status

SEED = 20261123
END = parse_rfc3339("2026-11-23T09:00:00.000Z")  # when the newest ticket is made
SPAN_MS = 730 * DAY_MS  # two years of tickets, whatever their number
REQUESTERS, AGENTS = 400, 20
COMMENTS_EACH = 3
_TAGS = [
    f"{kind}-{n}" if n else kind
    for n in range(8)
    for kind in ["network", "printer", "mail", "access", "hardware", "erp", "web", "phone"]
]


class Comment(NamedTuple):
    at: int
    author: int  # from 0: agents first, then requesters
    body: str
    internal: bool


class Change(NamedTuple):
    at: int
    actor: int
    assignee: int
    status: Status


class History(NamedTuple):
    creator: int
    created_at: int
    title: str
    description: str
    priority: Priority
    tags: list[str]
    comments: list[Comment]
    change: Change | None


def histories(first: int, count: int, total: int, texts: Texts) -> list[History]:
    """The histories of tickets `first` to `first + count - 1` (from 0) of `total`."""
    return [_history(number, total, texts) for number in range(first, first + count)]


def _history(number: int, total: int, texts: Texts) -> History:
    rng = random.Random(SEED * 1_000_003 + number)
    created_at = END - SPAN_MS + SPAN_MS * number // total
    # A few people ask most: the square pulls towards the first.
    creator = AGENTS + int(REQUESTERS * rng.random() ** 2)
    agent = int(AGENTS * rng.random() ** 1.5)
    gap_ms = int(rng.expovariate(1 / 90) * MINUTE_MS) + 1
    comments = [
        Comment(
            created_at + gap_ms * (n + 1),
            agent if n % 2 == 0 else creator,
            texts.prose(rng, 5, 14),
            n % 2 == 0 and rng.random() < 0.15,
        )
        for n in range(COMMENTS_EACH)
    ]
    status = _status(rng, number, total)
    change = None
    if status != "open":
        change = Change(comments[-1].at + gap_ms, agent, agent, status)
    return History(
        creator=creator,
        created_at=created_at,
        title=texts.line(rng, 4, 9),
        description=texts.prose(rng, 8, 16),
        priority=rng.choices(("low", "medium", "high", "urgent"), (25, 50, 20, 5))[0],
        tags=sorted(set(rng.choices(_TAGS, [1 / (n + 1) for n in range(len(_TAGS))], k=rng.randint(0, 3)))),
        comments=comments,
        change=change,
    )


def _status(rng: random.Random, number: int, total: int) -> Status:
    """Old tickets are mostly closed, new ones mostly not; a few old ones were forgotten."""
    weights = (1, 1, 1, 12, 85) if number < total * 0.97 else (35, 30, 15, 15, 5)
    return rng.choices(("open", "in_progress", "pending", "resolved", "closed"), weights)[0]
