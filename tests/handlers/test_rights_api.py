"""Rights that change between a request's head, when its caller is looked up, and its transaction."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from helpdesk.config import Config
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test


class SlowRequest:
    """A request whose head is sent and answered for, and whose body is not there yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    @classmethod
    async def begin(cls, api: Api, method: str, path: str, body: dict[str, Any], token: str) -> SlowRequest:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        sent = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Connection: close"]
        lines += [f"Authorization: Bearer {token}", f"Content-Length: {len(sent)}", "Expect: 100-continue", "", ""]
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(8):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        return cls(reader, writer, sent)

    async def finish(self) -> tuple[int, str | None, Any]:
        """Send the body; status, error code and the whole answer."""
        self._writer.write(self._body)
        async with asyncio.timeout(8):
            answer = await self._reader.read()
        self._writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        decoded = json.loads(body) if body else None
        return int(head.split()[1]), (decoded or {}).get("error", {}).get("code"), decoded


async def change(api: Api, admin: str, user: dict[str, Any], **fields: Any) -> None:
    answer = await api.patch(f"/api/users/{user['id']}", fields, token=admin)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/tickets/1", {"version": 1, "status": "closed"}),
        ("PATCH", "/api/tickets/1", {"version": 9, "status": "closed"}),  # a conflict shows the ticket
        ("POST", "/api/tickets/1/comments", {"body": "x", "internal": True}),
        ("POST", "/api/tickets/1/comments", {"body": "x"}),
    ],
)
async def test_a_demoted_agent_does_and_sees_nothing_more_of_others_tickets(
    api: Api, method: str, path: str, body: dict[str, Any]
) -> None:
    agent, admin = await api.register("agent"), await api.token("admin")
    await api.ticket(admin)
    await api.post("/api/tickets/1/comments", {"body": "secret", "internal": True}, token=admin)
    request = await SlowRequest.begin(api, method, path, body, agent["token"])
    await change(api, admin, agent["user"], role="user")
    status, code, answer = await request.finish()
    assert (status, code) == (404, "NOT_FOUND") and "secret" not in str(answer)
    ticket = (await api.get("/api/tickets/1", token=admin)).json
    assert (ticket["status"], ticket["comment_count"], ticket["version"]) == ("open", 1, 1)


async def test_a_demoted_agent_assigns_nothing(api: Api) -> None:
    agent, admin = await api.register("agent"), await api.token("admin")
    body = {"title": "Mine", "description": "x", "assignee_id": agent["user"]["id"]}
    request = await SlowRequest.begin(api, "POST", "/api/tickets", body, agent["token"])
    await change(api, admin, agent["user"], role="user")
    assert (await request.finish())[:2] == (403, "FORBIDDEN")


async def test_a_dead_token_changes_nothing(api: Api) -> None:
    user, admin = await api.register(), await api.token("admin")
    await api.ticket(user["token"])
    bodies = {"/api/tickets": {"title": "Mine", "description": "x"}, "/api/tickets/1/comments": {"body": "x"}}
    requests = [await SlowRequest.begin(api, "POST", path, body, user["token"]) for path, body in bodies.items()]
    requests.append(await SlowRequest.begin(api, "PATCH", "/api/me", {"name": "New"}, user["token"]))
    await change(api, admin, user["user"], active=False)
    for request in requests:
        assert (await request.finish())[:2] == (401, "INVALID_TOKEN")
    assert len((await api.get("/api/tickets", token=admin)).json["items"]) == 1
    assert (await api.get(f"/api/users/{user['user']['id']}", token=admin)).json["name"] is None


async def test_a_demoted_admin_changes_nobody(api: Api) -> None:
    demoted, admin, user = await api.register("admin"), await api.token("admin"), await api.register()
    path = f"/api/users/{user['user']['id']}"
    request = await SlowRequest.begin(api, "PATCH", path, {"role": "admin"}, demoted["token"])
    await change(api, admin, demoted["user"], role="agent")
    assert (await request.finish())[:2] == (403, "FORBIDDEN")
    assert (await api.get(path, token=admin)).json["role"] == "user"


async def test_an_admin_demotes_and_deactivates_itself(api: Api) -> None:
    await api.token("admin")
    for fields in ({"role": "agent"}, {"active": False}):
        admin = await api.register("admin")
        await change(api, admin["token"], admin["user"], **fields)


async def test_a_promoted_requester_may_do_what_an_agent_may(api: Api) -> None:
    user, admin = await api.register(), await api.token("admin")
    await api.ticket(admin)
    request = await SlowRequest.begin(api, "POST", "/api/tickets/1/comments", {"body": "x"}, user["token"])
    await change(api, admin, user["user"], role="agent")
    assert (await request.finish())[0] == 201


async def test_a_demoted_admin_gives_no_roles_in_production(start: Start, config: Config) -> None:
    url = (await start()).desk.config.database_url
    demo = await start(database_url=url)
    demoted, admin = await demo.register("admin"), await demo.token("admin")
    api = await start(mode="production", database_url=url, allowed_hosts=())
    new = {"username": "helper", "password": "correct horse battery", "role": "agent"}
    request = await SlowRequest.begin(api, "POST", "/api/auth/register", new, demoted["token"])
    await change(api, admin, demoted["user"], role="user")
    status, code, answer = await request.finish()
    assert (status, code, answer["error"]["field"]) == (403, "FORBIDDEN", "role")


async def test_a_session_survives_the_change_of_its_own_account(api: Api) -> None:
    user = await api.register()
    for body in ({"name": "Ana"}, {"password": "better horse", "current_password": "correct horse"}):
        assert (await api.patch("/api/me", body, token=user["token"])).status == 200
    assert (await api.post("/api/auth/logout", token=user["token"])).status == 204
    assert (await api.post("/api/auth/logout", token=user["token"])).status == 401
