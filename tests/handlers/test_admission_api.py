"""Limits on connections and unfinished bodies: what is refused says so, and the rest goes on."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from helpdesk.limits import admission
from helpdesk.web import accepting
from helpdesk.web import handler as http
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test

MIB = 1024 * 1024
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connections(api: Api, count: int, address: str = "127.0.0.1") -> AsyncIterator[list[Connection]]:
    """Open connections from that address of the loopback, closed at the end."""
    opened = [await asyncio.open_connection("127.0.0.1", api.port, local_addr=(address, 0)) for _ in range(count)]
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.close()
        await asyncio.sleep(0.02)  # the server notices


async def ask(connection: Connection, path: str = "/api/me") -> bytes:
    """The answer to a GET, its head only."""
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(4):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
    return head


def unfinished(length: int, path: str = "/api/auth/login") -> bytes:
    """A request whose body does not come, but for its first byte."""
    fields = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return fields.encode() + b"\r\n\r\n{"


async def answer_of(connection: Connection) -> bytes:
    """What the server sends at once; nothing when it waits for more."""
    try:
        async with asyncio.timeout(0.2):
            return await connection[0].readuntil(b"\r\n\r\n")
    except TimeoutError:
        return b""


# Connections.


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 8 connections, 6 of them from one address."""
    monkeypatch.setattr(admission, "CONNECTIONS_MAX", 8)


@pytest.mark.usefixtures("few")
async def test_one_address_leaves_room_for_others(start: Start) -> None:
    api = await start()
    async with connections(api, 6) as mine:
        for connection in mine:
            assert b" 401 " in await ask(connection)
        async with connections(api, 1) as more:
            refused = await ask(more[0])
            assert b" 429 " in refused and b"Retry-After: " in refused and b"Connection: close" in refused
        async with connections(api, 2, "127.0.0.2") as theirs:
            for connection in theirs:
                assert b" 401 " in await ask(connection)
            async with connections(api, 1, "127.0.0.3") as more:
                refused = await ask(more[0])
                assert b" 503 " in refused and b"Retry-After: " in refused
            async with connections(api, 1, "127.0.0.3") as more:
                assert b" 200 " in await ask(more[0], "/api/health")
                assert [part for part, _ in api.desk.problems.current()] == ["client_connections"]
            for connection in mine:
                assert b" 401 " in await ask(connection), "open connections go on"
    async with connections(api, 6) as mine:
        for connection in mine:
            assert b" 401 " in await ask(connection), "what was closed is free again"
    assert not api.desk.problems.current()


@pytest.mark.usefixtures("few")
async def test_health_answers_while_idle_connections_wait_past_the_limit(start: Start) -> None:
    api = await start()
    async with connections(api, 60), connections(api, 60, "127.0.0.2"), connections(api, 1, "127.0.0.3") as probe:
        assert b" 200 " in await ask(probe[0], "/api/health")


@pytest.mark.usefixtures("few")
async def test_the_connections_of_a_trusted_proxy_are_not_one_clients(start: Start) -> None:
    api = await start(trusted_proxies=(ipaddress.ip_network("127.0.0.1/32"),))
    async with connections(api, 8) as proxied:
        for connection in proxied:
            assert b" 401 " in await ask(connection)


def test_the_limit_leaves_descriptors_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, limit in ((256, 176), (1024, 944), (100_000, 6_000), (64, 16), (resource.RLIM_INFINITY, 6_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert admission.connection_limit() == limit


# Descriptors.


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let no descriptor be opened that is not open, in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest_descriptor() + 1, before[1]))
    gaps = []
    with suppress(OSError):
        while True:
            gaps.append(os.open(os.devnull, os.O_RDONLY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for gap in gaps:
            os.close(gap)


def highest_descriptor() -> int:
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


def connected(api: Api) -> socket.socket:
    """A connection in the kernel's queue: the server has not accepted it."""
    client = socket.create_connection(("127.0.0.1", api.port))
    client.setblocking(False)
    return client


async def exchange(client: socket.socket, path: str) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(4):
        return await loop.sock_recv(client, 65536)


@pytest.mark.sqlite  # PostgreSQL's connections are opened when they are needed
async def test_without_descriptors_health_and_open_connections_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []
    accept_some = accepting.Acceptor._accept_some

    def counted(self: accepting.Acceptor, listening: socket.socket) -> None:
        turns.append(1)
        accept_some(self, listening)

    async with connections(api, 1) as old:
        await ask(old[0])
        monkeypatch.setattr(accepting.Acceptor, "_accept_some", counted)
        waiting = [connected(api) for _ in range(30)]
        with no_more_descriptors():
            assert b" 503 " in await exchange(waiting[0], "/api/me")
            assert b" 200 " in await exchange(waiting[1], "/api/health")
            assert b" 401 " in await ask(old[0])
            turns.clear()
            for _ in range(1_000):
                await asyncio.sleep(0)
            assert len(turns) < 20, "the loop does not spin"
            assert b" 200 " in await exchange(waiting[-1], "/api/health")
            assert [part for part, _ in api.desk.problems.current()] == ["client_connections"]
        for client in waiting:
            client.close()
    async with connections(api, 30) as new:
        for connection in new:
            assert b" 401 " in await ask(connection)
    assert len(caplog.records) < 20
    while api.desk.problems.current():  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.01)


# Bodies under way.


async def test_unfinished_bodies_of_one_address_are_bounded(api: Api) -> None:
    async with connections(api, 12) as opened:
        for _, writer in opened:
            writer.write(unfinished(MIB))
        answers = [await answer_of(connection) for connection in opened]
        assert [b" 429 " in answer and b"Retry-After: " in answer for answer in answers] == [False] * 8 + [True] * 4
        async with connections(api, 1, "127.0.0.2") as other:
            other[0][1].write(unfinished(MIB))
            assert await answer_of(other[0]) == b""
        opened[0][1].close()
        async with connections(api, 1) as another:
            await asyncio.sleep(0.01)
            another[0][1].write(unfinished(MIB))
            assert await answer_of(another[0]) == b"", "there is room for it again"


async def test_unfinished_bodies_of_all_are_bounded(api: Api) -> None:
    async with (
        connections(api, 8, "127.0.0.2") as a,
        connections(api, 8, "127.0.0.3") as b,
        connections(api, 8, "127.0.0.4") as c,
        connections(api, 8, "127.0.0.5") as d,
        connections(api, 1) as last,
    ):
        for _, writer in [*a, *b, *c, *d]:
            writer.write(unfinished(MIB))
        assert await answer_of(d[-1]) == b""
        last[0][1].write(unfinished(MIB))
        answer = await answer_of(last[0])
        assert b" 503 " in answer and b"Retry-After: " in answer
        assert (await api.get("/api/health")).status == 200


async def test_chunked_bodies_are_counted_as_they_come(api: Api) -> None:
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (1_000_000, b" " * 1_000_000)
    async with connections(api, 12) as opened:
        for _, writer in opened:
            writer.write(head + chunk)
            await writer.drain()
        answers = [await answer_of(connection) for connection in opened]
        assert 3 <= sum(b" 429 " in answer for answer in answers) <= 5


async def test_many_short_bodies_at_once_are_not_refused(api: Api) -> None:
    token = await api.token()
    head = unfinished(33, "/api/tickets").replace(
        b"Content-Type", f"Authorization: Bearer {token}\r\nContent-Type".encode()
    )
    async with connections(api, 200) as opened:
        for _, writer in opened:
            writer.write(head)
        assert await answer_of(opened[-1]) == b""
        for reader, writer in opened:
            writer.write(b'"title": "x", "description": "y"')  # no JSON: the database is not asked
            async with asyncio.timeout(4):
                assert b" 400 " in await reader.readuntil(b"\r\n\r\n")
    assert api.desk.unfinished._bytes == 0 and not api.desk.unfinished._of_address


async def test_heads_that_do_not_end_are_bounded(api: Api) -> None:
    head = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 20_000
    async with connections(api, 130) as opened:
        for _, writer in opened:
            writer.write(head)
        async with asyncio.timeout(8):
            while len(api.server._connections) > 128:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)
        answers = await asyncio.gather(*(answer_of(connection) for connection in opened))
        refused = [answer for answer in answers if answer]
        assert len(refused) == 2 and all(b" 429 " in answer and b"Retry-After: " in answer for answer in refused)
        async with connections(api, 1) as short:
            assert b" 401 " in await ask(short[0])
        for (reader, writer), answer in zip(opened, answers, strict=True):
            if answer:
                continue
            writer.write(b"\r\n\r\n")
            async with asyncio.timeout(4):
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    assert api.desk.unfinished._bytes == 0


# Answers that nobody reads.


async def test_answers_that_nobody_reads_are_bounded_in_bytes_and_time(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("helpdesk.desk.UNREAD_OF_ADDRESS_MAX_BYTES", 4 * MIB)
    monkeypatch.setattr(http, "SEND_TIMEOUT_S", 0.5)
    api = await start()
    token = await api.token()
    for _ in range(60):
        await api.ticket(token, description="x" * 20_000)
    fields = f"GET /api/tickets?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    clients = [socket.socket() for _ in range(12)]
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", api.port))
        client.sendall(fields.encode() * 8)
    for _ in range(100):
        await asyncio.sleep(0.01)
        assert api.desk.unread._bytes <= 4 * MIB
        if "too many answers are unread" in caplog.text:
            break
    assert "too many answers are unread" in caplog.text
    assert (await api.get("/api/me", token=token)).status == 200
    async with asyncio.timeout(4):
        while api.desk.unread._bytes:  # noqa: ASYNC110 (the time to read runs out)
            await asyncio.sleep(0.05)
    for client in clients:
        client.close()


async def test_who_reads_slowly_gets_the_whole_answer(api: Api) -> None:
    token = await api.token()
    for _ in range(60):
        await api.ticket(token, description="x" * 20_000)
    fields = f"GET /api/tickets?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=4096)
    writer.write(fields.encode() * 6)
    whole = 0
    async with asyncio.timeout(8):
        for _ in range(6):
            head = await reader.readuntil(b"\r\n\r\n")
            whole += len(await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])))
    assert whole > 6 * 1_200_000
    writer.close()
    assert api.desk.unread._bytes == 0
