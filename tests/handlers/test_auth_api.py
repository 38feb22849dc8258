"""Registering, signing in and out, roles and modes (the contract's section 2)."""

from __future__ import annotations

import asyncio

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

REGISTER, LOGIN = "/api/auth/register", "/api/auth/login"


async def test_registering_signs_in(api: Api) -> None:
    body = {"username": "Ana.B", "password": "correct horse", "name": " Ana ", "email": "ana@example.com"}
    response = await api.post(REGISTER, body)
    assert response.status == 201
    assert response.json["expires_at"] == "2026-12-23T09:30:00.000Z"
    assert response.json["user"] == {
        "id": 1,
        "username": "Ana.B",
        "name": "Ana",
        "role": "user",
        "email": "ana@example.com",
        "active": True,
        "created_at": "2026-11-23T09:30:00.000Z",
    }
    me = await api.get("/api/me", token=response.json["token"])
    assert me.json == response.json["user"]


async def test_names_are_compared_without_case(api: Api) -> None:
    await api.register(username="Ana")
    response = await api.post(REGISTER, {"username": "aNA", "password": "correct horse"})
    assert (response.status, response.code, response.field) == (409, "USERNAME_TAKEN", "username")
    assert (await api.post(LOGIN, {"username": "ANA", "password": "correct horse"})).status == 200


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"username": None}, "FIELD_REQUIRED", "username"),
        ({"username": "a"}, "INVALID_FIELD", "username"),
        ({"username": "x" * 65}, "INVALID_FIELD", "username"),
        ({"username": "ana b"}, "INVALID_FIELD", "username"),
        ({"username": "änä"}, "INVALID_FIELD", "username"),
        ({"password": None}, "FIELD_REQUIRED", "password"),
        ({"password": "1234567"}, "INVALID_FIELD", "password"),
        ({"password": "x" * 1025}, "INVALID_FIELD", "password"),
        ({"password": 12345678}, "INVALID_FIELD", "password"),
        ({"password": "nul\0nul\0nul"}, "INVALID_FIELD", "password"),
        ({"role": "root"}, "INVALID_FIELD", "role"),
        ({"email": "nowhere"}, "INVALID_FIELD", "email"),
        ({"name": "two\nlines"}, "INVALID_FIELD", "name"),
        ({"admin": True}, "UNKNOWN_FIELD", "admin"),
    ],
)
async def test_a_bad_registration_is_refused_by_its_field(
    api: Api, change: dict[str, object], code: str, field: str
) -> None:
    response = await api.post(REGISTER, {"username": "ana", "password": "correct horse"} | change)
    assert (response.status, response.code, response.field) == (400, code, field)


@pytest.mark.parametrize("password", ["x" * 1024, " leading and trailing ", "пароль🔑" * 20, "a" * 72 + "b"])
async def test_no_password_is_cut_trimmed_or_normalised(api: Api, password: str) -> None:
    await api.post(REGISTER, {"username": "ana", "password": password})
    assert (await api.post(LOGIN, {"username": "ana", "password": password})).status == 200
    for other in (password[:-1] + "_", password[:71] + "c", password.strip()[:-1] + "!"):
        assert (await api.post(LOGIN, {"username": "ana", "password": other})).code == "INVALID_CREDENTIALS"


async def test_an_unknown_name_and_a_wrong_password_look_alike(api: Api) -> None:
    await api.register(username="ana")
    wrong = await api.post(LOGIN, {"username": "ana", "password": "wrong horse"})
    unknown = await api.post(LOGIN, {"username": "nobody", "password": "wrong horse"})
    assert (wrong.status, wrong.code) == (401, "INVALID_CREDENTIALS")
    assert wrong.json == unknown.json


async def test_a_signed_out_token_is_dead_and_others_live(api: Api) -> None:
    session = await api.register(username="ana")
    other = (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).json["token"]
    assert (await api.get("/api/me", token=session["token"])).status == 200
    response = await api.post("/api/auth/logout", token=session["token"])
    assert (response.status, response.body) == (204, b"")
    refused = await api.get("/api/me", token=session["token"])
    assert (refused.status, refused.code) == (401, "INVALID_TOKEN")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (await api.get("/api/me", token=other)).status == 200


async def test_a_token_expires(api: Api) -> None:
    token = await api.token()
    assert (await api.get("/api/me", token=token)).status == 200
    api.clock.advance(hours=30 * 24)
    assert (await api.get("/api/me", token=token)).code == "INVALID_TOKEN"


async def test_a_deactivated_account_is_refused_at_the_next_request(api: Api) -> None:
    ana, admin = await api.register(username="ana"), await api.token("admin")
    assert (await api.get("/api/me", token=ana["token"])).status == 200
    await api.patch(f"/api/users/{ana['user']['id']}", {"active": False}, token=admin)
    assert (await api.get("/api/me", token=ana["token"])).code == "INVALID_TOKEN"
    assert (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).code == "INVALID_CREDENTIALS"
    await api.patch(f"/api/users/{ana['user']['id']}", {"active": True}, token=admin)
    assert (await api.get("/api/me", token=ana["token"])).code == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "UNAUTHENTICATED"),
        ("Basic YW5hOng=", 401, "UNAUTHENTICATED"),
        ("Bearer", 400, "INVALID_HEADER"),
        ("Bearer two words", 400, "INVALID_HEADER"),
        ("Bearer nonsense", 401, "INVALID_TOKEN"),
        ("Bearer " + "x" * 9000, 401, "INVALID_TOKEN"),
    ],
)
async def test_a_request_without_a_good_token_is_refused(
    api: Api, authorization: str | None, status: int, code: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = await api.get("/api/me", headers=headers)
    assert (response.status, response.code) == (status, code)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token", "TOKEN"])
async def test_both_schemes_are_taken_in_any_case(api: Api, scheme: str) -> None:
    token = await api.token()
    assert (await api.get("/api/me", headers={"Authorization": f"{scheme} {token}"})).status == 200


async def test_in_production_only_an_admin_gives_roles(start: Start) -> None:
    api = await start(mode="production")
    body = {"username": "eve", "password": "correct horse", "role": "agent"}
    user = await api.token()
    for token in (None, user):
        response = await api.post(REGISTER, body, token=token)
        assert (response.status, response.code, response.field) == (403, "FORBIDDEN", "role")


async def test_in_production_sla_minutes_are_for_staff(start: Start) -> None:
    api = await start(mode="production")
    body = {"title": "x", "description": "y", "sla_minutes": 5}
    response = await api.post("/api/tickets", body, token=await api.token())
    assert (response.status, response.code, response.field) == (403, "FORBIDDEN", "sla_minutes")


async def test_twenty_wrong_logins_at_once_leave_ten_chances(start: Start) -> None:
    api = await start(login_limit=Rate(10, 900))
    await api.register(username="ana")
    wrong = {"username": "ana", "password": "wrong horse"}
    statuses = [r.status for r in await asyncio.gather(*(api.post(LOGIN, wrong) for _ in range(20)))]
    assert sorted(statuses) == [401] * 10 + [429] * 10
    right = await api.post(LOGIN, {"username": "ANA", "password": "correct horse"})
    assert (right.status, right.code) == (429, "RATE_LIMIT")
    assert 1 <= int(right.headers["Retry-After"]) <= 900
    assert (await api.post(LOGIN, wrong | {"username": "ben"})).status == 401
    api.clock.advance(seconds=int(right.headers["Retry-After"]))
    assert (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).status == 200


async def test_twenty_right_logins_at_once_all_get_in(start: Start) -> None:
    api = await start(login_limit=Rate(10, 900))
    await api.register(username="ana")
    right = {"username": "ana", "password": "correct horse"}
    assert {r.status for r in await asyncio.gather(*(api.post(LOGIN, right) for _ in range(20)))} == {200}


async def test_a_new_password_needs_the_current_one_and_ends_other_tokens(api: Api) -> None:
    session = await api.register(username="ana")
    other = (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).json["token"]
    token = session["token"]
    missing = await api.patch("/api/me", {"password": "better horse"}, token=token)
    assert (missing.code, missing.field) == ("FIELD_REQUIRED", "current_password")
    wrong = await api.patch("/api/me", {"password": "better horse", "current_password": "x"}, token=token)
    assert (wrong.code, wrong.field) == ("INVALID_FIELD", "current_password")
    change = {"password": "better horse", "current_password": "correct horse", "name": "Ana"}
    assert (await api.patch("/api/me", change, token=token)).json["name"] == "Ana"
    assert (await api.get("/api/me", token=token)).status == 200
    assert (await api.get("/api/me", token=other)).code == "INVALID_TOKEN"
    assert (await api.post(LOGIN, {"username": "ana", "password": "better horse"})).status == 200


async def test_the_last_admin_stays(api: Api) -> None:
    admin = await api.register("admin")
    path = f"/api/users/{admin['user']['id']}"
    for change in ({"role": "agent"}, {"active": False}):
        response = await api.patch(path, change, token=admin["token"])
        assert (response.status, response.code) == (409, "LAST_ADMIN")
    await api.register("admin")
    assert (await api.patch(path, {"role": "agent"}, token=admin["token"])).json["role"] == "agent"
    assert (await api.patch(path, {"role": "admin"}, token=admin["token"])).code == "FORBIDDEN"


async def test_people_are_listed_for_staff_by_role_name_and_state(api: Api) -> None:
    admin = await api.register("admin", username="zoe", name="Ärzte")
    token = admin["token"]
    await api.register(username="anna")
    await api.register("agent", username="ANton", name="Bob")

    async def names(query: str) -> list[str]:
        return [user["username"] for user in (await api.get(f"/api/users?{query}", token=token)).json["items"]]

    assert await names("") == ["zoe", "anna", "ANton"]
    assert await names("role=agent") == ["ANton"]
    assert await names("q=AN") == ["anna", "ANton"]
    assert await names("q=bo") == ["ANton"]
    assert await names("q=%C3%A4r") == ["zoe"]
    assert await names("q=nna") == []
    await api.patch("/api/users/2", {"active": False}, token=token)
    assert await names("active=false") == ["anna"]
    assert (await api.get("/api/users/99", token=token)).code == "NOT_FOUND"
    assert (await api.get("/api/users", token=await api.token())).code == "FORBIDDEN"
