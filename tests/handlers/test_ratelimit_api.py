"""Fair use over HTTP (the contract's section 5)."""

from __future__ import annotations

import ipaddress
import re

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

SIXTY = Rate(60, 60)


async def test_the_sixty_first_request_waits_and_then_succeeds(start: Start) -> None:
    api = await start(rate_limit=SIXTY)
    token = await api.token()
    for left in range(59, -1, -1):
        response = await api.get("/api/me", token=token)
        assert response.status == 200
        assert response.headers["RateLimit-Policy"] == '"user";q=60;w=60'
        assert response.headers["RateLimit"] == f'"user";r={left};t={60 - left}'
    refused = await api.post("/api/tickets", {"title": "x", "description": "y"}, token=token)
    assert (refused.status, refused.code, refused.headers["RateLimit"]) == (429, "RATE_LIMIT", '"user";r=0;t=60')
    api.clock.advance(seconds=int(refused.headers["Retry-After"]))
    assert (await api.get("/api/tickets", token=token)).json["items"] == []
    assert (await api.get("/api/me", token=token)).status == 429


async def test_a_jump_of_the_wall_clock_changes_nothing(start: Start) -> None:
    api = await start(rate_limit=Rate(1, 60))
    token = await api.token()
    await api.get("/api/me", token=token)
    api.clock.now_ms += 3_600_000
    assert (await api.get("/api/me", token=token)).headers["Retry-After"] == "60"


async def test_errors_and_wrong_paths_are_counted_too(start: Start) -> None:
    api = await start(rate_limit=SIXTY)
    for n, (method, path) in enumerate(
        [("GET", "/api/nowhere"), ("DELETE", "/api/tickets"), ("GET", "/api/me"), ("OPTIONS", "/api/me")]
    ):
        response = await api.request(method, path)
        assert response.headers["RateLimit-Policy"] == '"address";q=60;w=60'
        assert response.headers["RateLimit"] == f'"address";r={59 - n};t={n + 1}', path
    bad = await api.get("/api/me", token="nonsense")
    assert bad.headers["RateLimit"] == '"address";r=55;t=5'


@pytest.mark.parametrize("path", ["/api/health", "/api/_meta", "/.well-known/hackathon.json", "/", "/static/app.js"])
async def test_some_paths_are_free(start: Start, path: str) -> None:
    api = await start(rate_limit=Rate(1, 60))
    for _ in range(3):
        response = await api.get(path)
        assert response.status == 200
        assert "RateLimit" not in response.headers


async def test_users_do_not_share_a_bucket_even_from_one_address(start: Start) -> None:
    api = await start(rate_limit=Rate(2, 60))
    one, two = await api.token(), await api.token()
    for token in (one, one, two, two):
        assert (await api.get("/api/me", token=token)).status == 200
    assert (await api.get("/api/me")).status == 429  # the address spent its two on registering
    assert (await api.get("/api/me", token=one)).status == 429


async def test_forwarded_addresses_count_only_from_trusted_proxies(start: Start) -> None:
    plain = await start(rate_limit=Rate(1, 60))
    await plain.get("/api/me", headers={"X-Forwarded-For": "9.9.9.9"})
    assert (await plain.get("/api/me", headers={"X-Forwarded-For": "8.8.8.8"})).status == 429


async def test_a_trusted_proxy_tells_the_nearest_untrusted_address(start: Start) -> None:
    api = await start(rate_limit=Rate(1, 60), trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),))
    for hops, status in (
        ("9.9.9.9", 401),
        ("8.8.8.8", 401),
        ("invented, 9.9.9.9, 127.0.0.5", 429),
        ("1.1.1.1, 8.8.8.8", 429),
    ):
        assert (await api.get("/api/me", headers={"X-Forwarded-For": hops})).status == status, hops


async def test_no_limit_means_no_fields(api: Api) -> None:
    assert not [name for name in (await api.get("/api/me")).headers if re.match("ratelimit", name, re.IGNORECASE)]
