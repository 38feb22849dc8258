"""Valid HTTP that proxies and small devices send, byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from helpdesk.web.client_stream import CHUNKS_MAX, ClientStream
from helpdesk.web.delegate import RequestDelegate
from tests.conftest import Api
from tests.handlers.test_bad_input_api import code, raw, request

pytestmark = pytest.mark.gen_test

BODY = b'{"title": "x", "description": "y"}'
CHUNKED = "Transfer-Encoding: chunked"


async def until_closed(api: Api, data: bytes) -> bytes:
    """Send bytes and close the sending side, as `nc -N` does; all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(8):
        answer = await reader.read()
    writer.close()
    return answer


# A client that has closed its sending side gets its answer (RFC 9112, section 9.6).


async def test_a_client_that_half_closes_gets_its_answer(api: Api) -> None:
    token = await api.token()
    get = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    login = b'{"username": "user1", "password": "correct horse"}'
    for data, says in (
        (get.format("/api/health").encode(), b"200 OK"),
        (get.format("/static/app.js").encode(), b"200 OK"),
        (get.format("/plain/login").encode(), b"</html>"),
        (get.format("/api/nowhere").encode(), b"NOT_FOUND"),
        (request(token, BODY), b"201 Created"),
        (request(token, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), extra=CHUNKED), b"201 Created"),
        (request("", login).replace(b"/api/tickets", b"/api/auth/login"), b"200 OK"),
    ):
        answer = await until_closed(api, data)
        assert says in answer, data
        head, _, body = answer.partition(b"\r\n\r\n")
        assert len(body) == int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    pipelined = await until_closed(api, request(token, BODY) * 3)
    assert pipelined.count(b"201 Created") == 3


async def test_a_large_answer_reaches_a_client_that_has_half_closed(api: Api) -> None:
    token = await api.token()
    for _ in range(60):
        await api.ticket(token, description="x" * 20_000)
    data = f"GET /api/tickets?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    answer = await until_closed(api, data.encode())
    assert len(answer) > 1_200_000 and answer.endswith(b'"next_offset":null}')


async def test_waiting_for_an_answer_to_a_half_closed_client_does_not_spin(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await api.token()
    begun, go_on = asyncio.Event(), asyncio.Event()
    read = api.desk.db.read

    async def slow(fn: Callable[..., object], *args: object) -> object:
        begun.set()
        await go_on.wait()
        return await read(fn, *args)

    reads: list[int] = []
    read_from_fd = ClientStream.read_from_fd

    def counted(self: ClientStream, buf: bytearray | memoryview) -> int | None:
        reads.append(1)
        return read_from_fd(self, buf)

    await api.get("/api/me", token=token)
    monkeypatch.setattr(api.desk.db, "read", slow)
    monkeypatch.setattr(ClientStream, "read_from_fd", counted)
    data = f"GET /api/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    answer: Awaitable[bytes] = asyncio.ensure_future(until_closed(api, data))
    await begun.wait()
    for _ in range(500):
        await asyncio.sleep(0)
    assert len(reads) < 10
    go_on.set()
    assert b"200 OK" in await answer


async def test_a_reader_of_events_that_goes_away_gives_its_place_back(api: Api) -> None:
    token = await api.token()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    async with asyncio.timeout(4):
        await reader.readuntil(b": connected")
        assert len(api.desk.hub) == 1
        writer.close()
        while len(api.desk.hub):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)


# Bodies in chunks (RFC 9112, section 7.1).


@pytest.mark.parametrize(
    "framed",
    [
        b"%x;name=value\r\n%b\r\n0\r\n\r\n",
        b'%x ; name ; other="a; b"\r\n%b\r\n0;last\r\n\r\n',
        b"0%x\r\n%b\r\n000\r\n\r\n",
        b"%x\r\n%b\r\n0\r\nX-Checksum: abc\r\n\r\n",
        b"%x;a=1\r\n%b\r\n0\r\nA: 1\r\nB:\r\nC: \xc3\xbc\r\n\r\n",
    ],
)
async def test_chunk_extensions_and_trailers_are_read_over(api: Api, framed: bytes) -> None:
    token = await api.token()
    data = request(token, framed % (len(BODY), BODY), extra=CHUNKED)
    assert b"201 Created" in await raw(api, data)
    again = await until_closed(api, data + request(token, BODY))
    assert again.count(b"201 Created") == 2, "what follows on the connection is read from its beginning"


@pytest.mark.parametrize(
    "framed",
    [
        b"%x;bad\x00\r\n%b\r\n0\r\n\r\n",
        b"%x;bad\nnext\r\n%b\r\n0\r\n\r\n",
        b"%x ignored\r\n%b\r\n0\r\n\r\n",
        b"+%x\r\n%b\r\n0\r\n\r\n",
        b"%x\r\n%b\r\n0\r\nno trailer\r\n\r\n",
        b"%x\r\n%b\r\n0\r\nA: 1\nB: 2\r\n\r\n",
        b"%x\r\n%b\r\n0\r\n folded: 1\r\n\r\n",
        b"%x\r\n%bxx0\r\n\r\n",
        b"%x;" + b"x" * 900 + b"\r\n%b\r\n" + (b"1;" + b"x" * 900 + b"\r\n \r\n") * 20 + b"0\r\n\r\n",
        b"%x\r\n%b\r\n0\r\n" + (b"A: " + b"x" * 900 + b"\r\n") * 20 + b"\r\n",
    ],
)
async def test_chunks_that_are_none_are_refused(api: Api, framed: bytes) -> None:
    answer = await raw(api, request(await api.token(), framed % (len(BODY), BODY), extra=CHUNKED))
    assert code(answer)[0] == 400


async def test_small_chunks_are_still_gathered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []
    received = RequestDelegate.data_received

    def counted(self: RequestDelegate, chunk: bytes) -> None:
        parts.append(len(chunk))
        received(self, chunk)

    monkeypatch.setattr(RequestDelegate, "data_received", counted)
    body = BODY.ljust(4_000)
    framed = b"".join(b"1;x\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert b"201 Created" in await raw(api, request(await api.token(), framed, extra=CHUNKED))
    assert sum(parts) >= 4_000 and len(parts) < 50


async def test_a_body_in_very_many_chunks_is_refused(api: Api) -> None:
    one = b"1\r\n \r\n"
    for count, status in ((CHUNKS_MAX - 2, b" 201 "), (CHUNKS_MAX, b" 400 ")):
        framed = one * count + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        assert status in await raw(api, request(await api.token(), framed, extra=CHUNKED))


# The head.


@pytest.mark.parametrize(
    "data",
    [
        b"GET /api/me HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /api/tickets?q=" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/me HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1\r\n" * 7_000 + b"\r\n",
        b"\r\n" * 40_000,
        b"GET /api/me HTTP/1.1\r\nHost: localhost:" + b"1" * 5_000 + b"\r\n\r\n",
        b"GET /api/me HTTP/1.1\r\nHost: [::1]:" + b"1" * 5_000 + b"\r\n\r\n",
        b"GET http://localhost:80/api/me HTTP/1.1\r\nHost: localhost:" + b"1" * 5_000 + b"\r\n\r\n",
        b"GET /api/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
    ],
)
async def test_a_head_that_cannot_be_read_is_answered(api: Api, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = await raw(api, data)
    assert code(answer) == (400, "INVALID_HEADER")
    assert b"X-Content-Type-Options: nosniff" in answer and b"Server: HelpDeskMini\r\n" in answer
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"limit=1" + b"&limit=1" * 2_000, "limit"),
        (b"status=open" + b"&status=open" * 2_000, "status"),
        (b"&".join(b"p%d=1" % n for n in range(2_000)), "p0"),
        (b"&" * 2_000 + b"limit=0", "limit"),
        (b"&" * 2_000 + b"limit=1", None),
    ],
)
async def test_very_many_parameters_are_refused_like_any_other(api: Api, query: bytes, field: str | None) -> None:
    token = (await api.token()).encode()
    answer = await raw(
        api, b"GET /api/tickets?%b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n\r\n" % (query, token)
    )
    error = json.loads(answer.partition(b"\r\n\r\n")[2]).get("error")
    assert (error and (error["code"], error["field"])) == (field and ("INVALID_PARAM", field))


# The request line.


@pytest.mark.parametrize("before", [b"\r\n", b"\n", b"\r\n\r\n", b"\r\n" * 5])
async def test_empty_lines_before_a_request_are_read_over(api: Api, before: bytes) -> None:
    token = await api.token()
    answer = await until_closed(api, before + request(token, BODY) + before + request(token, BODY))
    assert answer.count(b"201 Created") == 2


@pytest.mark.parametrize(
    ("target", "host", "says"),
    [
        ("http://localhost:8000/api/health", "localhost", b'"ok"'),
        ("HTTP://LOCALHOST/api/health?", "anything.example", b'"ok"'),
        ("https://127.0.0.1/api/_meta", "localhost", b"HelpDesk Mini"),
        ("http://localhost", "localhost", b"<!doctype html>"),
        ("http://localhost/static/app.js", "localhost", b"200 OK"),
        ("http://localhost/api/_meta?debug=1", "localhost", b"INVALID_PARAM"),
        ("http://evil.example/api/_meta", "localhost", b"HOST_NOT_ALLOWED"),
        ("http://localhost/api/nowhere", "localhost", b"NOT_FOUND"),
        ("http://user:secret@localhost/api/health", "localhost", b"400 Bad Request"),
        ("http:///api/health", "localhost", b"400 Bad Request"),
        ("ftp://localhost/api/health", "localhost", b"400 Bad Request"),
    ],
)
async def test_a_target_may_be_a_whole_address(api: Api, target: str, host: str, says: bytes) -> None:
    data = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert says.lower() in (await until_closed(api, data)).lower()
