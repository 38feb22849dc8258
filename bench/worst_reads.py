"""Search a loaded desk for its slowest reads: random combinations of filters, sorts, words and offsets.

    python -m bench.worst_reads --data-dir /tmp/million [--count 300] [--seeds 1 2 3]

Agents and requesters ask, through the API and the plain pages. Exits with 1 where a seed misses the goal.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bench.load import AGENTS, PASSWORD
from bench.run import settle
from bench.servers import Desk
from helpdesk.terms import PRIORITIES, STATUSES

P99_MAX_MS, WORST_MAX_MS = 100, 500  # the goal
SLOW_MS = 20  # from here on a read is timed twice, so that the machine's own pauses do not count
SHOWN = 15  # of the slowest
STATUS_LISTS = (*STATUSES, "open,in_progress,pending", "open,closed", "resolved,closed")
PRIORITY_LISTS = (*PRIORITIES, "high,urgent", "low,urgent")
SORTS = ("created_at", "updated_at", "sla_deadline", "priority")


class Read(NamedTuple):
    """Who asks for what."""

    who: str
    path: str


class Timed(NamedTuple):
    """What a read took, and how it was answered."""

    ms: float
    status: int
    read: Read


class Values(NamedTuple):
    """What filters are made of: words and tags of the newest tickets, and people."""

    words: list[str]
    tags: list[str]
    people: list[str]
    tickets: int


class Callers:
    """An agent and a requester, each signed in on the API and on the plain pages."""

    def __init__(self, desk: Desk) -> None:
        self._url = desk.url
        self._tokens = {"agent": desk.token}
        signed_in = desk.post("/api/auth/login", {"username": "user0", "password": PASSWORD})
        self._tokens["requester"] = signed_in["token"]

    def time(self, read: Read) -> Timed:
        """Return what the read took: the better of two where the first was slow."""
        first = self._time_once(read)
        return first if first.ms < SLOW_MS else min(first, self._time_once(read))

    def _time_once(self, read: Read) -> Timed:
        token = self._tokens[read.who]
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"helpdesk_plain={token}"}
        request = urllib.request.Request(self._url + read.path, headers=headers)
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                response.read()
                status = response.status
        except urllib.error.HTTPError as error:
            status = error.code
        return Timed((time.perf_counter() - started) * 1000, status, read)


def values(desk: Desk) -> Values:
    """Return what this desk can be asked for."""
    page: list[dict[str, Any]] = json.loads(desk.get("/api/tickets?limit=100"))["items"]
    texts = [f"{ticket['title']} {ticket['description']}" for ticket in page]
    words = {word.strip(".,").lower() for text in texts for word in text.split() if len(word) > 3}
    tags = {tag for ticket in page for tag in ticket["tags"]}
    people = [str(AGENTS + 1), *(str(ticket["creator"]["id"]) for ticket in page[:5]), "999999"]
    return Values(sorted(words), [*sorted(tags), "nosuchtag"], people, desk.tickets())


def random_read(rnd: random.Random, known: Values) -> Read:
    """Return a read as somebody may ask for it; seven of ten are lists that an agent asks the API for."""
    draw = rnd.random()
    if draw < 0.9:
        path = "/plain" if draw < 0.1 else "/api/tickets"
        return Read("requester" if 0.1 <= draw < 0.2 else "agent", f"{path}?{urlencode(_list(rnd, known))}")
    ticket = rnd.randint(1, known.tickets)
    other = {
        f"/api/tickets/{ticket}": {},
        f"/api/tickets/{ticket}/timeline": {"q": _words(rnd, known)},
        f"/api/tickets/{ticket}/comments": {"offset": rnd.choice((0, 1000, known.tickets))},
        "/api/users": {"q": rnd.choice("aeux"), "limit": 100, "role": rnd.choice(("user", "agent"))},
        "/api/tickets/stats": {"unresolved": rnd.choice(("true", "false"))},
        "/api/reports/overview": {"days": rnd.choice((7, 30, 366))},
    }
    path, query = rnd.choice(list(other.items()))
    return Read("agent", f"{path}?{urlencode(query)}" if query else path)


def _list(rnd: random.Random, known: Values) -> dict[str, str]:
    chosen: dict[str, tuple[float, Sequence[str]]] = {
        "status": (0.6, STATUS_LISTS),
        "priority": (0.5, PRIORITY_LISTS),
        "assignee_id": (0.4, ("me", "none", known.people[1])),
        "creator_id": (0.3, known.people),
        "tag": (0.3, known.tags),
        "breached": (0.3, ("true", "false")),
        "limit": (0.5, ("1", "20", "100")),
        "offset": (0.25, ("0", "1000", *(str(known.tickets * tenths // 10) for tenths in (1, 5, 9)))),
    }
    query = {name: rnd.choice(among) for name, (share, among) in chosen.items() if rnd.random() < share}
    sorts = SORTS
    if rnd.random() < 0.45:
        query["q"] = _words(rnd, known)
        sorts = (*SORTS, "relevance")
    if rnd.random() < 0.7:
        query["sort"] = rnd.choice(("", "-")) + rnd.choice(sorts)
    return query


def _words(rnd: random.Random, known: Values) -> str:
    word = rnd.choice(known.words)
    several = " ".join(rnd.sample(known.words, min(3, len(known.words))))
    return rnd.choice((word, word[:2], word[:1], several, "zzzzz", f"zzzzz {word}"))


def search(callers: Callers, known: Values, *, seed: int, count: int) -> bool:
    """Time `count` random reads and say what was found; return whether the goal is met."""
    rnd = random.Random(seed)
    found = sorted((callers.time(random_read(rnd, known)) for _ in range(count)), reverse=True)
    taken = sorted(timed.ms for timed in found)
    p50, p90, p99 = (taken[int(len(taken) * share)] for share in (0.5, 0.9, 0.99))
    refused = sum(timed.status != 200 for timed in found)
    print(
        f"seed {seed}: {count} reads: p50 {p50:.1f} ms, p90 {p90:.0f}, p99 {p99:.0f}, worst {taken[-1]:.0f};"
        f" {sum(ms > P99_MAX_MS for ms in taken)} over {P99_MAX_MS} ms, {refused} not answered with 200"
    )
    for ms, status, read in found[:SHOWN]:
        print(f"{ms:8.0f} ms  {status}  {read.who:9}  {read.path}")
    return p99 <= P99_MAX_MS and taken[-1] <= WORST_MAX_MS and not refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    desk = Desk(options.data_dir)
    try:
        settle(desk)
        callers, known = Callers(desk), values(desk)
        met = [search(callers, known, seed=seed, count=options.count) for seed in options.seeds]
    finally:
        desk.stop()
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
