"""Health, meta, manifest, pages, hosts and CORS (the contract's section 6 and the modes)."""

from __future__ import annotations

import asyncio
import re

import pytest

from helpdesk.handlers import meta
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test


@pytest.mark.sqlite
async def test_health_tells_that_the_store_answers(api: Api) -> None:
    api.clock.advance(seconds=12.3)
    response = await api.get("/api/health")
    assert response.json == {"status": "ok", "database": "ok", "version": "1.0.0", "uptime_seconds": 12.3}


@pytest.mark.sqlite
async def test_health_tells_that_the_store_does_not_answer(api: Api) -> None:
    await api.desk.db.write(lambda conn: None)
    writer = api.desk.db._writer  # type: ignore[attr-defined]
    writer._failed = True
    response = await api.get("/api/health")
    writer._failed = False
    assert (response.status, response.json["status"]) == (503, "unavailable")


async def test_a_store_that_hangs_is_told_in_time_and_asked_once_however_many_call(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = 0, asyncio.Event()

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await answers.wait()

    monkeypatch.setattr(meta, "HEALTH_TIMEOUT_S", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(api.desk.db, "ping", hangs)
        for _ in range(2):
            responses = await asyncio.gather(*(api.get("/api/health") for _ in range(8)))
            assert {(r.status, r.json["status"]) for r in responses} == {(503, "unavailable")}
            assert int(responses[0].headers["Retry-After"]) >= 1
        assert asked == 1
    answers.set()
    assert (await api.get("/api/health")).status == 200


async def test_meta_tells_names_and_limits(api: Api) -> None:
    answer = (await api.get("/api/_meta")).json
    assert (answer["name"], answer["version"], answer["mode"]) == ("HelpDesk Mini", "1.0.0", "demo")
    assert answer["roles"] == ["user", "agent", "admin"]
    assert answer["statuses"] == ["open", "in_progress", "pending", "resolved", "closed"]
    assert answer["priorities"] == {"low": 4320, "medium": 1440, "high": 240, "urgent": 60}
    assert answer["limits"]["title_characters"] == 200


async def test_the_manifest_shows_demo_accounts_in_the_demo_only(api: Api, start: Start) -> None:
    manifest = (await api.get("/.well-known/hackathon.json")).json
    assert {"username": "admin", "password": "admin123", "role": "admin"} in manifest["demo_accounts"]
    assert any(call["path"] == "/api/tickets" and call["method"] == "POST" for call in manifest["calls"])
    production = await start(mode="production")
    assert "demo_accounts" not in (await production.get("/.well-known/hackathon.json")).json


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/tickets", "/tickets/new", "/tickets/7", "/any/page"])
async def test_every_page_is_the_app_with_all_security_headers(api: Api, path: str) -> None:
    response = await api.get(path)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert not re.search(r"\d", response.headers["Server"])


async def test_static_files_are_asked_for_anew_and_not_sent_twice(api: Api) -> None:
    first = await api.get("/static/app.js")
    assert (first.status, first.headers["Cache-Control"]) == (200, "no-cache")
    again = await api.get("/static/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    packed = await api.get("/static/app.js", headers={"Accept-Encoding": "gzip"})
    # The test's client has unpacked it and says so.
    assert packed.headers["X-Consumed-Content-Encoding"] == "gzip" and packed.body == first.body
    for path in ("/static/none.js", "/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/favicon.ico"):
        response = await api.get(path)
        assert response.status in (403, 404) and response.json["error"]["code"] in ("NOT_FOUND", "FORBIDDEN"), path


EVIL_HOSTS = ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.0.1:8000", "localhost:x", "")


@pytest.mark.parametrize("path", ["/", "/api/_meta", "/api/me", "/static/app.js", "/plain", "/api/nowhere"])
async def test_the_demo_serves_loopback_names_only(api: Api, path: str) -> None:
    for host in EVIL_HOSTS:
        response = await api.get(path, headers={"Host": host})
        assert response.status == 421, host
        assert path == "/plain" or response.code == "HOST_NOT_ALLOWED"
    for host in ("localhost", "LOCALHOST:1234", "127.0.0.1:8000", "[::1]:9"):
        assert (await api.get(path, headers={"Host": host})).status != 421, host


async def test_production_serves_the_configured_names_when_given(start: Start) -> None:
    api = await start(mode="production", allowed_hosts=("desk.example.com", "*.desk.example"))
    for host, status in (
        ("desk.example.com:443", 200),
        ("Desk.example.com.", 200),
        ("a.desk.example", 200),
        ("desk.example", 421),
        ("localhost", 421),
    ):
        assert (await api.get("/api/_meta", headers={"Host": host})).status == status, host
    anywhere = await start(mode="production")
    assert (await anywhere.get("/api/_meta", headers={"Host": "evil.example"})).status == 200


@pytest.mark.parametrize("mode", ["demo", "production"])
async def test_probes_are_answered_whatever_the_host(start: Start, mode: str) -> None:
    api = await start(mode=mode, allowed_hosts=("desk.example.com",))
    for host in EVIL_HOSTS:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await api.request(method, "/api/health", headers={"Host": host})).status in (200, 204)
        for path in ("/api/ready", "/metrics"):
            assert (await api.get(path, headers={"Host": host})).status != 421
        for path in ("/api/health/", "/api/healthy", "/metrics/x"):
            assert (await api.get(path, headers={"Host": host})).status == 421


async def test_head_answers_as_get_without_a_body(api: Api) -> None:
    for path in ("/api/health", "/", "/static/app.js"):
        response = await api.request("HEAD", path)
        assert (response.status, response.body) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0


async def test_options_and_wrong_methods_tell_what_is_possible(api: Api) -> None:
    options = await api.request("OPTIONS", "/api/tickets")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    for method in ("DELETE", "PUT", "BREW", "TRACE"):
        response = await api.request(method, "/api/tickets")
        assert (response.status, response.code) == (405, "METHOD_NOT_ALLOWED"), method
        assert response.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert (await api.post("/tickets")).status == 405


async def test_the_request_id_is_the_clients_own_when_it_is_usable(api: Api) -> None:
    for sent, kept in (("abc-1.2_Z", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False)):
        for path in ("/api/health", "/api/nowhere", "/"):
            got = (await api.get(path, headers={"X-Request-Id": sent})).headers["X-Request-Id"]
            assert (got == sent) is kept and got


async def test_cors_is_off_unless_origins_are_named(api: Api, start: Start) -> None:
    origin = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in (await api.get("/api/health", headers=origin)).headers
    open_api = await start(cors_origins=("https://app.example.com",))
    asked = origin | {"Access-Control-Request-Method": "PATCH"}
    preflight = await open_api.request("OPTIONS", "/api/tickets/1", headers=asked)
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    answer = await open_api.get("/api/me", headers=origin)
    assert "RateLimit" in answer.headers["Access-Control-Expose-Headers"]
    posted = await open_api.post("/api/auth/login", {"username": "a", "password": "b"}, headers=origin)
    assert posted.status == 401
    stranger = {"Origin": "https://evil.example"}
    assert "Access-Control-Allow-Origin" not in (await open_api.get("/api/me", headers=stranger)).headers
    assert (await open_api.post("/api/auth/login", {}, headers=stranger)).code == "FORBIDDEN"
