"""Record SLA breaches when they happen, and after a start those that happened while the server was down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from helpdesk.clock import Clock
from helpdesk.db import clocks as store
from helpdesk.db.engine import Database, Touched
from helpdesk.domain import clocks

# A sleep runs on the monotonic clock, a deadline on the wall clock; looking at the latter this often
# keeps a breach within the contract's 5 s when the wall clock jumps. It costs no look at the table.
LOOK_AT_CLOCK_S = 2.0
# After a change of tickets the next deadline is looked up at most this often.
LOOK_UP_S = 1.0


class SlaSweep:
    """Sleeps until the next deadline; a commit that changes tickets makes it read the next deadline again."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._changed = asyncio.Event()
        db.on_commit(self._note)

    def _note(self, touched: Touched) -> None:
        if "ticket" in touched:
            self._changed.set()

    async def run(self, worked: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; call `worked` after each round."""
        while True:
            await self.sweep()
            # Before the look, not after it: a commit in between must not go unnoticed.
            self._changed.clear()
            due_at = await self._db.read_promptly(store.next_due)
            worked()
            await self._sleep_until(due_at)

    async def sweep(self) -> int:
        """Record every breach that has happened by now, and return how many there were."""
        total = 0
        while True:
            done = await self._db.write_promptly(lambda conn: clocks.sweep(conn, now=self._clock.now()))
            total += done
            if done < clocks.SWEEP_STEP:
                return total

    async def _sleep_until(self, due_at: int | None) -> None:
        while due_at is None or self._clock.now() < due_at:
            until_due_s = LOOK_AT_CLOCK_S if due_at is None else (due_at - self._clock.now()) / 1000
            try:
                async with asyncio.timeout(max(0.0, min(LOOK_AT_CLOCK_S, until_due_s))):
                    await self._changed.wait()
            except TimeoutError:
                if self._db.is_shared:
                    return  # another process may have made a ticket that is due before
                continue
            await asyncio.sleep(min(LOOK_UP_S, max(0.0, until_due_s)))
            return
