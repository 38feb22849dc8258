"""Bad input: the right code in the one error shape, nothing written, and the next request served."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test

MIB = 1024 * 1024


async def written(api: Api) -> int:
    """How many rows the things that a request could write have."""
    query = (
        "SELECT (SELECT count(*) FROM tickets) + (SELECT count(*) FROM timeline) + (SELECT count(*) FROM idempotency)"
    )
    return int(await api.desk.db.read(lambda conn: conn.exec_driver_sql(query).scalar()))  # type: ignore[arg-type]


async def raw(api: Api, data: bytes, *, shut: bool = False) -> bytes:
    """Send bytes as they are; all that comes back until the server closes or answers in full."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(data)
    await writer.drain()
    if shut:
        writer.close()
        return b""
    async with asyncio.timeout(4):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
    writer.close()
    return head + body


def code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def request(
    token: str, body: bytes = b"", *, method: str = "POST", extra: str = "", length: int | None = None
) -> bytes:
    lines = [f"{method} /api/tickets HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]
    lines += ["Content-Type: application/json"] + ([extra] if extra else [])
    if "Transfer-Encoding" not in extra:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "BAD_JSON"),
        (b"[]", 400, "BAD_JSON"),
        (b'"text"', 400, "BAD_JSON"),
        (b"null", 400, "BAD_JSON"),
        (b'{"title": "x",}', 400, "BAD_JSON"),
        (b'{"title": NaN, "description": "y"}', 400, "BAD_JSON"),
        (b'{"title": "a", "title": "b", "description": "y"}', 400, "BAD_JSON"),
        (b'{"title": "x", "description": {"a": 1, "a": 2}}', 400, "BAD_JSON"),
        (json.dumps({"title": "x", "description": "y"}).encode("utf-16"), 400, "BAD_JSON"),
        (b'{"title": "\xff", "description": "y"}', 400, "BAD_JSON"),
        (b'\xef\xbb\xbf{"title": "x", "description": "y"}', 400, "BAD_JSON"),
        (b'{"title": "\xed\xa0\x80", "description": "y"}', 400, "BAD_JSON"),
        (b"[" * 100_000, 400, "BAD_JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "BAD_JSON"),
        (b'{"tags": ' + b"[" * 32 + b"]" * 32 + b"}", 400, "BAD_JSON"),
        (b'{"tags": ' + b"[" * 31 + b"]" * 31 + b"}", 400, "FIELD_REQUIRED"),
        (b'{"title": "\\ud800", "description": "y"}', 400, "INVALID_FIELD"),
        (b'{"\\ud800": 1, "title": "x", "description": "y"}', 400, "UNKNOWN_FIELD"),
        (b'{"title": "x", "description": "y", "priority": "\\ud800"}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": 1e400}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": ' + b"9" * 5000 + b"}", 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": 18446744073709551616}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": true}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": "60"}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": 0}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "sla_minutes": 525601}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "tags": "a,b"}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "tags": [1]}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "tags": ["a b"]}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "tags": [""]}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "y", "priority": "asap"}', 400, "INVALID_FIELD"),
        (b'{"title": "a\\u0007b", "description": "y"}', 400, "INVALID_FIELD"),
        (b'{"title": "x", "description": "nul\\u0000"}', 400, "INVALID_FIELD"),
        (b'{"title": "  ", "description": "y"}', 400, "FIELD_REQUIRED"),
        (b'{"title": null, "description": "y"}', 400, "FIELD_REQUIRED"),
        (b'{"description": "y"}', 400, "FIELD_REQUIRED"),
        (b'{"title": "x", "description": "y", "id": 7}', 400, "UNKNOWN_FIELD"),
    ],
)
async def test_a_bad_body_is_refused(api: Api, body: bytes, status: int, error: str) -> None:
    token = await api.token()
    response = await api.post("/api/tickets", raw=body, token=token, key="k")
    assert (response.status, response.code) == (status, error)
    assert set(response.json["error"]) == {"code", "message", "field"}
    assert await written(api) == 0
    await api.ticket(token)


async def test_a_title_at_its_limits_is_taken(api: Api) -> None:
    token = await api.token()
    assert len((await api.ticket(token, title="ü" * 200))["title"]) == 200
    response = await api.post("/api/tickets", {"title": "ü" * 201, "description": "y"}, token=token)
    assert (response.code, response.field) == ("INVALID_FIELD", "title")
    assert (await api.ticket(token, title="  a\u0308  ", description=" \n y "))["title"] == "ä"
    assert len((await api.ticket(token, tags=[f"t{n}" for n in range(20)]))["tags"]) == 20
    assert (
        await api.post("/api/tickets", {"title": "x", "description": "y", "tags": ["a"] * 21}, token=token)
    ).status == 400


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ],
)
async def test_another_content_type_is_refused(api: Api, content_type: str) -> None:
    response = await api.post(
        "/api/tickets",
        {"title": "x", "description": "y"},
        token=await api.token(),
        headers={"Content-Type": content_type},
    )
    assert (response.status, response.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_body_where_none_belongs_is_refused(api: Api) -> None:
    token = await api.token()
    assert (await api.request("GET", "/api/me", {"a": 1}, token=token)).code == "UNKNOWN_FIELD"
    assert (await api.request("GET", "/api/me", {}, token=token)).status == 200
    text = {"Content-Type": "text/plain"}
    assert (await api.request("GET", "/api/me", {"a": 1}, token=token, headers=text)).status == 415
    assert (await api.post("/api/auth/logout", {"all": True}, token=token)).code == "UNKNOWN_FIELD"


async def test_a_number_is_the_same_however_it_is_written(api: Api) -> None:
    token = await api.token("agent")
    first = b'{"title": "x", "description": "y", "sla_minutes": 60}'
    made = await api.post("/api/tickets", raw=first, token=token, key="k")
    again = await api.post("/api/tickets", raw=first.replace(b"60", b"6.0e1"), token=token, key="k")
    assert again.headers["Idempotent-Replayed"] == "true" and again.body == made.body


async def test_an_encoded_body_is_refused(api: Api) -> None:
    headers = {"Content-Encoding": "gzip"}
    response = await api.post("/api/tickets", {"title": "x"}, token=await api.token(), headers=headers)
    assert (response.status, response.code, response.field) == (415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")
    utf8 = {"Content-Type": "Application/JSON; Charset=UTF-8"}
    body = {"title": "x", "description": "y"}
    assert (await api.post("/api/tickets", body, token=await api.token(), headers=utf8)).status == 201


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "%D9%A1", "1%00", "01", "+1", "1e3", "9" * 30, "%FF", "a", "1;2"])
async def test_a_strange_id_is_not_found(api: Api, text: str) -> None:
    token = await api.token("admin")
    await api.ticket(token)
    for path in (f"/api/tickets/{text}", f"/api/tickets/{text}/comments", f"/api/users/{text}"):
        response = await api.get(path, token=token)
        assert (response.status, response.code) == (404, "NOT_FOUND"), path


async def test_a_body_over_the_limit_gets_a_readable_answer(api: Api) -> None:
    token = await api.token()
    for size in (MIB + 1, 3 * MIB, 9 * MIB):
        answer = await raw(api, request(token, b"x" * size))
        assert code(answer) == (413, "PAYLOAD_TOO_LARGE"), size
    padded = json.dumps({"title": "x", "description": "y"}).encode().ljust(MIB)
    assert b"201 Created" in await raw(api, request(token, padded))


async def test_a_large_body_that_never_comes_is_answered_at_once(api: Api) -> None:
    assert code(await raw(api, request(await api.token(), length=10**12))) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_chunked_body_over_the_limit_is_answered(api: Api) -> None:
    chunk = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
    data = request(await api.token(), chunk * 20 + b"0\r\n\r\n", extra="Transfer-Encoding: chunked")
    assert code(await raw(api, data)) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_chunked_body_is_read(api: Api) -> None:
    body = b'{"title": "x", "description": "y"}'
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    data = request(await api.token(), chunked, extra="Transfer-Encoding: chunked")
    assert b"201 Created" in await raw(api, data)


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /api/health HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-A: nul\0nul\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_the_one_shape(api: Api, data: bytes) -> None:
    answer = await raw(api, data)
    assert code(answer)[0] in (400, 413) and b"X-Request-Id: " in answer
    assert (await api.get("/api/health")).status == 200


async def test_a_length_that_is_too_short_cuts_the_body(api: Api) -> None:
    answer = await raw(api, request(await api.token(), b'{"title": "x", "description": "y"}', length=10))
    assert code(answer) == (400, "BAD_JSON")
    assert await written(api) == 0


async def test_a_header_of_20_kib_is_borne(api: Api) -> None:
    token = await api.token()
    assert (await api.get("/api/me", token=token, headers={"X-Long": "x" * 20_480})).status == 200
    response = await api.post("/api/tickets", {"title": "x", "description": "y"}, token=token, key="k" * 20_480)
    assert (response.status, response.code) == (400, "INVALID_HEADER")


async def test_a_client_that_hangs_up_gets_its_answer_by_its_key(api: Api) -> None:
    token = await api.token()
    body = b'{"title": "x", "description": "y"}'
    await raw(api, request(token, body, extra="Idempotency-Key: k"), shut=True)
    response = await api.post("/api/tickets", raw=body, token=token, key="k")
    assert response.status == 201
    assert len((await api.get("/api/tickets", token=token)).json["items"]) == 1


async def test_an_unknown_parameter_is_refused_on_every_call(api: Api) -> None:
    token = await api.token("admin")
    await api.ticket(token)
    for path in (
        "/api/me",
        "/api/tickets/1",
        "/api/tickets/stats",
        "/api/users",
        "/api/tickets/1/timeline",
        "/api/health",
    ):
        response = await api.get(f"{path}?debug=1", token=token)
        assert (response.status, response.code, response.field) == (400, "INVALID_PARAM", "debug"), path


async def test_a_bug_is_answered_without_its_details(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await api.token()

    def broken(*_args: object) -> object:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr("helpdesk.handlers.me.accounts.read", broken)
    response = await api.get("/api/me", token=token)
    assert (response.status, response.code) == (500, "INTERNAL")
    assert b"secret" not in response.body and response.headers["X-Request-Id"]


async def test_the_greatest_numbers_that_are_taken_are_too_great_for_nothing(api: Api) -> None:
    token = await api.token("admin")
    await api.ticket(token)
    most, far = 2**53, 10**12
    changed = await api.patch("/api/tickets/1", {"version": most, "title": "Late"}, token=token)
    assert (changed.status, changed.code) == (409, "VERSION_MISMATCH")
    named = await api.patch("/api/tickets/1", {"title": "x"}, token=token, headers={"If-Match": '"999999999999999"'})
    assert (named.status, named.code) == (412, "PRECONDITION_FAILED")
    for body in ({"version": 1, "assignee_id": most}, {"version": 1, "sla_minutes": most}):
        assert (await api.patch("/api/tickets/1", body, token=token)).status == 400
    comment = await api.post("/api/tickets/1/comments", {"body": "x", "parent": most}, token=token)
    assert (comment.status, comment.field) == (400, "parent")
    for path in (
        f"/api/tickets?offset={far}",
        f"/api/tickets?offset={far}&status=open,pending",
        f"/api/tickets?q=printer&offset={far}",
        f"/api/tickets?q=printer&sort=relevance&offset={far}",
        "/api/tickets?assignee_id=999999999999999&creator_id=999999999999999",
        f"/api/tickets/1/comments?offset={far}",
        f"/api/tickets/1/timeline?offset={far}",
        f"/api/tickets/1/timeline?q=created&offset={far}",
        f"/api/users?offset={far}",
    ):
        response = await api.get(path, token=token)
        assert response.status == 200 and response.json["items"] == [], (path, response.body)
    for path in (f"/api/tickets/{most}", f"/api/users/{most}", "/api/tickets/999999999999999"):
        assert (await api.get(path, token=token)).status == 404
