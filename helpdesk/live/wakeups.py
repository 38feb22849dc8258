"""Between processes on one database: a word over Redis that new entries are there, or that somebody's rights changed.

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
    """What one process tells the others of its commits: whether there are entries, and whose streams end."""

    has_entries: bool = False
    users: set[int] = set()
    tokens: set[bytes] = set()


class Wakeups:
    """Tells the others of this process's commits, and the hub of theirs."""

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
        """Tell the others, until cancelled. Commits that come while a word is on its way share the next."""
        while True:
            await self._untold.wait()
            self._untold.clear()
            word, self._word = self._word, Word()
            try:
                await self._redis.publish(CHANNEL, msgspec.json.encode(word))
            except RedisAway:
                continue  # then the others look by themselves
            except BaseException:
                self._add(word)  # for the next start of this job
                raise
            worked()

    async def hear(self, worked: Callable[[], None] = lambda: None) -> None:
        """Hear what the others tell, until cancelled."""

        def hear(message: bytes | None) -> None:
            self._heard(message)
            worked()

        await self._redis.follow(CHANNEL, hear)

    def _heard(self, message: bytes | None) -> None:
        # Nobody knows what was in a word that was missed, or in one of another release.
        word = Word(has_entries=True)
        if message is not None:
            with suppress(msgspec.DecodeError):
                word = msgspec.json.decode(message, type=Word)
        self._hub.end(users=word.users, tokens=word.tokens)
        if word.has_entries:
            self._hub.wake()
