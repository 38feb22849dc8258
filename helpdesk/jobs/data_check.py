"""Find flipped bits: reread rows that never change and compare them with their stored digests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from helpdesk.db import digests
from helpdesk.db.digests import Range
from helpdesk.db.engine import Connection, Database
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems

PART = "stored data"
# Of a thousand rows each, about 5 ms of CPU: 1 % of a core. Seven million rows take an hour.
STEP_S = 0.5
ROUND_S = 60.0


class DataCheck:
    """A job for a database that no other process writes to."""

    def __init__(self, db: Database, problems: Problems) -> None:
        self._db = db
        self._problems = problems

    async def run(self, worked: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; call `worked` after each round."""
        while True:
            await self.check()
            worked()
            await asyncio.sleep(ROUND_S)

    async def check(self) -> None:
        """Compare all that was sealed, then seal what is new."""
        is_whole = True
        for table in digests.TABLES:
            is_whole &= await self._compare(table)
            await self._seal_new(table)
        if is_whole:
            self._problems.clear(PART)

    async def _compare(self, table: str) -> bool:
        """Return whether everything is as it was sealed; report the first range that is not."""
        is_whole, after = True, -1
        while sealed := await self._next(table, after):
            if is_whole and not await self._is_unchanged(sealed):
                is_whole = False
                self._problems.report(PART, _changed(sealed))
            after = sealed.first_id
            await asyncio.sleep(STEP_S)
        return is_whole

    async def _next(self, table: str, after: int) -> Range | None:
        return await self._db.read_promptly(lambda conn: digests.sealed_after(conn, table, after))

    async def _is_unchanged(self, sealed: Range) -> bool:
        try:
            return await self._db.read_promptly(lambda conn: digests.is_unchanged(conn, sealed))
        except Unavailable:
            return True  # nothing is known; a page that cannot be read is reported by who reads it

    async def _seal_new(self, table: str) -> None:
        def made(conn: Connection) -> Range | None:
            return digests.unsealed(conn, table)

        while new := await self._db.read_promptly(made):
            await self._db.write_promptly(lambda conn, new=new: digests.seal(conn, new))  # type: ignore[misc]
            await asyncio.sleep(STEP_S)


def _changed(sealed: Range) -> str:
    what = {"comments": "comments", "timeline": "timeline entries"}[sealed.table]
    return (
        f"Of the {what} {sealed.first_id} to {sealed.last_id} one is not what was written: the disk, or another "
        "program, changed it; restore a backup"
    )
