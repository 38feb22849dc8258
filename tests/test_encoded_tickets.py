"""What is kept in memory is bounded, and never older than what the caller of a commit was told."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

import pytest
from msgspec import Raw

from helpdesk.caches import encoded_tickets
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def test_readers_racing_writers_never_see_what_was_overwritten(api: Api) -> None:
    token, requester = await api.token("agent"), await api.token()
    for _ in range(3):
        await api.ticket(requester)
    acknowledged = {1: 1, 2: 1, 3: 1}
    done = False

    async def write(ticket_id: int) -> None:
        for version in range(1, 40):
            path = f"/api/tickets/{ticket_id}"
            response = await api.patch(path, {"version": version, "title": f"T {version + 1}"}, token=token)
            assert response.status == 200
            acknowledged[ticket_id] = version + 1
            comment = await api.post(f"{path}/comments", {"body": "x", "internal": version % 2 == 0}, token=token)
            assert comment.status == 201

    async def read(who: str, listed: bool) -> None:
        while not done:
            ticket_id = random.randint(1, 3)
            least = dict(acknowledged)
            if listed:
                tickets = (await api.get("/api/tickets", token=who)).json["items"]
            else:
                tickets = [(await api.get(f"/api/tickets/{ticket_id}", token=who)).json]
            for ticket in tickets:
                assert ticket["version"] >= least[ticket["id"]]
                assert ticket["version"] == 1 or ticket["title"] == f"T {ticket['version']}"

    readers = [asyncio.create_task(read(who, listed)) for who in (token, requester) for listed in (True, False, False)]
    await asyncio.gather(*(write(n) for n in (1, 2, 3)))
    done = True
    await asyncio.gather(*readers)


async def test_a_new_name_is_shown_at_once_everywhere(api: Api) -> None:
    session, agent = await api.register(name="Ana"), await api.token("agent")
    await api.ticket(session["token"])
    for token in (session["token"], agent):
        for path in ("/api/tickets", "/api/tickets/1"):
            assert b'"name":"Ana"' in (await api.get(path, token=token)).body
    await api.patch("/api/me", {"name": "Anna"}, token=session["token"])
    for token in (session["token"], agent):
        for path in ("/api/tickets", "/api/tickets/1"):
            body = (await api.get(path, token=token)).body
            assert b'"name":"Anna"' in body and b'"Ana"' not in body


async def test_a_breach_shows_in_what_was_kept_before_it(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, sla_minutes=1)
    for breached in (False, True):
        assert (await api.get("/api/tickets/1", token=token)).json["breached"] is breached
        assert (await api.get("/api/tickets", token=token)).json["items"][0]["breached"] is breached
        api.clock.advance(minutes=1)


async def test_a_kept_ticket_is_not_shown_to_another_requester(api: Api) -> None:
    ana, ben = await api.token(), await api.token()
    await api.ticket(ana)
    assert (await api.get("/api/tickets/1", token=ana)).status == 200
    assert (await api.get("/api/tickets/1", token=ben)).status == 404


async def test_memory_is_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_tickets, "FULL_MAX_BYTES", 20_000)
    monkeypatch.setattr(encoded_tickets, "LISTED_MAX_BYTES", 20_000)
    token = await api.token("agent")
    for n in range(30):
        await api.ticket(token, description="x" * 2000)
        await api.get(f"/api/tickets/{n + 1}", token=token)
    page = (await api.get("/api/tickets?limit=100", token=token)).body
    assert [t["id"] for t in json.loads(page)["items"]] == list(range(30, 0, -1))
    kept = api.desk.encoded
    assert 0 < kept._full_bytes <= 20_000 and 0 < kept._listed_bytes <= 20_000
    assert kept._full_bytes == sum(t.size_bytes for t in kept._full.values())
    assert kept._listed_bytes == sum(t.size_bytes for t in kept._listed.values())


def size_of(kept: dict[Any, Any]) -> int:
    """What a cache takes: its table, keys, and all that its values hold."""

    def size(value: Any) -> int:
        if isinstance(value, Raw):
            return Raw.__basicsize__ + sys.getsizeof(bytes(value))  # its own __sizeof__ is at fault
        inner = (
            value if isinstance(value, tuple) else [getattr(value, n) for n in getattr(value, "__struct_fields__", ())]
        )
        return sys.getsizeof(value) + sum(map(size, inner))

    return sys.getsizeof(kept) + sum(size(key) + size(value) for key, value in kept.items())


async def test_what_is_counted_is_what_the_tickets_take_and_not_their_bodies_alone(api: Api) -> None:
    token = await api.token("agent")
    for n in range(60):
        await api.ticket(token, description="short")
        await api.get(f"/api/tickets/{n + 1}", token=token)
    await api.get("/api/tickets?limit=60", token=token)
    kept = api.desk.encoded
    for counted, real in ((kept._full_bytes, size_of(kept._full)), (kept._listed_bytes, size_of(kept._listed))):
        assert 0.8 < counted / real < 1.25, (counted, real)
