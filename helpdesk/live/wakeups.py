"""Tell other processes, over Redis pub/sub, that the timeline has new entries or that a user's rights changed.

Only a wake-up: what happened is always read from the database, at which the hub also looks by itself
from time to time. A word that is lost delays live updates, or the end of a stream, and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.db.engine import Database, Touched
from helpdesk.live.hub import Hub

CHANNEL = "helpdesk:entries"  # where earlier releases say nothing but that there are some


class Word(msgspec.Struct):
    """A message about a process's commits: whether there are new entries, and whose streams must end."""

    has_entries: bool = False
    users: set[int] = set()
    tokens: set[bytes] = set()


class Wakeups:
    """Publishes this process's commits, and wakes the hub for those of other processes."""

    def __init__(self, db: Database, redis: Redis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._untold = asyncio.Event()
        self._word = Word()
        db.on_commit(self._note)

    def _note(self, touched: Touched) -> None:
        self._add(
            Word(
                has_entries="entry" in touched,
                users=touched.get("access", set()),  # type: ignore[arg-type]
                tokens=touched.get("token", set()),  # type: ignore[arg-type]
            )
        )

    def _add(self, word: Word) -> None:
        self._word = Word(
            self._word.has_entries or word.has_entries,
            self._word.users | word.users,
            self._word.tokens | word.tokens,
        )
        if self._word != Word():
            self._untold.set()

    async def tell(self, worked: Callable[[], None] = lambda: None) -> None:
        """Publish commits until cancelled. Commits during a publish share the next message."""
        while True:
            await self._untold.wait()
            self._untold.clear()
            word, self._word = self._word, Word()
            try:
                await self._redis.publish(CHANNEL, msgspec.json.encode(word))
            except RedisAway:
                continue  # the other processes then find the entries by polling
            except BaseException:
                self._add(word)  # for the next start of this job
                raise
            worked()

    async def hear(self, worked: Callable[[], None] = lambda: None) -> None:
        """Receive the other processes' messages until cancelled."""

        def hear(message: bytes | None) -> None:
            self._heard(message)
            worked()

        await self._redis.follow(CHANNEL, hear)

    def _heard(self, message: bytes | None) -> None:
        # The content of a missed message, or of one from another release, is unknown.
        word = Word(has_entries=True)
        if message is not None:
            with suppress(msgspec.DecodeError):
                word = msgspec.json.decode(message, type=Word)
        self._hub.end(users=word.users, tokens=word.tokens)
        if word.has_entries:
            self._hub.wake()
