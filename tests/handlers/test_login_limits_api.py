"""The limits of failed logins and of registrations (the contract's section 2), by every door."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pytest
from msgspec.structs import replace

from helpdesk.config import Rate
from helpdesk.db import users
from tests.conftest import Api, Response, Start
from tests.handlers.test_plain import Browser

pytestmark = pytest.mark.gen_test

REGISTER, LOGIN = "/api/auth/register", "/api/auth/login"
PASSWORD = "correct horse"
LIMITED: dict[str, Any] = {
    "login_limit": Rate(10, 900),
    "trusted_proxies": (ipaddress.ip_network("127.0.0.0/8"),),
}


async def login(api: Api, name: str, address: str, password: str = "wrong horse") -> Response:
    body = {"username": name, "password": password}
    return await api.post(LOGIN, body, headers={"X-Forwarded-For": address})


async def register(api: Api, name: str, address: str, **options: Any) -> Response:
    body = {"username": name, "password": PASSWORD}
    return await api.post(REGISTER, body, headers={"X-Forwarded-For": address}, **options)


async def test_ten_failures_for_a_name_from_one_address_leave_other_addresses_alone(start: Start) -> None:
    api = await start(**LIMITED)
    await api.register(username="ana")
    statuses = [(await login(api, "ANA", "203.0.113.7:" + str(5000 + n))).status for n in range(11)]
    assert statuses == [401] * 10 + [429]
    assert (await login(api, "ana", "203.0.113.7", PASSWORD)).status == 429
    assert (await login(api, "ana", "203.0.113.8", PASSWORD)).status == 200
    assert (await login(api, "ben", "203.0.113.7")).status == 401


async def test_fifty_failures_for_one_name_from_all_addresses_are_all(start: Start) -> None:
    api = await start(**LIMITED)
    await api.register(username="ana")
    for n in range(50):
        assert (await login(api, "ana", f"203.0.113.{n}")).status == 401
        api.clock.advance(seconds=1)
    refused = await login(api, "Ana", "203.0.113.99", PASSWORD)
    assert (refused.status, refused.code) == (429, "RATE_LIMIT")
    assert refused.headers["Retry-After"] == "850"
    assert (await login(api, "ben", "203.0.113.1")).status == 401
    api.clock.advance(seconds=850)
    assert (await login(api, "ana", "203.0.113.99", PASSWORD)).status == 200


async def test_a_hundred_failures_from_one_address_are_all_whatever_the_name(start: Start) -> None:
    api = await start(**LIMITED)
    await api.register(username="ana")
    assert {(await login(api, f"nobody{n}", "203.0.113.7")).status for n in range(100)} == {401}
    assert (await login(api, "ana", "203.0.113.7", PASSWORD)).status == 429
    assert (await login(api, "ana", "203.0.113.8", PASSWORD)).status == 200
    api.clock.advance(minutes=15)
    assert (await login(api, "ana", "203.0.113.7", PASSWORD)).status == 200


async def test_ipv6_addresses_of_one_64_share_their_failures(start: Start) -> None:
    api = await start(**LIMITED)
    statuses = [(await login(api, "ana", f"[2001:db8::{n:x}]:443")).status for n in range(1, 12)]
    assert statuses == [401] * 10 + [429]
    assert (await login(api, "ana", "2001:db8:0:1::1")).status == 401


async def test_successes_do_not_count(start: Start) -> None:
    api = await start(**LIMITED)
    await api.register(username="ana")
    for _ in range(3):
        assert {(await login(api, "ana", "203.0.113.7")).status for _ in range(3)} == {401}
        assert (await login(api, "ana", "203.0.113.7", PASSWORD)).status == 200
    assert (await login(api, "ana", "203.0.113.7")).status == 401
    assert (await login(api, "ana", "203.0.113.7")).status == 429


async def test_every_door_counts_in_the_same_windows(start: Start) -> None:
    api = await start(login_limit=Rate(4, 900))
    session = await api.register(username="ana")
    wrong = {"username": "ana", "password": "wrong horse"}
    assert (await api.post(LOGIN, wrong)).status == 401
    assert (await Browser(api).sign_in("ana", "wrong horse")).status == 401
    assert (await api.post(REGISTER, wrong, key="a")).status == 409
    change = {"password": "better horse", "current_password": "wrong horse"}
    assert (await api.patch("/api/me", change, token=session["token"])).code == "INVALID_FIELD"
    assert (await api.post(LOGIN, wrong)).status == 429
    assert (await Browser(api).sign_in("ana")).status == 429
    assert (await api.patch("/api/me", change, token=session["token"])).status == 429


async def test_a_limit_of_zero_turns_all_of_them_off(start: Start) -> None:
    api = await start(login_limit=Rate(0, 1), mode="production")
    assert {(await login(api, "ana", "203.0.113.7")).status for _ in range(120)} == {401}
    assert {(await register(api, f"user{n}", "203.0.113.7")).status for n in range(25)} == {201}


async def test_in_production_an_address_registers_twenty_accounts_an_hour(start: Start) -> None:
    api = await start(**LIMITED, mode="production")
    for n in range(20):
        assert (await register(api, f"user{n}", f"203.0.113.7:{4000 + n}")).status == 201
        api.clock.advance(minutes=1)
    refused = await register(api, "late", "203.0.113.7")
    assert (refused.status, refused.code) == (429, "RATE_LIMIT")
    assert refused.headers["Retry-After"] == str(40 * 60)
    assert (await register(api, "late", "203.0.113.8")).status == 201
    api.clock.advance(minutes=40)
    assert (await register(api, "later", "203.0.113.7")).status == 201
    assert (await register(api, "latest", "203.0.113.7")).status == 429


async def test_of_thirty_registrations_at_once_twenty_are_made(start: Start) -> None:
    api = await start(**LIMITED, mode="production")
    answers = await asyncio.gather(*(register(api, f"user{n}", "2001:db8::1") for n in range(30)))
    assert sorted(answer.status for answer in answers) == [201] * 20 + [429] * 10


async def test_what_is_not_made_is_not_counted_and_a_replay_is_answered(start: Start) -> None:
    api = await start(**LIMITED, mode="production")
    assert (await register(api, "ana", "203.0.113.7", key="k")).status == 201
    for n in range(30):
        assert (await register(api, "ana", "203.0.113.7")).status == 409
        assert (await register(api, "x" if n % 2 else "a b", "203.0.113.7")).status == 400
    for n in range(19):
        assert (await register(api, f"user{n}", "203.0.113.7")).status == 201
    assert (await register(api, "one-more", "203.0.113.7")).status == 429
    replay = await register(api, "ana", "203.0.113.7", key="k")
    assert (replay.status, replay.headers["Idempotent-Replayed"]) == (201, "true")


async def test_registrations_by_an_admin_do_not_count(start: Start) -> None:
    api = await start(**LIMITED, mode="production")
    admin, agent = [(await api.register(username=name))["token"] for name in ("ada", "gus")]
    with_role = {"ada": "admin", "gus": "agent"}
    await api.desk.db.write(lambda conn: _set_roles(conn, with_role))
    for n in range(25):
        body = {"username": f"agent{n}", "password": PASSWORD, "role": "agent"}
        assert (await api.post(REGISTER, body, token=admin)).status == 201
    for n in range(18):
        assert (await api.post(REGISTER, {"username": f"user{n}", "password": PASSWORD}, token=agent)).status == 201
    for token, status in ((None, 429), (agent, 429), ("nonsense", 429), (admin, 201)):
        body = {"username": "the-last", "password": PASSWORD}
        assert (await api.post(REGISTER, body, token=token)).status == status


def _set_roles(conn: Any, roles: dict[str, Any]) -> None:
    for username, role in roles.items():
        user = users.by_username(conn, username)
        assert user is not None
        users.update(conn, replace(user, role=role), was=user)


async def test_the_demo_has_no_limit_of_registrations(start: Start) -> None:
    api = await start(**LIMITED)
    assert {(await register(api, f"user{n}", "203.0.113.7")).status for n in range(25)} == {201}
