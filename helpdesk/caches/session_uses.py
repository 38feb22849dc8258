"""The last use of each session: noted in memory at every request, written to the database once a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from helpdesk.db.engine import Database
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor

# At most this much is lost in a crash, or not yet visible to another process on the same database.
RECORD_EVERY_S = 60.0
STEP = 500  # sessions recorded in one transaction: a few milliseconds, and others write in between
ACCOUNTS_MAX = 50_000  # noted since the last record; about 20 MB with one session each


class SessionUses:
    """The uses that the database does not know yet, by account. All but `of` runs on the event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._uses: dict[int, dict[bytes, int]] = {}

    def note(self, actor: Actor, now: int) -> None:
        """Note in memory that the actor's session was used."""
        uses = self._uses.get(actor.id)
        if uses is None:
            if len(self._uses) >= ACCOUNTS_MAX:
                del self._uses[next(iter(self._uses))]
            uses = self._uses[actor.id] = {}
        uses[actor.token_digest] = now

    def of(self, user_id: int) -> Mapping[bytes, int]:
        """Return the account's uses that are not recorded yet: moments by the tokens' digests.

        Any thread may ask, as each commit of a sign-in does: the copy is one step under the interpreter's lock.
        """
        return dict(self._uses.get(user_id, ()))

    async def run(self, worked: Callable[[], None] = lambda: None) -> None:
        """Record every minute until cancelled; call `worked` after each round."""
        while True:
            await self.record()
            worked()
            await asyncio.sleep(RECORD_EVERY_S)

    async def record(self) -> None:
        """Write the noted uses in small transactions. Uses that could not be written stay noted."""
        waiting = [(user_id, digest, at) for user_id, uses in self._uses.items() for digest, at in uses.items()]
        for first in range(0, len(waiting), STEP):
            step = waiting[first : first + STEP]
            uses = {digest: at for _, digest, at in step}
            await self._db.write_promptly(lambda conn, uses=uses: accounts.record_uses(conn, uses))  # type: ignore[misc]
            for user_id, digest, at in step:
                self._drop(user_id, digest, at)

    def _drop(self, user_id: int, digest: bytes, at: int) -> None:
        """Drop a use that was written, unless the session was used again since."""
        uses = self._uses.get(user_id, {})
        if uses.get(digest) == at:
            del uses[digest]
            if not uses:
                del self._uses[user_id]

    def __len__(self) -> int:
        return sum(map(len, self._uses.values()))
