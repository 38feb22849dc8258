"""People, as agents and admins see and change them (the contract's section 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from helpdesk.db import users as user_store
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test


async def test_only_admins_change_people_and_only_staff_sees_them(api: Api) -> None:
    user, agent, admin = await api.register(), await api.register("agent"), await api.register("admin")
    path = f"/api/users/{user['user']['id']}"
    for token, reads, changes in ((user["token"], 403, 403), (agent["token"], 200, 403), (admin["token"], 200, 200)):
        assert (await api.get(path, token=token)).status == reads
        assert (await api.get("/api/users", token=token)).status == reads
        assert (await api.patch(path, {"name": "Ana"}, token=token)).status == changes
    assert (await api.get(path, token=agent["token"])).json["name"] == "Ana"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"role": "root"}, "INVALID_FIELD", "role"),
        ({"role": ["admin"]}, "INVALID_FIELD", "role"),
        ({"active": 1}, "INVALID_FIELD", "active"),
        ({"active": "false"}, "INVALID_FIELD", "active"),
        ({"name": "x" * 101}, "INVALID_FIELD", "name"),
        ({"email": "a@b\nc"}, "INVALID_FIELD", "email"),
        ({"password": "better horse"}, "UNKNOWN_FIELD", "password"),
        ({"username": "ben"}, "UNKNOWN_FIELD", "username"),
    ],
)
async def test_a_bad_change_of_a_person_is_refused_by_its_field(
    api: Api, change: dict[str, Any], code: str, field: str
) -> None:
    admin, user = await api.token("admin"), (await api.register())["user"]
    response = await api.patch(f"/api/users/{user['id']}", change, token=admin)
    assert (response.status, response.code, response.field) == (400, code, field)
    assert (await api.get(f"/api/users/{user['id']}", token=admin)).json == user


async def test_nulls_and_nothing_leave_a_person_alone(api: Api) -> None:
    admin, user = await api.token("admin"), (await api.register(name="Ana"))["user"]
    path = f"/api/users/{user['id']}"
    nothing = {"role": None, "active": None, "name": None, "email": None}
    assert (await api.patch(path, nothing, token=admin)).json == user
    assert (await api.patch(path, {}, token=admin)).json == user
    assert (await api.patch("/api/users/99", {"name": "x"}, token=admin)).code == "NOT_FOUND"


async def test_a_demoted_agent_is_a_requester_at_the_next_request(api: Api) -> None:
    requester, agent, admin = await api.token(), await api.register("agent"), await api.token("admin")
    await api.ticket(requester)
    assert (await api.get("/api/tickets/1", token=agent["token"])).status == 200
    await api.patch(f"/api/users/{agent['user']['id']}", {"role": "user"}, token=admin)
    assert (await api.get("/api/tickets/1", token=agent["token"])).code == "NOT_FOUND"
    assert (await api.get("/api/tickets", token=agent["token"])).json["items"] == []
    assert (await api.get("/api/users", token=agent["token"])).code == "FORBIDDEN"


async def test_two_admins_who_demote_each_other_at_once_leave_one(api: Api) -> None:
    one, two = await api.register("admin"), await api.register("admin")
    answers = await asyncio.gather(
        api.patch(f"/api/users/{two['user']['id']}", {"role": "user"}, token=one["token"]),
        api.patch(f"/api/users/{one['user']['id']}", {"active": False}, token=two["token"]),
    )
    # The other one is told so, or came so late that its sender was no admin any more.
    assert sorted(a.status for a in answers) in ([200, 409], [200, 403], [200, 401])
    assert await api.desk.db.read(lambda conn: user_store.count_other_admins(conn, 0)) == 1


async def test_a_deactivated_admin_is_none_that_is_left(api: Api) -> None:
    one, two = await api.register("admin"), await api.register("admin")
    await api.patch(f"/api/users/{two['user']['id']}", {"active": False}, token=one["token"])
    response = await api.patch(f"/api/users/{one['user']['id']}", {"active": False}, token=one["token"])
    assert (response.status, response.code) == (409, "LAST_ADMIN")
    assert (await api.get("/api/me", token=one["token"])).json["active"] is True


async def test_people_come_in_pages(api: Api) -> None:
    token = await api.token("admin")
    for _ in range(4):
        await api.register()
    first = (await api.get("/api/users?limit=3", token=token)).json
    rest = (await api.get("/api/users?limit=3&offset=3", token=token)).json
    assert [u["id"] for u in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert (first["next_offset"], rest["next_offset"]) == (3, None)
    assert (await api.get("/api/users?limit=5", token=token)).json["next_offset"] is None


@pytest.mark.parametrize(("q", "names"), [("%25", []), ("_", ["_ana"]), ("_b", []), ("%5C", []), ("%C3%84R", ["zoe"])])
async def test_signs_in_a_name_mean_themselves(api: Api, q: str, names: list[str]) -> None:
    token = (await api.register("admin", username="zoe", name="Ärzte"))["token"]
    await api.register(username="_ana")
    await api.register(username="ab")
    found = (await api.get(f"/api/users?q={q}", token=token)).json["items"]
    assert [user["username"] for user in found] == names


@pytest.mark.parametrize("query", ["role=root", "active=1", "active=", "q=%00", "limit=0", "sort=id", "active=true%0A"])
async def test_a_bad_parameter_of_the_list_is_refused_by_its_name(api: Api, query: str) -> None:
    response = await api.get(f"/api/users?{query}", token=await api.token("agent"))
    assert (response.status, response.code) == (400, "INVALID_PARAM")
    assert response.field == query.partition("=")[0]


async def test_in_production_an_admin_registers_an_agent(start: Start) -> None:
    api = await start(mode="production")
    root = await api.register()
    await api.desk.db.write(lambda conn: conn.exec_driver_sql("UPDATE users SET role = 'admin'"))
    body = {"username": "eve", "password": "correct horse", "role": "agent"}
    response = await api.post("/api/auth/register", body, token=root["token"])
    assert (response.status, response.json["user"]["role"]) == (201, "agent")
    assert (await api.get("/api/users", token=response.json["token"])).status == 200
    refused = await api.post("/api/auth/register", body | {"username": "mal"}, token=response.json["token"])
    assert (refused.status, refused.code, refused.field) == (403, "FORBIDDEN", "role")


async def test_names_are_compared_without_the_case_of_ascii_letters_only(api: Api) -> None:
    """`ſ` folds to `s`, and the Kelvin sign composes to `K`: neither is a letter of anybody's username."""
    await api.register(username="User")
    await api.register(username="Kevin")
    login, register = "/api/auth/login", "/api/auth/register"
    for name in ("USER", "user", "kevin", " kEVIN "):
        assert (await api.post(login, {"username": name, "password": "correct horse"})).status == 200
        taken = await api.post(register, {"username": name, "password": "correct horse"})
        assert (taken.status, taken.code) == (409, "USERNAME_TAKEN")
    for name in ("u\u017fer", "U\u017fER", "\u212aevin", "\uff55ser", "user\u200b", "use\u0301r"):
        assert (await api.post(login, {"username": name, "password": "correct horse"})).status == 401, name
        new = await api.post(register, {"username": name, "password": "correct horse"})
        assert (new.status, new.code, new.field) == (400, "INVALID_FIELD", "username"), name
