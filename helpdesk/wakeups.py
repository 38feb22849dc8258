"""Between processes on one database: a word over Redis that new entries are there.

Only a wake-up: what happened is always read from the timeline, which the hub also looks at by itself
from time to time. A word that is lost delays live updates and loses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from helpdesk.adapters.redis import Redis, RedisAway
from helpdesk.db.engine import Database, Touched
from helpdesk.live import Hub

CHANNEL = "helpdesk:entries"


class Wakeups:
    """Tells the others of this process's commits, and the hub of theirs."""

    def __init__(self, db: Database, redis: Redis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._untold = asyncio.Event()
        db.on_commit(self._note)

    def _note(self, touched: Touched) -> None:
        if "entry" in touched:
            self._untold.set()

    async def tell(self, worked: Callable[[], None] = lambda: None) -> None:
        """Tell the others, until cancelled. Commits that come while a word is on its way share the next."""
        while True:
            await self._untold.wait()
            self._untold.clear()
            try:
                await self._redis.publish(CHANNEL)
            except RedisAway:
                continue  # then the others look by themselves
            except BaseException:
                self._untold.set()  # for the next start of this job
                raise
            worked()

    async def hear(self, worked: Callable[[], None] = lambda: None) -> None:
        """Hear what the others tell, until cancelled."""

        def hear() -> None:
            self._hub.wake()
            worked()

        await self._redis.follow(CHANNEL, hear)
