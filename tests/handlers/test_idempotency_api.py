"""Doing things once, over HTTP (the contract's section 3)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from helpdesk.jobs.expiry import Expiry
from tests.conftest import Api, Response

pytestmark = pytest.mark.gen_test

TICKET = {"title": "Desk wobbles", "description": "On one leg."}


async def count(api: Api) -> int:
    return len((await api.get("/api/tickets", token=await api.token("agent"))).json["items"])


async def test_replayed_key_returns_the_first_ticket(api: Api) -> None:
    token = await api.token()
    first = await api.post("/api/tickets", TICKET, token=token, key="k")
    again = await api.post("/api/tickets", dict(reversed(TICKET.items())), token=token, key='"k"')
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert await count(api) == 1


async def test_a_key_used_for_another_request_is_refused(api: Api) -> None:
    token = await api.token()
    await api.post("/api/tickets", TICKET, token=token, key="k")
    other_body = await api.post("/api/tickets", TICKET | {"title": "x"}, token=token, key="k")
    other_path = await api.post("/api/tickets/1/comments", {"body": "x"}, token=token, key="k")
    assert (other_body.status, other_body.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (other_path.status, other_path.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count(api) == 1


async def test_twenty_at_once_with_one_key_do_it_once(api: Api) -> None:
    token = await api.token()
    answers = await asyncio.gather(*(api.post("/api/tickets", TICKET, token=token, key="k") for _ in range(20)))
    assert {a.status for a in answers} == {201}
    assert len({a.body for a in answers}) == 1
    assert sum("Idempotent-Replayed" not in a.headers for a in answers) == 1
    assert await count(api) == 1


async def test_a_key_belongs_to_its_user(api: Api) -> None:
    one = await api.post("/api/tickets", TICKET, token=await api.token(), key="k")
    two = await api.post("/api/tickets", TICKET, token=await api.token(), key="k")
    assert one.json["id"] != two.json["id"]


async def test_a_failed_request_leaves_its_key_free(api: Api) -> None:
    token = await api.token()
    assert (await api.post("/api/tickets", {"title": "x"}, token=token, key="k")).status == 400
    assert (await api.post("/api/tickets", TICKET, token=token, key="k")).status == 201


async def test_a_patch_is_replayed_even_when_its_version_is_old_by_now(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    change = {"version": 1, "title": "Better"}
    first = await api.patch("/api/tickets/1", change, token=token, key="p")
    again = await api.patch("/api/tickets/1", change, token=token, key="p")
    assert (first.status, again.status, again.body) == (200, 200, first.body)


async def test_a_key_is_forgotten_after_its_time(api: Api) -> None:
    token = await api.token()
    await api.post("/api/tickets", TICKET, token=token, key="k")
    api.clock.advance(hours=24)
    assert "Idempotent-Replayed" not in (await api.post("/api/tickets", TICKET, token=token, key="k")).headers
    assert await count(api) == 2


async def test_old_keys_are_removed_in_the_background(api: Api) -> None:
    token = await api.token()
    await api.post("/api/tickets", TICKET, token=token, key="old")
    api.clock.advance(hours=23)
    await api.post("/api/tickets", TICKET, token=token, key="new")
    api.clock.advance(hours=2)
    await Expiry(api.desk.db, api.clock, keep_hours=24).forget()
    left = await api.desk.db.read(lambda conn: conn.exec_driver_sql("SELECT key FROM idempotency").scalars().all())
    assert left == ["new"]


@pytest.mark.parametrize("key", ["", '""', '"open', "x" * 256, "naïve", '"a"b"', "tab\there"])
async def test_a_malformed_key_is_refused(api: Api, key: str) -> None:
    response = await api.post("/api/tickets", TICKET, token=await api.token(), key=key)
    assert (response.status, response.code, response.field) == (400, "INVALID_HEADER", "Idempotency-Key")


async def test_two_keys_are_refused(api: Api) -> None:
    token = await api.token()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    keys = "Idempotency-Key: k\r\nIdempotency-Key: k\r\nConnection: close\r\n"
    writer.write(f"{head}{keys}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    async with asyncio.timeout(4):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"INVALID_HEADER" in answer and b"Idempotency-Key" in answer


@pytest.mark.parametrize("key", ["a b", "x" * 255, '"with \\"quotes\\""', "~!@#$%^&*()"])
async def test_printable_ascii_makes_a_key(api: Api, key: str) -> None:
    assert (await api.post("/api/tickets", TICKET, token=await api.token(), key=key)).status == 201


async def test_a_replay_needs_a_living_token(api: Api) -> None:
    token = await api.token()
    await api.post("/api/tickets", TICKET, token=token, key="k")
    await api.post("/api/auth/logout", token=token)
    assert (await api.post("/api/tickets", TICKET, token=token, key="k")).code == "INVALID_TOKEN"


async def test_a_demoted_agent_sees_no_old_answer(api: Api) -> None:
    agent, admin = await api.register("agent"), await api.token("admin")
    ticket = await api.ticket(agent["token"])
    note = {"body": "secret", "internal": True}
    path = f"/api/tickets/{ticket['id']}/comments"
    assert (await api.post(path, note, token=agent["token"], key="n")).status == 201
    await api.patch(f"/api/users/{agent['user']['id']}", {"role": "user"}, token=admin)
    response = await api.post(path, note, token=agent["token"], key="n")
    assert (response.status, response.code) == (404, "NOT_FOUND")


async def test_a_demoted_agent_still_gets_the_answers_about_what_is_theirs(api: Api) -> None:
    agent, requester, admin = await api.register("agent"), await api.token(), await api.token("admin")
    token, theirs = agent["token"], await api.ticket(requester)
    calls = [
        ("PATCH", "/api/me", {"name": "Ana"}),
        ("PATCH", "/api/me", {"password": "better horse", "current_password": "correct horse"}),
        ("POST", "/api/tickets", TICKET),
        ("POST", "/api/tickets/2/comments", {"body": "x"}),
        ("POST", f"/api/tickets/{theirs['id']}/comments", {"body": "x"}),
    ]

    async def send(n: int) -> Response:
        method, path, body = calls[n]
        return await api.request(method, path, body, token=token, key=f"k{n}")

    first = [await send(n) for n in range(len(calls))]
    assert [a.status for a in first] == [200, 200, 201, 201, 201]
    await api.patch(f"/api/users/{agent['user']['id']}", {"role": "user"}, token=admin)
    again = [await send(n) for n in range(len(calls))]
    assert [a.status for a in again] == [200, 200, 201, 201, 404]
    assert [a.body for a in again[:4]] == [a.body for a in first[:4]]
    assert all(a.headers["Idempotent-Replayed"] == "true" for a in again[:4])


async def test_a_comment_is_replayed_though_the_ticket_was_closed_since(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    first = await api.post("/api/tickets/1/comments", {"body": "x"}, token=requester, key="c")
    await api.patch("/api/tickets/1", {"version": 1, "status": "closed"}, token=agent)
    again = await api.post("/api/tickets/1/comments", {"body": "x"}, token=requester, key="c")
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    assert (await api.get("/api/tickets/1", token=requester)).json["comment_count"] == 1


async def test_a_key_of_a_refused_change_is_free_again(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    stale = await api.patch("/api/tickets/1", {"version": 5, "title": "A"}, token=token, key="p")
    assert (stale.status, stale.code) == (409, "VERSION_MISMATCH")
    good = await api.patch("/api/tickets/1", {"version": 1, "title": "A"}, token=token, key="p")
    assert (good.status, "Idempotent-Replayed" in good.headers) == (200, False)


ACCOUNT: dict[str, Any] = {"username": "Ana", "password": "correct horse"}


async def test_a_repeated_registration_is_the_same_account_with_a_new_token(api: Api) -> None:
    first = await api.post("/api/auth/register", ACCOUNT, key="r")
    again = await api.post("/api/auth/register", ACCOUNT, key="r")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json["user"] == first.json["user"]
    assert again.json["token"] != first.json["token"]
    assert (await api.get("/api/me", token=again.json["token"])).status == 200


async def test_twins_registering_at_once_are_one_account(api: Api) -> None:
    answers = await asyncio.gather(*(api.post("/api/auth/register", ACCOUNT, key="r") for _ in range(5)))
    assert {a.status for a in answers} == {201}
    assert len({a.json["user"]["id"] for a in answers}) == 1


async def test_nobody_without_the_password_gets_a_registration_replayed(api: Api) -> None:
    await api.post("/api/auth/register", ACCOUNT, key="r")
    response = await api.post("/api/auth/register", ACCOUNT | {"password": "wrong horse"}, key="r")
    assert response.code == "IDEMPOTENCY_KEY_REUSED"
    assert (await api.post("/api/auth/register", ACCOUNT, key="other")).code == "USERNAME_TAKEN"
    assert (await api.post("/api/auth/register", ACCOUNT)).code == "USERNAME_TAKEN"


async def test_a_repeated_login_gives_a_token_of_its_own(api: Api) -> None:
    await api.post("/api/auth/register", ACCOUNT)
    first = await api.post("/api/auth/login", ACCOUNT, key="l")
    again = await api.post("/api/auth/login", ACCOUNT, key="l")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["token"] != first.json["token"]
    assert (await api.post("/api/auth/login", ACCOUNT | {"password": "x"}, key="l")).code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(("path", "status"), [("/api/auth/login", 200), ("/api/auth/register", 201)])
async def test_a_sign_in_is_replayed_whoever_was_signed_in_at_first(api: Api, path: str, status: int) -> None:
    agent = await api.token("agent")
    if status == 200:
        await api.post("/api/auth/register", ACCOUNT)
    assert (await api.post(path, ACCOUNT, token=agent, key="s")).status == status
    again = await api.post(path, ACCOUNT, key="s")
    assert (again.status, again.headers.get("Idempotent-Replayed")) == (status, "true")
    assert (await api.get("/api/me", token=again.json["token"])).json["username"] == "Ana"


async def test_a_repeated_password_change_is_replayed_and_another_is_not(api: Api) -> None:
    session = await api.register(username="ana")
    change = {"current_password": "correct horse", "password": "better horse"}
    first = await api.patch("/api/me", change, token=session["token"], key="p")
    again = await api.patch("/api/me", change, token=session["token"], key="p")
    assert (first.status, again.status, again.headers["Idempotent-Replayed"]) == (200, 200, "true")
    other = {"current_password": "better horse", "password": "third horse"}
    assert (await api.patch("/api/me", other, token=session["token"], key="p")).code == "IDEMPOTENCY_KEY_REUSED"


async def test_nothing_secret_is_stored(api: Api) -> None:
    session = (await api.post("/api/auth/register", ACCOUNT, key="r")).json
    again = (await api.post("/api/auth/login", ACCOUNT, key="l")).json
    change = {"current_password": "correct horse", "password": "better horse"}
    await api.patch("/api/me", change, token=again["token"], key="p")
    folder = api.desk.config.data_dir
    stored = b"".join(p.read_bytes() for p in folder.iterdir())
    for secret in (session["token"], again["token"], "correct horse", "better horse"):
        assert secret.encode() not in stored
        assert hashlib.sha256(secret.encode()).hexdigest().encode() not in stored
    assert hashlib.sha256(b"correct horse").digest() not in stored
