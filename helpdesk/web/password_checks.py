"""Checking a password: off the loop, in the same time for everybody, and throttled."""

from __future__ import annotations

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import accounts
from helpdesk.limits.login_throttle import login_windows
from helpdesk.messages.accounts import Credentials, Session
from helpdesk.web.addresses import limit_key
from helpdesk.web.caller import CallerHandler


class PasswordChecks(CallerHandler):
    async def check_password(self, username: str, password: str, user: UserRow | None) -> None:
        """Raise InvalidCredentials, or RateLimited after too many failures for this name or from here."""
        name, address = user_store.username_key(username), limit_key(self.client_address)
        windows = login_windows(self.desk.config.login_limit, name, address)
        async with self.desk.throttle.attempt(windows):
            matches = await self.desk.passwords.check(password, user.password_hash if user else None)
            if user is None or not matches or not user.active:
                raise errors.InvalidCredentials()

    async def verified(self, sent: Credentials) -> UserRow:
        """Return the account with that name and password. Raises as `check_password`."""
        user = await self.read(lambda conn: user_store.by_username(conn, sent.username))
        await self.check_password(sent.username, sent.password, user)
        assert user is not None  # or check_password would have raised
        return user

    def start_session(self, conn: Connection, user: UserRow) -> Session:
        """Start a session of `user`, whose password was checked against this very row."""
        desk = self.desk
        now, uses = desk.clock.now(), desk.sessions.uses.of(user.id)
        return accounts.start_session(conn, user, now=now, token_days=desk.config.token_days, uses=uses)
