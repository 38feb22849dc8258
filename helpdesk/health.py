"""Whether the store answers, as `/api/health` asks: one question at a time, however many callers ask."""

from __future__ import annotations

import asyncio

from helpdesk.db.engine import Database


class StoreCheck:
    """Shares one question among all callers of health: anybody may call it, also while a store hangs."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._asking: asyncio.Future[None] | None = None

    async def run(self, within_s: float) -> None:
        """Return when the store works. Raises Unavailable when it does not, TimeoutError after `within_s`."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._db.ping())
            self._asking.add_done_callback(_retrieve)
        async with asyncio.timeout(within_s):
            await asyncio.shield(self._asking)

    def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()


def _retrieve(asking: asyncio.Future[None]) -> None:
    if not asking.cancelled():
        asking.exception()  # or asyncio would log that nobody has retrieved it
