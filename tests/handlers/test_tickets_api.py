"""Creating a ticket and reading it in full (the contract's section 4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test

PATH = "/api/tickets/1"
NEW = {"title": "VPN drops", "description": "Every hour."}


async def test_a_new_ticket_is_answered_in_full(api: Api) -> None:
    user = await api.register(username="ana")
    token = user["token"]
    response = await api.post("/api/tickets", NEW | {"title": " VPN drops "}, token=token)
    assert response.status == 201
    assert response.headers["Location"] == PATH
    assert response.headers["ETag"] == '"1.1"'
    assert [entry["action"] for entry in response.json["timeline"]] == ["created"]
    shown = {name: value for name, value in response.json.items() if name != "timeline"}
    assert shown == {
        "id": 1,
        "title": "VPN drops",
        "description": "Every hour.",
        "status": "open",
        "priority": "medium",
        "tags": [],
        "version": 1,
        "creator": {"id": 1, "username": "ana", "name": None, "role": "user"},
        "assignee": None,
        "sla_minutes": 1440,
        "sla_deadline": "2026-11-24T09:30:00.000Z",
        "sla_state": "running",
        "breached": False,
        "first_responded_at": None,
        "resolved_at": None,
        "created_at": "2026-11-23T09:30:00.000Z",
        "updated_at": "2026-11-23T09:30:00.000Z",
        "comment_count": 0,
        "comments": [],
    }
    assert (await api.get(PATH, token=token)).json == response.json
    listed = (await api.get("/api/tickets", token=token)).json["items"][0]
    assert listed == {name: value for name, value in shown.items() if name != "comments"}


@pytest.mark.parametrize(("priority", "minutes"), [("low", 4320), ("medium", 1440), ("high", 240), ("urgent", 60)])
async def test_each_priority_has_its_minutes(api: Api, priority: str, minutes: int) -> None:
    token = await api.token()
    assert (await api.ticket(token, priority=priority))["sla_minutes"] == minutes
    assert (await api.ticket(token, priority=priority, sla_minutes=7))["sla_deadline"] == "2026-11-23T09:37:00.000Z"


async def test_nulls_are_as_good_as_left_out(api: Api) -> None:
    token = await api.token()
    plain = await api.ticket(token)
    nulls = await api.ticket(token, priority=None, tags=None, sla_minutes=None, assignee_id=None)
    same = ("priority", "tags", "sla_minutes", "assignee")
    assert [nulls[name] for name in same] == [plain[name] for name in same]


async def test_staff_assigns_at_creation_and_requesters_do_not(api: Api) -> None:
    requester, agent = await api.register(), await api.register("agent")
    assigned = NEW | {"assignee_id": agent["user"]["id"]}
    refused = await api.post("/api/tickets", assigned, token=requester["token"])
    assert (refused.status, refused.code, refused.field) == (403, "FORBIDDEN", "assignee_id")
    ticket = (await api.post("/api/tickets", assigned, token=agent["token"])).json
    assert (ticket["id"], ticket["assignee"]["id"], ticket["status"]) == (1, agent["user"]["id"], "open")
    for nobody in (requester["user"]["id"], 99):
        wrong = await api.post("/api/tickets", NEW | {"assignee_id": nobody}, token=agent["token"])
        assert (wrong.status, wrong.code, wrong.field) == (400, "INVALID_FIELD", "assignee_id")


async def test_text_is_kept_as_sent_after_nfc(api: Api) -> None:
    token = await api.token()
    text = " \r\n<b>e\u0301</b>\t' OR 1=1 -- \u202e 🎉\u200d\n "
    ticket = await api.ticket(token, title="<script>e\u0301</script>", description=text)
    assert (ticket["title"], ticket["description"]) == ("<script>é</script>", text.replace("e\u0301", "é"))
    comment = await api.post(f"{PATH}/comments", {"body": text}, token=token)
    assert comment.json["body"] == text.replace("e\u0301", "é")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('"1.1"', 304),
        ('W/"1.1"', 304),
        ('"0.0", "1.1"', 304),
        ("*", 304),
        ('"1"', 200),
        ('"1.2"', 200),
        ("1.1", 200),
        ("", 200),
    ],
)
async def test_who_has_the_ticket_already_is_told_so(api: Api, header: str, status: int) -> None:
    token = await api.token()
    await api.ticket(token)
    response = await api.get(PATH, token=token, headers={"If-None-Match": header})
    assert (response.status, response.headers["ETag"]) == (status, '"1.1"')
    assert (response.body == b"") is (status == 304)


async def test_whatever_shows_moves_the_entity_tag(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    tag = (await api.post("/api/tickets", NEW | {"sla_minutes": 60}, token=requester)).headers["ETag"]
    seen = {tag}
    for method, path, body, who in (
        ("PATCH", PATH, {"version": 1, "status": "pending"}, agent),
        ("POST", f"{PATH}/comments", {"body": "Any news?"}, agent),
        ("POST", f"{PATH}/comments", {"body": "No."}, requester),
    ):
        assert (await api.request(method, path, body, token=who)).status < 300
        response = await api.get(PATH, token=requester, headers={"If-None-Match": tag})
        tag = response.headers["ETag"]
        assert response.status == 200 and tag not in seen
        seen.add(tag)


async def test_a_ticket_shows_the_newest_hundred_oldest_first(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    for n in range(105):
        await api.post(f"{PATH}/comments", {"body": str(n)}, token=agent)
        if n % 5 == 0:
            await api.post(f"{PATH}/comments", {"body": "note", "internal": True}, token=agent)
    ticket: dict[str, Any] = (await api.get(PATH, token=requester)).json
    assert [c["body"] for c in ticket["comments"]] == [str(n) for n in range(5, 105)]
    assert ticket["comment_count"] == 105
    ids = [e["id"] for e in ticket["timeline"]]
    assert len(ids) == 100 and ids == sorted(ids)
    assert [e["data"]["comment_id"] for e in ticket["timeline"]] == [c["id"] for c in ticket["comments"]]


async def test_somebody_elses_ticket_looks_like_none(api: Api) -> None:
    await api.ticket(await api.token())
    other = await api.token()
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"version": 1, "title": "Mine"}),
        ("PATCH", "", {"title": "Mine"}),
        ("PATCH", "", {"version": 9, "priority": "low"}),
        ("GET", "/comments", None),
        ("POST", "/comments", {"body": "x"}),
        ("POST", "/comments", {"body": "x", "parent": 1, "internal": True}),
    ):
        theirs = await api.request(method, PATH + path, body, token=other)
        none = await api.request(method, "/api/tickets/99" + path, body, token=other)
        assert (theirs.status, theirs.json) == (404, none.json), (method, path, body)


async def test_head_of_a_ticket_is_its_get_without_the_body(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    got, head = await api.get(PATH, token=token), await api.request("HEAD", PATH, token=token)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", got.headers["ETag"])
    assert int(head.headers["Content-Length"]) == len(got.body)
