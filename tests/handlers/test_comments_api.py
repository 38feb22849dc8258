"""The HTTP contract of comments: threads, internal notes, and what a comment does to its ticket."""

from __future__ import annotations

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def say(api: Api, token: str, body: str = "Hello", **fields: object) -> dict[str, object]:
    response = await api.post("/api/tickets/1/comments", {"body": body, **fields}, token=token)
    assert response.status == 201, response.body
    comment: dict[str, object] = response.json
    return comment


async def test_threads_go_to_any_depth(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    parent = None
    for _ in range(40):
        comment = await say(api, token, parent=parent)
        assert comment["parent"] == parent
        parent = comment["id"]
    page = (await api.get("/api/tickets/1/comments?limit=25", token=token)).json
    assert [c["id"] for c in page["items"]] == list(range(1, 26))
    assert page["next_offset"] == 25
    rest = (await api.get("/api/tickets/1/comments?limit=25&offset=25", token=token)).json
    assert (len(rest["items"]), rest["next_offset"]) == (15, None)


async def test_a_parent_must_be_on_the_same_ticket(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    await api.ticket(token)
    await say(api, token)
    for path, parent in (("/api/tickets/2/comments", 1), ("/api/tickets/1/comments", 99)):
        response = await api.post(path, {"body": "x", "parent": parent}, token=token)
        assert (response.status, response.code, response.field) == (400, "INVALID_FIELD", "parent")


async def test_an_internal_note_leaks_through_no_route(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    before = (await api.get("/api/tickets/1", token=requester)).json
    etag = (await api.get("/api/tickets/1", token=requester)).headers["ETag"]
    api.clock.advance(minutes=1)
    note = await say(api, agent, "Customer smells of xylophone", internal=True)
    after = await api.get("/api/tickets/1", token=requester)
    assert after.json == before
    assert after.headers["ETag"] == etag
    assert (await api.get("/api/tickets/1/comments", token=requester)).json["items"] == []
    assert len((await api.get("/api/tickets/1/timeline", token=requester)).json["items"]) == 1
    assert (await api.get("/api/tickets/1/timeline?q=commented", token=requester)).json["items"] == []
    assert (await api.get("/api/tickets?q=xylophone", token=requester)).json["items"] == []
    assert (await api.get("/api/tickets", token=requester)).json["items"][0]["comment_count"] == 0
    reply = await api.post("/api/tickets/1/comments", {"body": "x", "parent": note["id"]}, token=requester)
    assert (reply.code, reply.field) == ("INVALID_FIELD", "parent")


async def test_a_note_leaks_through_no_answer_to_a_change(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    note = await say(api, agent, "xylophone", internal=True)
    changed = await api.patch("/api/tickets/1", {"version": 1, "title": "New"}, token=requester)
    stale = await api.patch("/api/tickets/1", {"version": 1, "title": "Old"}, token=requester)
    for ticket in (changed.json, stale.json["current"]):
        assert (ticket["comment_count"], ticket["comments"]) == (0, [])
        assert [e["action"] for e in ticket["timeline"]] == ["created", "updated"]
    assert changed.headers["ETag"] == '"2.3"'
    assert stale.json["changed"] == ["title"]
    hidden = await api.post("/api/tickets/1/comments", {"body": "x", "parent": note["id"]}, token=requester)
    none = await api.post("/api/tickets/1/comments", {"body": "x", "parent": 99}, token=requester)
    assert hidden.json == none.json


async def test_a_note_leads_no_search_of_a_requesters(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester, title="alpha")
    await say(api, agent, "secret alpha", internal=True)
    await say(api, agent, "public")
    for q, found in (("alpha", 1), ("alpha secret", 0), ("secret public", 0), ("alpha public", 1)):
        for sort in ("-created_at", "relevance"):
            items = (await api.get(f"/api/tickets?q={q.replace(' ', '+')}&sort={sort}", token=requester)).json["items"]
            assert len(items) == found, (q, sort)
    assert len((await api.get("/api/tickets?q=secret+public", token=agent)).json["items"]) == 1


async def test_agents_see_internal_notes_everywhere(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    etag = (await api.get("/api/tickets/1", token=agent)).headers["ETag"]
    await say(api, agent, "xylophone", internal=True)
    ticket = await api.get("/api/tickets/1", token=agent)
    assert (ticket.json["comment_count"], len(ticket.json["comments"]), len(ticket.json["timeline"])) == (1, 1, 2)
    assert ticket.headers["ETag"] != etag
    assert len((await api.get("/api/tickets?q=xylo", token=agent)).json["items"]) == 1


async def test_a_reply_to_an_internal_note_is_internal(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    note = await say(api, agent, internal=True)
    assert (await say(api, agent, parent=note["id"]))["internal"] is True
    assert (await say(api, agent, parent=note["id"], internal=False))["internal"] is True


async def test_a_requester_writes_no_internal_note(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    response = await api.post("/api/tickets/1/comments", {"body": "x", "internal": True}, token=token)
    assert (response.status, response.code, response.field) == (403, "FORBIDDEN", "internal")


@pytest.mark.parametrize("status", ["pending", "resolved"])
async def test_the_requesters_answer_reopens_the_ticket(api: Api, status: str) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    await api.patch("/api/tickets/1", {"version": 1, "status": status}, token=agent)
    await say(api, agent)
    assert (await api.get("/api/tickets/1", token=agent)).json["status"] == status
    await say(api, requester)
    ticket = (await api.get("/api/tickets/1", token=agent)).json
    assert (ticket["status"], ticket["version"], ticket["resolved_at"]) == ("open", 3, None)
    assert [e["action"] for e in ticket["timeline"]] == ["created", "updated", "commented", "commented", "updated"]
    assert ticket["timeline"][-1]["data"] == {"changes": {"status": [status, "open"]}}


async def test_a_closed_ticket_takes_comments_of_agents_only(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    await api.patch("/api/tickets/1", {"version": 1, "status": "closed"}, token=agent)
    response = await api.post("/api/tickets/1/comments", {"body": "x"}, token=requester)
    assert (response.status, response.code) == (409, "TICKET_CLOSED")
    await say(api, agent)
    assert (await api.get("/api/tickets/1", token=agent)).json["status"] == "closed"


async def test_the_first_public_answer_of_another_agent_is_the_first_response(api: Api) -> None:
    creator, agent = await api.token("agent"), await api.token("agent")
    await api.ticket(creator)
    await say(api, creator)
    await say(api, agent, internal=True)
    assert (await api.get("/api/tickets/1", token=agent)).json["first_responded_at"] is None
    api.clock.advance(minutes=5)
    await say(api, agent)
    first = (await api.get("/api/tickets/1", token=agent)).json["first_responded_at"]
    assert first == "2026-11-23T09:35:00.000Z"
    api.clock.advance(minutes=5)
    await say(api, agent)
    assert (await api.get("/api/tickets/1", token=agent)).json["first_responded_at"] == first


async def test_a_comment_moves_updated_at_and_leaves_the_version(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    ticket = await api.ticket(requester)
    api.clock.advance(minutes=5)
    await say(api, agent, internal=True)
    assert (await api.get("/api/tickets/1", token=agent)).json["updated_at"] == ticket["updated_at"]
    await say(api, agent)
    after = (await api.get("/api/tickets/1", token=agent)).json
    assert (after["version"], after["updated_at"]) == (1, "2026-11-23T09:35:00.000Z")


async def test_nobody_comments_on_another_requesters_ticket(api: Api) -> None:
    await api.ticket(await api.token())
    other = await api.token()
    assert (await api.post("/api/tickets/1/comments", {"body": "x"}, token=other)).code == "NOT_FOUND"
    assert (await api.get("/api/tickets/1/comments", token=other)).code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "FIELD_REQUIRED", "body"),
        ({"body": " \n"}, "FIELD_REQUIRED", "body"),
        ({"body": None}, "FIELD_REQUIRED", "body"),
        ({"body": 5}, "INVALID_FIELD", "body"),
        ({"body": "x" * 20_001}, "INVALID_FIELD", "body"),
        ({"body": "a\0b"}, "INVALID_FIELD", "body"),
        ({"body": "x", "parent": True}, "INVALID_FIELD", "parent"),
        ({"body": "x", "internal": 1}, "INVALID_FIELD", "internal"),
        ({"body": "x", "author": 1}, "UNKNOWN_FIELD", "author"),
    ],
)
async def test_a_bad_comment_is_refused_by_its_field(api: Api, body: object, code: str, field: str) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    response = await api.post("/api/tickets/1/comments", body, token=token)
    assert (response.status, response.code, response.field) == (400, code, field)
