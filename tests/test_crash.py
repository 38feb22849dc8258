"""kill -9 at any moment: what was acknowledged is there, once; what was not can be repeated with its key."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.process import QUIET, RunningServer

ROUNDS, CLIENTS, ROUND_S = 3, 4, 0.8


@dataclass
class Intent:
    """One thing that a client wants done, with the key it keeps for it."""

    method: str
    path: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: dict[str, Any] | None = None


class Client(threading.Thread):
    """Creates tickets and comments on them until the server is gone."""

    def __init__(self, port: int, token: str, name: str) -> None:
        super().__init__(name=name)
        self.port, self.token = port, token
        self.intents: list[Intent] = []

    def run(self) -> None:
        number = 0
        while True:
            number += 1
            ticket = Intent("POST", "/api/tickets", {"title": f"{self.name} {number}", "description": "Crash test."})
            if not self.do(ticket):
                return
            assert ticket.answer is not None
            path = f"/api/tickets/{ticket.answer['id']}"
            if not self.do(Intent("POST", f"{path}/comments", {"body": f"{self.name} comments"})):
                return
            if not self.do(Intent("PATCH", path, {"version": 1, "status": "pending"})):
                return

    def do(self, intent: Intent) -> bool:
        self.intents.append(intent)
        try:
            intent.answer = send(self.port, self.token, intent)
        except (OSError, http.client.HTTPException):
            return False
        return True


def send(port: int, token: str, intent: Intent) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": intent.key,
    }
    try:
        connection.request(intent.method, intent.path, json.dumps(intent.body), headers)
        response = connection.getresponse()
        body = json.loads(response.read())
    finally:
        connection.close()
    assert response.status < 300, body
    answer: dict[str, Any] = body
    return answer


def login(server: RunningServer) -> str:
    return str(
        send(server.port, "none", Intent("POST", "/api/auth/login", {"username": "admin", "password": "admin123"}))[
            "token"
        ]
    )


def test_kill_9_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    intents: list[Intent] = []
    for number in range(ROUNDS):
        server = RunningServer(tmp_path / "data", *QUIET)
        token = login(server)
        clients = [Client(server.port, token, f"r{number}c{n}") for n in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(ROUND_S + number / 7)  # the only way to be in the middle of something
        server.kill()
        for client in clients:
            client.join()
            intents += client.intents
    server = RunningServer(tmp_path / "data", *QUIET)
    token = login(server)
    for intent in intents:
        again = send(server.port, token, intent)
        assert intent.answer in (None, again), "an acknowledged answer changed"
        intent.answer = again
    assert server.stop() == 0
    assert len(intents) > 5 * ROUNDS
    check(tmp_path / "data/helpdesk.db", intents)


def check(path: Path, intents: list[Intent]) -> None:
    """Each intent's effect is in the database exactly once."""
    conn = sqlite3.connect(path)
    titles = [row[0] for row in conn.execute("SELECT title FROM tickets WHERE description = 'Crash test.'")]
    assert sorted(titles) == sorted(i.body["title"] for i in intents if i.path == "/api/tickets")
    comments = [i.answer["id"] for i in intents if i.path.endswith("/comments") and i.answer]
    assert len(comments) == len(set(comments))
    crash = "SELECT id FROM tickets WHERE description = 'Crash test.'"
    stored = conn.execute(f"SELECT count(*) FROM comments WHERE ticket_id IN ({crash})").fetchone()[0]
    assert stored == len(comments)
    # Versions without gaps: as many changes in the timeline as the version says.
    wrong = conn.execute(
        "SELECT id FROM tickets t WHERE version <> 1 + "
        "(SELECT count(*) FROM timeline e WHERE e.ticket_id = t.id AND e.action = 'updated')"
    ).fetchall()
    assert wrong == []
    created = conn.execute(
        f"SELECT count(*) FROM timeline WHERE action = 'created' AND ticket_id IN ({crash})"
    ).fetchone()[0]
    assert created == len(titles)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    conn.close()
