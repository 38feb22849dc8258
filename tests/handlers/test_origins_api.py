"""Writes that pages of other origins send: refused, whichever header tells, and counted like any other request."""

from __future__ import annotations

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

CREDENTIALS = {"username": "nobody", "password": "wrong password"}
OWN = "http://localhost"  # each test sends its own Host: the default ports belong to it too


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "none"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "http://localhost:8443"},
        {"Origin": "chrome-extension://localhost"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": ""},
    ],
)
async def test_a_write_of_another_origin_is_refused(api: Api, headers: dict[str, str]) -> None:
    for path in ("/api/auth/login", "/api/nowhere", "/api/health", "/plain/login", "/"):
        response = await api.post(path, CREDENTIALS, headers={"Host": "localhost"} | headers)
        assert response.status == 403, path


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("localhost", {}),
        ("localhost", {"Origin": OWN}),
        ("localhost", {"Origin": "HTTP://LocalHost", "Sec-Fetch-Site": "same-origin"}),
        ("localhost", {"Origin": "https://localhost"}),  # a proxy ends TLS
        ("localhost:443", {"Origin": "https://localhost"}),
        ("localhost", {"Origin": "https://localhost:443"}),
        ("localhost:80", {"Origin": "http://localhost"}),
        ("localhost:8000", {"Origin": "http://localhost:8000"}),
        ("[::1]:8000", {"Origin": "http://[::1]:8000"}),
        ("localhost", {"Sec-Fetch-Site": "same-origin"}),
        ("localhost", {"Sec-Fetch-Site": "none"}),
        ("localhost", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}),
    ],
)
async def test_a_write_of_our_own_pages_and_of_programs_is_taken(api: Api, host: str, headers: dict[str, str]) -> None:
    response = await api.post("/api/auth/login", CREDENTIALS, headers={"Host": host} | headers)
    assert response.code == "INVALID_CREDENTIALS"


async def test_configured_origins_may_write_whatever_else_the_browser_says(start: Start) -> None:
    api = await start(cors_origins=("https://app.example.com",))
    headers = {"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}
    assert (await api.post("/api/auth/login", CREDENTIALS, headers=headers)).code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/nowhere", "/api/health", "/plain/login"])
async def test_a_write_of_another_origin_is_counted(start: Start, path: str) -> None:
    api = await start(rate_limit=Rate(2, 60))
    foreign = {"Origin": "https://evil.example"}
    for left in (1, 0):
        response = await api.post(path, CREDENTIALS, headers=foreign)
        assert (response.status, response.headers["RateLimit"][:13]) == (403, f'"address";r={left}')
    assert (await api.post(path, CREDENTIALS, headers=foreign)).status == 429
