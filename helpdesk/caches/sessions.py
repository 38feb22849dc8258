"""A cache of token owners, invalidated by the commit that changes them."""

from __future__ import annotations

from helpdesk.caches.session_uses import SessionUses
from helpdesk.clock import Clock
from helpdesk.db.engine import Database, Touched
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor

REMEMBERED_MAX = 10_000  # tokens; about 4 MB


class Sessions:
    """Token to actor. Everything here runs on the event loop.

    A commit that touches a user or a token drops it before the caller of that commit gets an answer,
    so a revoked token is refused at the next request. On a shared database the commit may be another
    process's: there what is remembered only tells that a token is worth a look.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[bytes, tuple[Actor, int]] = {}
        self._generation = 0
        self.uses = SessionUses(db)
        db.on_commit(self._forget)

    def recalls(self, token: str) -> bool:
        """Return whether the token was valid when last looked up here and has not been invalidated since."""
        return accounts.token_digest(token) in self._known

    async def actor(self, token: str) -> Actor | None:
        """Return the token's owner; None when it is unknown, expired or revoked. Raise Unavailable."""
        self._db.require_store()
        digest = accounts.token_digest(token)
        found = self._known.get(digest)
        if found is None or self._db.is_shared:
            generation = self._generation
            found = await self._db.read(lambda conn: accounts.actor_of(conn, digest))
            # Do not cache a read that a later commit has already invalidated.
            if found is not None and generation == self._generation:
                self._remember(digest, found)
        now = self._clock.now()
        if found is None or found[1] <= now:
            self._known.pop(digest, None)
            return None
        self.uses.note(found[0], now)
        return found[0]

    def _remember(self, digest: bytes, found: tuple[Actor, int]) -> None:
        if len(self._known) >= REMEMBERED_MAX and digest not in self._known:
            del self._known[next(iter(self._known))]
        self._known[digest] = found

    def _forget(self, touched: Touched) -> None:
        digests, users = touched.get("token", set()), touched.get("user", set())
        if not digests and not users:
            return
        self._generation += 1
        gone = [d for d, (actor, _) in self._known.items() if d in digests or actor.id in users]
        for digest in gone:
            del self._known[digest]
