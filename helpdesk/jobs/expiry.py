"""Delete expired idempotency keys and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from helpdesk.clock import Clock
from helpdesk.db.engine import Connection, Database
from helpdesk.domain import accounts, idempotency

EVERY_S = 600.0
PAUSE_S = 0.02  # pause between two steps: lets other writers in, although a job's steps have priority


class Expiry:
    def __init__(self, db: Database, clock: Clock, *, keep_hours: int) -> None:
        self._db = db
        self._clock = clock
        self._keep_hours = keep_hours

    async def run(self, worked: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; call `worked` after each round."""
        while True:
            await self.forget()
            worked()
            await asyncio.sleep(EVERY_S)

    async def forget(self) -> None:
        """Delete everything that has expired by now, in small transactions so that other writers are not held up."""
        now = self._clock.now()
        await self._forget_in_steps(lambda conn: accounts.forget_expired_tokens(conn, now=now))
        await self._forget_in_steps(lambda conn: idempotency.forget(conn, now=now, keep_hours=self._keep_hours))

    async def _forget_in_steps(self, step: Callable[[Connection], int]) -> None:
        while await self._db.write_promptly(step):  # noqa: ASYNC110 (this waits for nothing but lets others in)
            await asyncio.sleep(PAUSE_S)
