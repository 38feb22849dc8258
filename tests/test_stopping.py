"""How the server stops: what is answered, what is not accepted, and that it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Api
from tests.process import QUIET, RunningServer, wait_until

LOGIN = json.dumps({"username": "user", "password": "user1234"}).encode()


def head(method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()


def post(path: str, body: bytes, token: str = "") -> bytes:
    return head("POST", path, body, token) + body


class Client:
    """A connection that is kept."""

    def __init__(self, server: RunningServer) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> tuple[str, bytes]:
        """The head and the body of the next answer; of none when the connection has ended."""
        lines = [self._file.readline()]
        while lines[-1] not in (b"\r\n", b""):
            lines.append(self._file.readline())
        top = b"".join(lines).decode()
        length = int(top.lower().split("content-length: ")[1].split("\r\n")[0]) if top else 0
        return top, self._file.read(length)

    def ask(self, data: bytes) -> tuple[str, bytes]:
        self.send(data)
        return self.receive()

    def has_ended(self) -> bool:
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def is_listening(server: RunningServer) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except OSError:
        return False
    return True


def begin_to_stop(server: RunningServer) -> None:
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_listening(server))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path / "data", *QUIET)
    yield running
    running.kill()


Connect = Callable[[], Client]


@pytest.fixture
def connect(server: RunningServer) -> Iterator[Connect]:
    """Open connections to the server, closed at the end."""
    opened: list[Client] = []

    def open_one() -> Client:
        opened.append(Client(server))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


def test_kept_connections_are_answered_while_the_server_stops(server: RunningServer, connect: Connect) -> None:
    first, second, third = connect(), connect(), connect()
    _, body = first.ask(post("/api/auth/login", LOGIN))
    token = json.loads(body)["token"]
    for client in (second, third):
        client.ask(head("GET", "/api/health"))
    begin_to_stop(server)
    ticket = post("/api/tickets", b'{"title": "x", "description": "y"}', token)
    for client in (first, second):
        answer, _ = client.ask(ticket)
        assert "201 Created" in answer and "Connection: close" in answer
        assert client.has_ended()
    answer, body = third.ask(head("GET", "/api/events", token=token))
    assert " 503 " in answer and "Retry-After: " in answer and b"UNAVAILABLE" in body
    assert third.has_ended()
    assert server.process.wait(5) == 0
    assert "Traceback" not in server.errors.read_text()


def test_a_request_whose_body_is_still_arriving_is_answered(server: RunningServer, connect: Connect) -> None:
    client = connect()
    client.send(head("POST", "/api/auth/login", LOGIN) + LOGIN[:5])
    connect().ask(head("GET", "/api/health"))  # by now the head has been read
    begin_to_stop(server)
    answer, body = client.ask(LOGIN[5:])
    assert "200 OK" in answer and "Connection: close" in answer and json.loads(body)["token"]
    assert server.process.wait(10) == 0


def test_what_waits_to_be_accepted_is_answered(server: RunningServer, connect: Connect) -> None:
    server.process.send_signal(signal.SIGSTOP)
    clients = [connect() for _ in range(20)]
    for client in clients:
        client.send(post("/api/auth/login", LOGIN))
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)
    for client in clients:
        answer, _ = client.receive()
        assert "200 OK" in answer
    assert server.process.wait(10) == 0


def test_a_second_signal_ends_it_at_once(server: RunningServer, connect: Connect) -> None:
    client = connect()
    client.ask(head("GET", "/api/health"))
    begin_to_stop(server)
    assert server.process.poll() is None, "it waits for the connection that is kept"
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(3) == -signal.SIGTERM


@pytest.mark.gen_test
async def test_idle_connections_do_not_hold_it_to_the_end_and_busy_ones_do(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def never(*_args: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    token = await api.token()
    await api.get("/api/me", token=token)
    idle = await asyncio.open_connection("127.0.0.1", api.port)
    busy = await asyncio.open_connection("127.0.0.1", api.port)
    monkeypatch.setattr(api.desk.db, "read", never)
    busy[1].write(head("GET", "/api/me", token=token))
    await begun.wait()
    order: list[str] = []

    async def closed(name: str, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        await connection[0].read()
        order.append(name)

    watching = [asyncio.create_task(closed(n, c)) for n, c in (("idle", idle), ("busy", busy))]
    await api.server.drain(0.5)
    await asyncio.gather(*watching)
    assert order == ["idle", "busy"]
    for _, writer in (idle, busy):
        writer.close()


def test_requests_behind_the_last_answer_of_a_connection_are_left_alone(
    server: RunningServer, connect: Connect
) -> None:
    new = b'{"title": "one of many", "description": "x"}'
    client = connect()
    token = json.loads(client.ask(post("/api/auth/login", LOGIN))[1])["token"]
    client.send(post("/api/tickets", new, token) * 200)
    answers = [client.receive()]
    server.process.send_signal(signal.SIGTERM)
    while answers[-1][0]:
        answers.append(client.receive())
    assert server.wait() == 0
    done = server.errors.read_text().count("method=POST path=/api/tickets ")
    assert done == len(answers) - 1 < 200
