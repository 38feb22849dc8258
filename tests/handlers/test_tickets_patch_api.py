"""Changing a ticket over HTTP: who wins, who may, and what the clock does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test

PATH = "/api/tickets/1"


async def test_a_change_adds_one_to_the_version_and_tells_old_and_new(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    response = await api.patch(PATH, {"version": 1, "priority": "high", "tags": ["B", "a", "b"]}, token=token)
    assert (response.status, response.json["version"], response.json["tags"]) == (200, 2, ["a", "b"])
    assert response.headers["ETag"] == '"2.2"'
    assert response.json["timeline"][-1]["data"]["changes"] == {
        "priority": ["medium", "high"],
        "tags": [[], ["a", "b"]],
        "sla_minutes": [1440, 240],
    }


async def test_a_stale_version_changes_nothing_and_tells_what_did(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    await api.patch(PATH, {"version": 1, "title": "Second"}, token=token)
    await api.patch(PATH, {"version": 2, "status": "pending"}, token=token)
    response = await api.patch(PATH, {"version": 1, "title": "Third"}, token=token)
    assert (response.status, response.code, response.field) == (409, "VERSION_MISMATCH", "version")
    assert response.json["changed"] == ["status", "title"]
    assert response.json["current"] == (await api.get(PATH, token=token)).json
    response = await api.patch(PATH, {"version": 2, "title": "Third"}, token=token)
    assert response.json["changed"] == ["status"]


async def test_of_forty_rivals_one_wins(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    rivals = (api.patch(PATH, {"version": 1, "title": f"Mine {n}"}, token=token) for n in range(40))
    statuses = [response.status for response in await asyncio.gather(*rivals)]
    assert sorted(statuses) == [200] + [409] * 39
    ticket = (await api.get(PATH, token=token)).json
    assert (ticket["version"], len(ticket["timeline"])) == (2, 2)


@pytest.mark.parametrize(
    ("if_match", "version", "status", "code"),
    [
        ('"1"', None, 200, None),
        ('"1.1"', None, 200, None),
        ('"1.99"', 1, 200, None),
        ('"2"', None, 412, "PRECONDITION_FAILED"),
        ('"2"', 1, 412, "PRECONDITION_FAILED"),
        ('"1"', 2, 409, "VERSION_MISMATCH"),
        ("*", None, 400, "INVALID_HEADER"),
        ('W/"1"', None, 400, "INVALID_HEADER"),
        ("", None, 400, "INVALID_HEADER"),
        ("1", None, 400, "INVALID_HEADER"),
        ('"1", "2"', None, 200, None),
        ('"1", "2"', 2, 409, "VERSION_MISMATCH"),
        (None, None, 400, "FIELD_REQUIRED"),
    ],
)
async def test_if_match_may_stand_in_for_the_version(
    api: Api, if_match: str | None, version: int | None, status: int, code: str | None
) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    headers = {"If-Match": if_match} if if_match is not None else {}
    body: dict[str, Any] = {"title": "New"} | ({"version": version} if version else {})
    response = await api.patch(PATH, body, token=token, headers=headers)
    assert response.status == status
    assert code is None or response.code == code
    if status in (409, 412):
        assert response.json["current"]["version"] == 1 and response.json["changed"] == []


async def test_a_change_to_what_is_there_does_nothing(api: Api) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token, tags=["a"])
    same = {"version": 1, "title": ticket["title"], "status": "open", "tags": ["A"], "assignee_id": None}
    response = await api.patch(PATH, same | {"sla_minutes": 1440}, token=token)
    assert (response.status, response.json) == (200, ticket)


async def test_a_requester_changes_words_and_closes_and_reopens(api: Api) -> None:
    token, agent = await api.token(), await api.token("agent")
    await api.ticket(token)
    version = 1
    for change in ({"title": "A", "description": "B"}, {"status": "closed"}, {"status": "open"}):
        response = await api.patch(PATH, {"version": version} | change, token=token)
        assert response.status == 200, response.body
        version += 1
    await api.patch(PATH, {"version": version, "status": "resolved"}, token=agent)
    assert (await api.patch(PATH, {"version": version + 1, "status": "open"}, token=token)).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"priority": "high"},
        {"tags": []},
        {"assignee_id": None},
        {"sla_minutes": 5},
        {"status": "resolved"},
        {"status": "pending"},
        {"status": "in_progress"},
    ],
)
async def test_a_requester_changes_nothing_else(api: Api, change: dict[str, Any]) -> None:
    token = await api.token()
    await api.ticket(token)
    response = await api.patch(PATH, {"version": 1} | change, token=token)
    assert (response.status, response.code, response.field) == (403, "FORBIDDEN", next(iter(change)))


async def test_a_requester_does_not_take_a_ticket_out_of_pending(api: Api) -> None:
    token, agent = await api.token(), await api.token("agent")
    await api.ticket(token)
    await api.patch(PATH, {"version": 1, "status": "pending"}, token=agent)
    assert (await api.patch(PATH, {"version": 2, "status": "open"}, token=token)).field == "status"


async def test_only_active_staff_is_assigned(api: Api) -> None:
    agent, user, admin = await api.register("agent"), await api.register(), await api.token("admin")
    gone = await api.register("agent")
    await api.patch(f"/api/users/{gone['user']['id']}", {"active": False}, token=admin)
    await api.ticket(agent["token"])
    for nobody in (user["user"]["id"], gone["user"]["id"], 999):
        response = await api.patch(PATH, {"version": 1, "assignee_id": nobody}, token=agent["token"])
        assert (response.status, response.code, response.field) == (400, "INVALID_FIELD", "assignee_id")
    response = await api.patch(PATH, {"version": 1, "assignee_id": agent["user"]["id"]}, token=agent["token"])
    assert (response.json["assignee"]["username"], response.json["status"]) == (agent["user"]["username"], "open")
    response = await api.patch(PATH, {"version": 2, "assignee_id": None}, token=agent["token"])
    assert response.json["assignee"] is None


async def test_null_leaves_a_field_alone(api: Api) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token)
    nulls = {"version": 1, "status": None, "priority": None, "tags": None, "sla_minutes": None}
    assert (await api.patch(PATH, nulls, token=token)).json == ticket


@pytest.mark.parametrize("field", ["title", "description"])
async def test_null_is_no_title_and_no_description(api: Api, field: str) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token)
    response = await api.patch(PATH, {"version": 1, field: None}, token=token)
    assert (response.status, response.code, response.field) == (400, "FIELD_REQUIRED", field)
    assert (await api.get(PATH, token=token)).json == ticket


async def test_the_clock_stands_still_while_pending(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, priority="urgent")
    api.clock.advance(minutes=20)
    paused = (await api.patch(PATH, {"version": 1, "status": "pending"}, token=token)).json
    assert (paused["sla_state"], paused["sla_deadline"]) == ("paused", "2026-11-23T10:30:00.000Z")
    api.clock.advance(hours=5)
    assert (await api.get(PATH, token=token)).json["breached"] is False
    running = (await api.patch(PATH, {"version": 2, "status": "in_progress"}, token=token)).json
    assert (running["sla_state"], running["sla_deadline"]) == ("running", "2026-11-23T15:30:00.000Z")


async def test_a_breach_is_there_at_its_moment_and_stays(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, sla_minutes=1)
    api.clock.advance(seconds=59.999)
    assert (await api.get(PATH, token=token)).json["sla_state"] == "running"
    api.clock.advance(seconds=0.001)
    for path in (PATH, "/api/tickets?breached=true", "/api/tickets/stats"):
        answer = (await api.get(path, token=token)).json
        ticket = answer["items"][0] if "items" in answer else answer
        assert ticket["breached"] in (True, 1), path
    resolved = (await api.patch(PATH, {"version": 1, "status": "resolved"}, token=token)).json
    assert (resolved["sla_state"], resolved["breached"]) == ("breached", True)
    assert [e["action"] for e in resolved["timeline"]] == ["created", "sla_breached", "updated"]
    later = (await api.patch(PATH, {"version": 2, "status": "open", "sla_minutes": 999}, token=token)).json
    assert (later["sla_state"], later["breached"]) == ("breached", True)


async def test_a_new_priority_measures_from_the_creation_and_the_time_paused(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, sla_minutes=10)
    await api.patch(PATH, {"version": 1, "status": "pending"}, token=token)
    api.clock.advance(minutes=30)
    await api.patch(PATH, {"version": 2, "status": "open"}, token=token)
    ticket = (await api.patch(PATH, {"version": 3, "priority": "urgent"}, token=token)).json
    assert (ticket["sla_minutes"], ticket["sla_deadline"]) == (60, "2026-11-23T11:00:00.000Z")


async def test_resolved_at_follows_the_status(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    resolved = (await api.patch(PATH, {"version": 1, "status": "resolved"}, token=token)).json["resolved_at"]
    api.clock.advance(minutes=1)
    closed = (await api.patch(PATH, {"version": 2, "status": "closed"}, token=token)).json
    assert (closed["resolved_at"], closed["sla_state"]) == (resolved, "met")
    assert (await api.patch(PATH, {"version": 3, "status": "open"}, token=token)).json["resolved_at"] is None
