"""A desk filled on SQLite, copied, and served by four processes on PostgreSQL, answers every call as before."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster.client import Answer, Stream, send
from tests.cluster.conftest import Cluster
from tests.process import ROOT, running_server, wait_until

PEOPLE = (("admin", "admin123"), ("agent", "agent123"), ("user", "user1234"))
WORDS = ("printer", "VPN", "Müller", "東京", "drops", "ünïcode", "error", "jam", "pass", "x1")
COMPARED = (
    *("location", "etag", "allow", "idempotent-replayed", "content-type", "cache-control", "www-authenticate"),
    *("content-security-policy", "server", "ratelimit-policy"),
)
NEAR_S = 60  # moments of the replay itself, which one desk meets a little after the other
CALLS = 400


class Call:
    """One call of the mix: who sends what."""

    def __init__(
        self, method: str, path: str, body: Any = None, *, who: str | None = "agent", key: str | None = None
    ) -> None:
        self.method, self.path, self.body, self.who, self.key = method, path, body, who, key

    def __repr__(self) -> str:
        return f"{self.who}: {self.method} {self.path} {self.body} key={self.key}"


def mix(seed: int, tickets: int) -> Iterator[Call]:
    """Calls of all kinds, good and bad, on a desk that has `tickets` tickets."""
    dice = random.Random(seed)
    kinds = (create, change, comment, look, find, page, people, bad)
    for n in range(CALLS):
        call = dice.choices(kinds, weights=(8, 12, 10, 10, 12, 14, 6, 8))[0](dice, n, tickets)
        yield call
        if call.method != "GET" and dice.random() < 0.2:
            call.key = f"mix-{seed}-{n}"
            yield call
            yield call  # the same key again
            if dice.random() < 0.3:
                yield Call(call.method, call.path, {**call.body, "description": "other"}, who=call.who, key=call.key)


def create(dice: random.Random, n: int, _tickets: int) -> Call:
    body: dict[str, Any] = {
        "title": f"{dice.choice(WORDS)} {dice.choice(WORDS)} {n}",
        "description": " ".join(dice.choices(WORDS, k=12)),
        "priority": dice.choice(["low", "medium", "high", "urgent"]),
        "tags": dice.sample(["net", "hw", "ÄRGER", "a-b_c"], k=dice.randint(0, 3)),
    }
    return Call("POST", "/api/tickets", body, who=dice.choice(["agent", "user", "admin"]))


def change(dice: random.Random, _n: int, tickets: int) -> Call:
    body: dict[str, Any] = {"version": dice.randint(1, 3)}
    for name, values in (
        ("status", ["open", "in_progress", "pending", "resolved", "closed"]),
        ("priority", ["low", "urgent"]),
        ("assignee_id", [None, 1, 2, 3, 99]),
        ("title", [f"Changed to {dice.choice(WORDS)}"]),
        ("sla_minutes", [10, 525600, 0]),
        ("tags", [[], ["net"], ["new"]]),
    ):
        if dice.random() < 0.4:
            body[name] = dice.choice(values)
    return Call("PATCH", f"/api/tickets/{dice.randint(1, tickets + 3)}", body, who=dice.choice(["agent", "user"]))


def comment(dice: random.Random, n: int, tickets: int) -> Call:
    body: dict[str, Any] = {"body": f"{dice.choice(WORDS)} said {n}"}
    if dice.random() < 0.3:
        body["internal"] = True
    if dice.random() < 0.3:
        body["parent"] = dice.randint(1, 60)
    path = f"/api/tickets/{dice.randint(1, tickets + 3)}/comments"
    return Call("POST", path, body, who=dice.choice(["agent", "user", "admin"]))


def look(dice: random.Random, _n: int, tickets: int) -> Call:
    ticket = f"/api/tickets/{dice.randint(1, tickets + 3)}"
    query = dice.choice(["", "?limit=3", "?limit=2&offset=1", "?action=updated", "?q=status", "?q=agent+open"])
    path = dice.choice([ticket, f"{ticket}/comments", f"{ticket}/timeline{query}"])
    return Call("GET", path, who=dice.choice(["agent", "user"]))


def find(dice: random.Random, _n: int, _tickets: int) -> Call:
    words = "+".join(dice.choices(["print", "v", "muller", "東", "err", "pa", "said", "x", "changed", "!!"], k=2))
    sort = dice.choice(["", "&sort=relevance", "&sort=-relevance", "&sort=-updated_at", "&sort=priority"])
    more = dice.choice(["", "&status=open", "&priority=low,urgent", "&tag=net", "&assignee_id=none", "&breached=true"])
    path = f"/api/tickets?q={words}{sort}{more}&limit={dice.choice([1, 5, 100])}&offset={dice.choice([0, 2])}"
    return Call("GET", path, who=dice.choice(["agent", "user", "admin"]))


def page(dice: random.Random, _n: int, _tickets: int) -> Call:
    sorts = ["created_at", "updated_at", "sla_deadline", "priority"]
    sort = dice.choice(["", "-"]) + dice.choice(sorts)
    filters = dice.choice(
        [
            *("", "&status=open,pending", "&status=resolved&status=closed", "&priority=high", "&breached=false"),
            *("&tag=ärger", "&assignee_id=me", "&creator_id=me", "&creator_id=3&status=open,in_progress"),
        ]
    )
    path = f"/api/tickets?sort={sort}{filters}&limit={dice.choice([1, 7, 100])}&offset={dice.choice([0, 5])}"
    return Call("GET", path, who=dice.choice(["agent", "user", "admin"]))


def people(dice: random.Random, n: int, _tickets: int) -> Call:
    return dice.choice(
        [
            Call("POST", "/api/auth/register", {"username": f"Person{n}", "password": "correct horse"}, who=None),
            Call("POST", "/api/auth/register", {"username": "ADMIN", "password": "correct horse"}, who=None),
            Call("POST", "/api/auth/login", {"username": "user", "password": "user1234"}, who=None),
            Call("POST", "/api/auth/login", {"username": "user", "password": "wrong one"}, who=None),
            Call("PATCH", "/api/me", {"name": f"Name {n}"}, who=dice.choice(["agent", "user"])),
            Call("PATCH", "/api/users/3", {"name": f"Renamed {n}"}, who="admin"),
            Call("PATCH", "/api/users/1", {"role": "user"}, who="admin"),
            Call("GET", dice.choice(["/api/users?q=P", "/api/users?role=agent", "/api/users/2", "/api/me"])),
            Call("GET", dice.choice(["/api/tickets/stats", "/api/tickets/stats?unresolved=true"])),
            Call("GET", "/api/reports/overview"),
        ]
    )


def bad(dice: random.Random, _n: int, _tickets: int) -> Call:
    return dice.choice(
        [
            Call("POST", "/api/tickets", {"title": "", "description": "x"}),
            Call("POST", "/api/tickets", {"title": "x", "description": "x", "colour": "red"}),
            Call("POST", "/api/tickets", {"title": "x", "description": "x", "assignee_id": 3}),
            Call("GET", "/api/tickets?limit=0"),
            Call("GET", "/api/tickets?sort=relevance"),
            Call("GET", "/api/tickets", who=None),
            Call("DELETE", "/api/tickets/1"),
            Call("GET", "/api/none"),
            Call("GET", "/api/users", who="user"),
            Call("GET", "/api/openapi.json", who=None),
            Call("GET", "/api/_meta", who=None),
            Call("GET", "/.well-known/hackathon.json", who=None),
            Call("GET", "/plain", who=None),
            Call("GET", "/", who=None),
            Call("GET", "/static/app.js", who=None),
        ]
    )


class Desk:
    """One of the two, or any of several processes of one."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._sent = 0
        self.tokens: dict[str | None, str | None] = {None: None}
        for name, password in PEOPLE:
            body = {"username": name, "password": password}
            self.tokens[name] = send(urls[0], "POST", "/api/auth/login", body).json["token"]

    def answer(self, call: Call) -> Answer:
        self._sent += 1
        url = self._urls[self._sent % len(self._urls)]
        return send(url, call.method, call.path, call.body, token=self.tokens[call.who], key=call.key)

    def events(self) -> list[int]:
        """The ids of all entries, as a stream tells them from the beginning."""
        newest = int(self.answer(Call("GET", "/api/tickets?limit=1&sort=-updated_at")).json["items"][0]["id"])
        assert newest
        stream = Stream(self._urls[-1], str(self.tokens["admin"]), since=0)
        wait_until(lambda: self._is_quiet(stream), within_s=20)
        return list(stream.ids)

    def _is_quiet(self, stream: Stream) -> bool:
        before = len(stream.ids)
        stream.join(0.3)
        return before > 0 and len(stream.ids) == before


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def differences(one: Any, other: Any, copied_at: str, at: str = "") -> Iterator[str]:
    """Where two decoded bodies differ, but for tokens and for moments of the replay itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            yield f"{at}: {sorted(one)} {sorted(other)}"
            return
        for name in one:
            if name != "token":
                yield from differences(one[name], other[name], copied_at, f"{at}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{at}: {len(one)} or {len(other)} items"
        for n, (a, b) in enumerate(zip(one, other, strict=False)):
            yield from differences(a, b, copied_at, f"{at}[{n}]")
    elif isinstance(one, float) and isinstance(other, float):
        if abs(one - other) > NEAR_S / 60:
            yield f"{at}: {one} {other}"
    elif one != other and not _are_near(one, other, copied_at):
        yield f"{at}: {one!r} {other!r}"


def _are_near(one: Any, other: Any, copied_at: str) -> bool:
    texts = isinstance(one, str) and isinstance(other, str) and _MOMENT.fullmatch(one) and _MOMENT.fullmatch(other)
    if not texts or min(one, other) < copied_at:
        return False
    apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    return abs(apart.total_seconds()) < NEAR_S


def compare(call: Call, one: Answer, other: Answer, copied_at: str) -> None:
    """Assert that both answers are the same."""
    said = f"{call}\n{one.status} {one.body[:600]!r}\n{other.status} {other.body[:600]!r}"
    assert one.status == other.status, said
    for name in COMPARED:
        assert one.headers.get(name) == other.headers.get(name), f"{name}: {said}"
    if one.headers.get("content-type", "").startswith("application/json") and one.body:
        assert list(differences(one.json, other.json, copied_at)) == [], said
    else:
        assert one.body == other.body, said


def tickets_of(desk: Desk) -> int:
    return int(desk.answer(Call("GET", "/api/tickets/stats")).json["total"])


def fill(data: Path) -> tuple[int, str]:
    """A desk on SQLite after the first mix: how many tickets it had before, and when it was last changed."""
    with running_server(data) as server:
        desk = Desk([server.url])
        before = tickets_of(desk)
        for call in mix(1, before):
            assert desk.answer(call).status < 500
        newest = desk.answer(Call("GET", "/api/tickets?sort=-updated_at&limit=1")).json["items"][0]
    return before, newest["updated_at"]


def copy(data: Path, url: str) -> None:
    """Copy the desk, as a person would."""
    command = [sys.executable, "-m", "helpdesk", "copy", "--from", f"sqlite:///{data}/helpdesk.db", "--to", url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_call_is_answered_as_before(cluster: Cluster, tmp_path: Path) -> None:
    before, copied_at = fill(tmp_path / "sqlite")
    copy(tmp_path / "sqlite", cluster.postgres.url(cluster.database))
    cluster.start(4)
    with running_server(tmp_path / "sqlite") as server:
        one, four = Desk([server.url]), Desk([process.url for process in cluster.processes])
        # What was done before the copy is not done again after it.
        repeated = [call for call in mix(1, before) if call.key is not None]
        answers = [one.answer(call) for call in repeated]
        assert sum("idempotent-replayed" in answer.headers for answer in answers) > 10
        for call, answer in zip(repeated, answers, strict=True):
            compare(call, answer, four.answer(call), copied_at)
        statuses = set()
        for call in [*mix(2, tickets_of(one)), Call("GET", "/api/tickets/stats")]:
            answer = one.answer(call)
            statuses.add(answer.status)
            compare(call, answer, four.answer(call), copied_at)
        assert statuses >= {200, 201, 400, 401, 403, 404, 405, 409, 422}
        assert one.events() == four.events()
