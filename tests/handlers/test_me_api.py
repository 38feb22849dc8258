"""The caller's own account (the contract's section 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

LOGIN = "/api/auth/login"


async def test_names_are_changed_trimmed_and_taken_away(api: Api) -> None:
    session = await api.register(username="ana", name="Ana")
    token = session["token"]
    changed = await api.patch("/api/me", {"name": " A\u0308nne ", "email": "a@example.com"}, token=token)
    assert changed.json == session["user"] | {"name": "Änne", "email": "a@example.com"}
    assert (await api.patch("/api/me", {"name": "", "email": None}, token=token)).json["name"] is None
    assert (await api.get("/api/me", token=token)).json["email"] == "a@example.com"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": 5}, "INVALID_FIELD", "name"),
        ({"name": "a\tb"}, "INVALID_FIELD", "name"),
        ({"email": "@"}, "INVALID_FIELD", "email"),
        ({"password": "short", "current_password": "correct horse"}, "INVALID_FIELD", "password"),
        ({"password": "x" * 1025, "current_password": "correct horse"}, "INVALID_FIELD", "password"),
        ({"password": "better horse", "current_password": None}, "FIELD_REQUIRED", "current_password"),
        ({"password": "better horse", "current_password": "Correct horse"}, "INVALID_FIELD", "current_password"),
        ({"role": "admin"}, "UNKNOWN_FIELD", "role"),
        ({"active": False}, "UNKNOWN_FIELD", "active"),
        ({"username": "root"}, "UNKNOWN_FIELD", "username"),
    ],
)
async def test_a_bad_change_is_refused_and_the_password_stays(
    api: Api, change: dict[str, Any], code: str, field: str
) -> None:
    session = await api.register(username="ana")
    response = await api.patch("/api/me", {"name": "Eve"} | change, token=session["token"])
    assert (response.status, response.code, response.field) == (400, code, field)
    assert (await api.get("/api/me", token=session["token"])).json == session["user"]
    assert (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).status == 200


async def test_a_changed_password_is_the_only_one(api: Api) -> None:
    token = (await api.register(username="ana"))["token"]
    await api.patch("/api/me", {"password": " e\u0301té 🔑 ", "current_password": "correct horse"}, token=token)
    for password, status in ((" e\u0301té 🔑 ", 200), ("e\u0301té 🔑", 401), (" été 🔑 ", 401), ("correct horse", 401)):
        assert (await api.post(LOGIN, {"username": "ana", "password": password})).status == status, password


async def test_of_two_password_changes_at_once_one_is_the_password(api: Api) -> None:
    token = (await api.register(username="ana"))["token"]
    wanted = [f"better horse {n}" for n in range(5)]
    answers = await asyncio.gather(
        *(api.patch("/api/me", {"password": p, "current_password": "correct horse"}, token=token) for p in wanted)
    )
    won = [password for password, a in zip(wanted, answers, strict=True) if a.status == 200]
    assert sorted(a.status for a in answers) == [200, 400, 400, 400, 400]
    assert (await api.post(LOGIN, {"username": "ana", "password": won[0]})).status == 200


async def test_guessing_the_current_password_is_throttled_like_signing_in(start: Start) -> None:
    api = await start(login_limit=Rate(3, 900))
    token = (await api.register(username="ana"))["token"]
    guess = {"password": "better horse", "current_password": "wrong horse"}
    assert [(await api.patch("/api/me", guess, token=token)).status for _ in range(4)] == [400, 400, 400, 429]
    right = await api.patch("/api/me", guess | {"current_password": "correct horse"}, token=token)
    assert (right.status, right.code) == (429, "RATE_LIMIT")
    assert (await api.post(LOGIN, {"username": "ana", "password": "correct horse"})).status == 429
    assert (await api.patch("/api/me", {"name": "Ana"}, token=token)).status == 200
