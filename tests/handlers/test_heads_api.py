"""What the head of a request alone is refused for: in which order, at what cost, and with the body unread."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start
from tests.handlers.test_bad_input_api import raw

pytestmark = pytest.mark.gen_test

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
FOREIGN = "Sec-Fetch-Site: cross-site"


def head(method: str, path: str, *fields: str, host: str = "localhost", length: int = 500_000) -> bytes:
    """A request's head that announces a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


async def answer_without_a_body(api: Api, data: bytes) -> tuple[int, str]:
    """Send the head only; the status and the error code of what comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(data)
    async with asyncio.timeout(20):
        answer = await reader.read()  # to the end: the connection is not left hanging
    writer.close()
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"Connection: close" in top, answer
    return int(top.split()[1]), json.loads(body)["error"]["code"] if b"application/json" in top else ""


@pytest.mark.parametrize(
    ("method", "path", "fields", "refusal"),
    [
        ("POST", "/api/nowhere", [JSON], (404, "NOT_FOUND")),
        ("POST", "/nowhere", [JSON], (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/api/tickets", [JSON], (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/static/app.js", [FORM], (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/api/health", [JSON], (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/api/tickets", [JSON], (401, "UNAUTHENTICATED")),
        ("POST", "/api/tickets", [JSON, "Authorization: Bearer made-up"], (401, "INVALID_TOKEN")),
        ("POST", "/api/tickets", [JSON, FOREIGN], (403, "FORBIDDEN")),
        ("POST", "/api/auth/login", [JSON, "Origin: https://evil.example"], (403, "FORBIDDEN")),
        ("POST", "/plain/login", [FORM, "Origin: https://evil.example"], (403, "")),
        ("POST", "/api/auth/login", ["Content-Type: text/plain"], (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "/api/auth/login", [FORM], (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "/api/auth/login", [], (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "/api/auth/login", [JSON, "Content-Encoding: gzip"], (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "/plain/login", ["Content-Type: multipart/form-data; boundary=x"], (415, "")),
        ("POST", "/api/auth/login", [JSON, "Idempotency-Key: "], (400, "INVALID_HEADER")),
        ("POST", "/api/auth/login?debug=1", [JSON], (400, "INVALID_PARAM")),
        ("GET", "/api/health", [JSON], (400, "BAD_JSON")),
        ("GET", "/api/_meta", [JSON], (400, "BAD_JSON")),
        ("OPTIONS", "/api/tickets", [JSON], (400, "BAD_JSON")),
        ("GET", "/", [FORM], (400, "BAD_JSON")),
        ("GET", "/static/app.js", [FORM], (400, "BAD_JSON")),
    ],
)
async def test_what_the_head_refuses_is_refused_with_the_body_unread(
    api: Api, method: str, path: str, fields: list[str], refusal: tuple[int, str]
) -> None:
    assert await answer_without_a_body(api, head(method, path, *fields)) == refusal
    # The same head after which the client waits to be asked for the body: it is not.
    assert await answer_without_a_body(api, head(method, path, *fields, "Expect: 100-continue")) == refusal


@pytest.mark.parametrize(
    ("path", "fields", "refusal"),
    [
        ("/api/tickets/1", [JSON, "If-Match: *"], (400, "INVALID_HEADER")),
        ("/api/tickets/1", [JSON, 'If-Match: W/"1"'], (400, "INVALID_HEADER")),
        ("/api/tickets/1", [JSON, "Idempotency-Key: "], (400, "INVALID_HEADER")),
        ("/api/tickets/01", [JSON], (404, "NOT_FOUND")),
        ("/api/users/1", [JSON], (403, "FORBIDDEN")),
    ],
)
async def test_what_the_head_of_a_signed_in_caller_refuses_is_refused_with_the_body_unread(
    api: Api, path: str, fields: list[str], refusal: tuple[int, str]
) -> None:
    signed_in = f"Authorization: Bearer {await api.token()}"
    assert await answer_without_a_body(api, head("PATCH", path, *fields, signed_in)) == refusal


@pytest.mark.parametrize(
    ("method", "path", "fields", "length"),
    [
        ("POST", "/api/tickets", [JSON, FOREIGN], 2),
        ("POST", "/api/nowhere", [JSON], 2),
        ("PUT", "/api/tickets", [JSON], 2),
        ("PUT", "/", [JSON], 2),
        ("POST", "/api/auth/login", ["Content-Type: text/plain"], 2),
        ("POST", "/api/auth/login", [JSON], 2**30),
        ("GET", "/api/me", ["Authorization: nonsense"], 0),
        ("OPTIONS", "/api/me", [], 0),
    ],
)
async def test_a_foreign_host_is_told_before_any_other_refusal(
    start: Start, method: str, path: str, fields: list[str], length: int
) -> None:
    api = await start(rate_limit=Rate(1, 60))
    await api.get("/api/me")
    await api.get("/api/me")  # the bucket is empty now
    data = head(method, path, *fields, host="evil.example", length=length) + b"x" * min(length, 2)
    answer = await raw(api, data)
    assert b" 421 " in answer and b"HOST_NOT_ALLOWED" in answer


async def test_a_body_is_asked_for_once_the_head_is_good(api: Api) -> None:
    body = json.dumps({"title": "x", "description": "y"}).encode()
    token = f"Authorization: Bearer {await api.token()}"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head("POST", "/api/tickets", JSON, token, "Expect: 100-Continue", length=len(body)))
    async with asyncio.timeout(20):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert b"201 Created" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_no_body_is_asked_for_that_is_too_large(api: Api) -> None:
    token = f"Authorization: Bearer {await api.token()}"
    data = head("POST", "/api/tickets", JSON, token, "Expect: 100-continue", length=2**30)
    assert await answer_without_a_body(api, data) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_refused_request_whose_body_came_along_keeps_its_connection(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    refused = head("POST", "/api/tickets", JSON, length=70_000) + b"x" * 70_000
    writer.write(refused + refused)
    async with asyncio.timeout(20):
        for _ in range(2):
            top = await reader.readuntil(b"\r\n\r\n")
            assert b" 401 " in top and b"close" not in top
            await reader.readexactly(int(top.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
    writer.close()


async def test_a_call_without_a_body_takes_an_empty_object_and_nothing_long(api: Api) -> None:
    for path in ("/api/health", "/api/_meta", "/.well-known/hackathon.json"):
        assert (await api.request("GET", path, {})).status == 200
        assert (await api.request("GET", path, {"a": 1})).code == "UNKNOWN_FIELD"
        long = b"[" + b"1," * 2_000 + b"1]"
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(long), long)
        fields = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        assert (await api.request("GET", path, raw=long * 2)).code == "BAD_JSON"
        assert b"BAD_JSON" in await raw(api, fields + chunked)


async def test_refusals_are_answered_when_the_bucket_is_empty_without_a_body_too(start: Start) -> None:
    api = await start(rate_limit=Rate(1, 60))
    await api.get("/api/me")
    assert await answer_without_a_body(api, head("POST", "/api/auth/login", JSON)) == (429, "RATE_LIMIT")


def counted_reads(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows by one with each read of the database."""
    reads: list[object] = []
    read = api.desk.db.read

    async def counting(fn: Any) -> Any:
        reads.append(fn)
        return await read(fn)

    monkeypatch.setattr(api.desk.db, "read", counting)
    return reads


async def test_made_up_tokens_cost_no_more_reads_than_the_bucket_holds(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await start(rate_limit=Rate(60, 60))
    reads = counted_reads(api, monkeypatch)
    # At once, as somebody who guesses would; ten at a time is what the test's client sends.
    answers = await asyncio.gather(*(api.get("/api/me", token=f"made-up-{n}") for n in range(300)))
    assert sorted({answer.status for answer in answers}) == [401, 429]
    assert sum(answer.status == 401 for answer in answers) == 60
    assert len(reads) <= 60 + 8
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["RateLimit"].startswith('"address";r=0')
    api.clock.advance(seconds=int(refused.headers["Retry-After"]))
    assert (await api.get("/api/me", token="made-up")).status == 401


async def test_made_up_tokens_of_plain_pages_are_counted_alike(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    api = await start(rate_limit=Rate(3, 60))
    reads = counted_reads(api, monkeypatch)
    for n in range(9):
        await api.get("/plain", headers={"Cookie": f"helpdesk_plain=made-up-{n}"})
    assert len(reads) == 3


async def test_an_address_that_has_spent_its_bucket_does_not_lock_out_who_signs_in_behind_it(start: Start) -> None:
    api = await start(rate_limit=Rate(3, 60))
    token, other = await api.token(), await api.token()
    while (await api.get("/api/me")).status != 429:
        pass
    assert (await api.get("/api/me", token=token)).status == 200
    for n in range(9):
        await api.get("/api/me", token=f"made-up-{n}")
    assert (await api.get("/api/me", token=token)).status == 200, "a token that was seen before is looked at"
    assert (await api.get("/api/me", token=other)).status == 429
