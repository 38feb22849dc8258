"""Forgets what has had its time: kept answers, expired tokens."""

from __future__ import annotations

import asyncio
import logging

from helpdesk.clock import Clock
from helpdesk.db.engine import Database
from helpdesk.domain import accounts, idempotency
from helpdesk.errors import AppError

log = logging.getLogger("helpdesk.jobs")

EVERY_S = 600.0


class Expiry:
    def __init__(self, db: Database, clock: Clock, *, keep_hours: int) -> None:
        self._db = db
        self._clock = clock
        self._keep_hours = keep_hours

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await self.forget()
            except AppError as error:
                log.warning("expiry waits: %s", error.message)
            await asyncio.sleep(EVERY_S)

    async def forget(self) -> None:
        """Forget all that is past its time now, in small transactions that let others in between."""
        now = self._clock.now()
        await self._db.write(lambda conn: accounts.forget_expired_tokens(conn, now=now))
        done = idempotency.FORGET_STEP
        while done == idempotency.FORGET_STEP:
            done = await self._db.write(lambda conn: idempotency.forget(conn, now=now, keep_hours=self._keep_hours))
