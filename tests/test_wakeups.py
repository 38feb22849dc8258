"""What one process tells the others of its commits, and what they make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from helpdesk.adapters.redis import RedisAway
from helpdesk.db.engine import CommitListener
from helpdesk.live.wakeups import CHANNEL, Wakeups

pytestmark = pytest.mark.gen_test


class Line:
    """Stands for the database that commits, for Redis between two processes, and for the hub of the other."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.heard: list[tuple[str, Any]] = []
        self.is_away = False
        self.has_spoken = asyncio.Event()

    def on_commit(self, listener: CommitListener) -> None:
        self.commit = listener

    async def publish(self, channel: str, message: bytes) -> None:
        assert channel == CHANNEL
        self.has_spoken.set()
        if self.is_away:
            raise RedisAway
        self.sent.append(message)

    async def follow(self, _channel: str, hear: Any) -> None:
        for message in [None, *self.sent]:
            hear(message)

    def wake(self) -> None:
        self.heard.append(("wake", None))

    def end(self, *, users: set[int], tokens: set[bytes]) -> None:
        if users or tokens:
            self.heard.append(("end", (users, tokens)))


def wakeups(line: Line) -> Wakeups:
    return Wakeups(line, line, line)  # type: ignore[arg-type]


async def told(line: Line, *commits: Any) -> None:
    """Commit one after the other, each told before the next."""
    telling = asyncio.create_task(wakeups(line).tell())
    for commit in commits:
        line.has_spoken.clear()
        line.commit(commit)
        async with asyncio.timeout(4):
            await line.has_spoken.wait()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_others_hear_of_entries_and_of_whose_rights_changed() -> None:
    line = Line()
    await told(line, {"entry": {5}}, {"user": {7}, "access": {7}}, {"token": {b"\xff" * 32}, "entry": {6}})
    await wakeups(line).hear()
    assert line.heard == [
        ("wake", None),  # some may have been missed before
        ("wake", None),
        ("end", ({7}, set())),
        ("end", (set(), {b"\xff" * 32})),
        ("wake", None),
    ]


async def test_a_commit_that_is_nobodys_concern_is_not_told() -> None:
    line = Line()
    await told(line, {"entry": {1}})
    telling = asyncio.create_task(wakeups(line).tell())
    line.commit({"ticket": {1}, "user": {2}})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert len(line.sent) == 1


async def test_a_word_of_another_release_is_a_wake_up() -> None:
    for word in (b"", b"entries", b'{"users": "x"}', b'{"has_entries": true, "later": 1}'):
        line = Line()
        line.sent.append(word)
        await wakeups(line).hear()
        assert line.heard == [("wake", None)] * 2


async def test_a_word_that_redis_did_not_take_is_not_told_again() -> None:
    line = Line()
    line.is_away = True
    await told(line, {"entry": {1}})
    line.is_away = False
    await told(line, {"access": {3}})
    assert line.sent == [b'{"has_entries":false,"users":[3],"tokens":[]}']
