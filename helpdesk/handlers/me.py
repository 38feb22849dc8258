"""The caller's own account."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import accounts
from helpdesk.domain.idempotency import Answer
from helpdesk.domain.sign_in import VerifyAgain, until_verified
from helpdesk.messages.accounts import MyChanges, User
from helpdesk.web.api import ApiHandler, answer
from helpdesk.web.caller import always_visible
from helpdesk.web.calls import call
from helpdesk.web.password_checks import PasswordChecks

_SECRETS = ("password", "current_password")


class MeHandler(PasswordChecks, ApiHandler):
    @call("The caller's own account", answer=User)
    async def get(self) -> None:
        """GET /api/me"""
        self.send_json(await self.read(lambda conn: accounts.read(conn, self.actor.id)))

    @call("Change the caller's own account", body=MyChanges, answer=User, errors=(errors.RateLimited,))
    async def patch(self) -> None:
        """PATCH /api/me"""
        changes = self.body_as(MyChanges)
        change = self._change if changes.password is None else self._change_password
        await until_verified(lambda: change(changes))

    async def _change(self, changes: MyChanges) -> None:
        await self.transact(self._work(changes, None, None), secrets=_SECRETS, still_visible=always_visible)

    async def _change_password(self, changes: MyChanges) -> None:
        """A new password needs the current one; a repeated request needs the one that it set."""
        password, current = changes.password, changes.current_password
        assert password is not None
        if current is None:
            raise errors.FieldRequired("current_password is required to set a new one", "current_password")
        user = await self.read(lambda conn: user_store.by_id(conn, self.actor.id))
        if user is None:
            raise errors.InvalidToken()
        knows_current = await self._knows(user, current)
        if knows_current:
            is_set_already = hmac.compare_digest(password.encode(), current.encode())
            password_hash = await self.desk.passwords.hash(password)
        else:
            is_set_already = self.idempotency_key is not None and await self._knows(user, password)
            password_hash = None

        def replay(conn: Connection, kept: Answer) -> Answer:
            now = user_store.by_id(conn, user.id)
            if now is None or now.password_hash != user.password_hash:
                raise VerifyAgain()
            if not is_set_already:
                raise errors.IdempotencyKeyReused()
            return kept

        work = self._work(changes, user, password_hash)
        await self.transact(work, secrets=_SECRETS, replay=replay, still_visible=always_visible)

    async def _knows(self, user: UserRow, password: str) -> bool:
        try:
            await self.check_password(user.username, password, user)
        except errors.InvalidCredentials:
            return False
        return True

    def _work(
        self, changes: MyChanges, verified: UserRow | None, password_hash: str | None
    ) -> Callable[[Connection], Answer]:
        def work(conn: Connection) -> Answer:
            return answer(
                accounts.change_own(conn, self.actor, changes, verified=verified, password_hash=password_hash)
            )

        return work
