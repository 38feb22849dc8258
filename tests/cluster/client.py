"""A client of the cluster that behaves: it repeats what got no answer, with the same key."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

GIVE_UP_AFTER_S = 60.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])


class NoAnswer(Exception):
    """The connection broke, or nobody listened."""


def send(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 60.0,
) -> Answer:
    """One request on a connection of its own. Raises NoAnswer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    sent = dict(headers or {})
    sent |= {"Content-Type": "application/json"} if body is not None else {}
    sent |= {"Authorization": f"Bearer {token}"} if token else {}
    sent |= {"Idempotency-Key": key} if key else {}
    try:
        connection.request(
            method, quote(path, safe="/?&=+%!,.-_:*'()"), None if body is None else json.dumps(body), sent
        )
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer from error
    finally:
        connection.close()


def login(url: str, name: str = "admin", password: str = "admin123") -> str:
    """A token."""
    answer = send(url, "POST", "/api/auth/login", {"username": name, "password": password})
    assert answer.status == 200, answer.body
    return str(answer.json["token"])


@dataclass
class Intent:
    """One thing that a client wants done, with the key that it keeps for it."""

    method: str
    path: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: Answer | None = None

    def attempt(self, url: str, token: str, *, timeout_s: float = 60.0) -> bool:
        """Send it once; whether that settled it: any answer but 503."""
        try:
            answer = send(url, self.method, self.path, self.body, token=token, key=self.key, timeout_s=timeout_s)
        except NoAnswer:
            return False
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) >= 1, answer
            return False
        assert answer.status in (200, 201, 409), (answer.status, answer.body)
        self.answer = answer
        return True

    def insist(self, url: str, token: str) -> Answer:
        """Send it until it is settled."""
        end = time.monotonic() + GIVE_UP_AFTER_S
        while not self.attempt(url, token):
            assert time.monotonic() < end, f"no answer to {self.method} {self.path}"
            time.sleep(0.05)
        assert self.answer is not None
        return self.answer


class Stream(threading.Thread):
    """A reader of live events, until it is cut off.

    `ids` are those of the entries that it was told of; `names` are the events that tell of none.
    """

    def __init__(self, url: str, token: str, since: int | None = None) -> None:
        super().__init__(daemon=True)
        self.ids: list[int] = []
        self.names: list[str] = []
        self.has_ended = False
        self._is_connected = threading.Event()
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        query = "" if since is None else f"?since={since}"
        self._connection.request("GET", f"/api/events{query}", headers={"Authorization": f"Bearer {token}"})
        self.start()
        assert self._is_connected.wait(10)

    def run(self) -> None:
        with self._connection.getresponse() as response, suppress(OSError, http.client.HTTPException):
            while line := response.readline():
                self._is_connected.set()
                if line.startswith(b"id: "):
                    told_of = int(line[4:])
                elif line.startswith(b"event: ticket."):
                    self.ids.append(told_of)
                elif line.startswith(b"event: "):
                    self.names.append(line[7:].decode().strip())
        self._connection.close()
        self.has_ended = True
