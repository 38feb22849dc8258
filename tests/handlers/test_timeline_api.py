"""A ticket's timeline over HTTP: who sees what, in which order, page by page (the contract's section 4)."""

from __future__ import annotations

from typing import Any

import pytest

from helpdesk.jobs.sla import SlaSweep
from tests.conftest import Api

pytestmark = pytest.mark.gen_test

PATH = "/api/tickets/1/timeline"


async def entries(api: Api, token: str, query: str = "") -> list[dict[str, Any]]:
    response = await api.get(f"{PATH}?{query}", token=token)
    assert response.status == 200, response.body
    items: list[dict[str, Any]] = response.json["items"]
    return items


async def test_an_entry_tells_who_did_what_and_when(api: Api) -> None:
    requester, agent = await api.register(username="ana", name="Ana"), await api.token("agent")
    await api.ticket(requester["token"], title="VPN", priority="high", tags=["B", "a"])
    api.clock.advance(minutes=1)
    await api.patch("/api/tickets/1", {"version": 1, "status": "pending", "assignee_id": 2}, token=agent)
    created, updated = await entries(api, requester["token"])
    assert created == {
        "id": 1,
        "ticket_id": 1,
        "actor": {"id": 1, "username": "ana", "name": "Ana", "role": "user"},
        "action": "created",
        "data": {
            "title": "VPN",
            "description": "It jams on every second page.",
            "status": "open",
            "priority": "high",
            "tags": ["a", "b"],
            "assignee_id": None,
            "sla_minutes": 240,
        },
        "created_at": "2026-11-23T09:30:00.000Z",
    }
    assert updated["data"] == {"changes": {"status": ["open", "pending"], "assignee_id": [None, 2]}}
    assert (updated["actor"]["id"], updated["created_at"]) == (2, "2026-11-23T09:31:00.000Z")


async def test_a_breach_is_the_systems_own_entry(api: Api) -> None:
    token = await api.token()
    ticket = await api.ticket(token, sla_minutes=1)
    api.clock.advance(minutes=5)
    await SlaSweep(api.desk.db, api.clock).sweep()
    breach = (await entries(api, token))[-1]
    assert (breach["action"], breach["actor"]) == ("sla_breached", None)
    after = (await api.get("/api/tickets/1", token=token)).json
    assert (after["version"], after["updated_at"]) == (1, ticket["updated_at"])


async def test_pages_hold_what_the_caller_may_see(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    for n in range(6):
        await api.post("/api/tickets/1/comments", {"body": str(n), "internal": n % 2 == 0}, token=agent)
    for token, ids in ((agent, [1, 2, 3, 4, 5, 6, 7]), (requester, [1, 3, 5, 7])):
        seen, offset = [], 0
        while offset is not None:
            page = (await api.get(f"{PATH}?limit=2&offset={offset}", token=token)).json
            assert page["items"]
            seen += [entry["id"] for entry in page["items"]]
            offset = page["next_offset"]
        assert seen == ids


async def test_entries_are_chosen_by_action_and_by_words(api: Api) -> None:
    requester, agent = await api.token(), (await api.register("agent", username="bob", name="Zoë Blum"))["token"]
    await api.ticket(requester, title="Drucker")
    await api.patch("/api/tickets/1", {"version": 1, "title": "Café"}, token=agent)
    await api.post("/api/tickets/1/comments", {"body": "x"}, token=agent)
    await api.patch("/api/tickets/1", {"version": 2, "status": "pending"}, token=agent)
    for query, ids in {
        "action=updated": [2, 4],
        "action=sla_breached": [],
        "q=cafe": [2],
        "q=DRUCK": [1, 2],
        "q=zoe": [2, 3, 4],
        "q=bob+pend": [4],
        "q=updated&action=updated&limit=1&offset=1": [4],
        "q=created&action=updated": [],
        "q=title+OR+%22x": [],
        "q=...": [1, 2, 3, 4],
        "q=": [1, 2, 3, 4],
    }.items():
        assert [e["id"] for e in await entries(api, requester, query)] == ids, query
    assert (await api.get(f"{PATH}?q=zoe&limit=2", token=requester)).json["next_offset"] == 2
    assert (await api.get(f"{PATH}?q=zoe&limit=3", token=requester)).json["next_offset"] is None


async def test_a_note_is_found_by_no_word_of_a_requesters(api: Api) -> None:
    requester, agent = await api.token(), (await api.register("agent", username="sherlock"))["token"]
    await api.ticket(requester)
    await api.post("/api/tickets/1/comments", {"body": "hidden", "internal": True}, token=agent)
    for query in ("q=sherlock", "q=commented", "action=commented", "q=comment_id"):
        assert await entries(api, requester, query) == []
        assert len(await entries(api, agent, query)) == 1


@pytest.mark.parametrize("query", ["action=deleted", "limit=101", "offset=x", "q=%00", "since=1"])
async def test_a_bad_parameter_is_refused_by_its_name(api: Api, query: str) -> None:
    token = await api.token()
    await api.ticket(token)
    response = await api.get(f"{PATH}?{query}", token=token)
    assert (response.status, response.code, response.field) == (400, "INVALID_PARAM", query.partition("=")[0])


async def test_a_timeline_of_somebody_elses_ticket_is_not_there(api: Api) -> None:
    await api.ticket(await api.token())
    token = await api.token()
    theirs, nobodys = await api.get(PATH, token=token), await api.get("/api/tickets/9/timeline", token=token)
    assert (theirs.status, theirs.code) == (404, "NOT_FOUND")
    assert theirs.json == nobodys.json
