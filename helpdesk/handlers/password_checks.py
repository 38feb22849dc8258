"""Checking a password: off the loop, in the same time for everybody, and throttled."""

from __future__ import annotations

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.users import UserRow
from helpdesk.handlers.addresses import limit_key
from helpdesk.handlers.caller import CallerHandler


class PasswordChecks(CallerHandler):
    async def check_password(self, username: str, password: str, user: UserRow | None) -> None:
        """Raise InvalidCredentials, or RateLimited after too many failures for this name from here."""
        key = f"{user_store.username_key(username)} {limit_key(self.client_address)}"
        async with self.desk.logins.attempt(key):
            matches = await self.desk.passwords.check(password, user.password_hash if user else None)
            if user is None or not matches or not user.active:
                raise errors.InvalidCredentials
