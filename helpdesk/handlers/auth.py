"""Registering, signing in and out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import access, accounts
from helpdesk.domain.access import ActorChanged
from helpdesk.domain.idempotency import Answer
from helpdesk.domain.sign_in import VerifyAgain, role_of_new, until_verified
from helpdesk.limits.login_throttle import Window, registration_windows
from helpdesk.messages.accounts import Credentials, NewAccount, Session
from helpdesk.terms import Role
from helpdesk.web.addresses import limit_key
from helpdesk.web.api import ApiHandler, answer
from helpdesk.web.caller import always_visible
from helpdesk.web.calls import call
from helpdesk.web.password_checks import PasswordChecks

_SECRETS = ("password",)


class _SessionHandler(PasswordChecks, ApiHandler):
    """What registering and signing in share: an answer with a new token, of which none is kept."""

    def session_for(self, status: int, user: UserRow) -> Callable[[Connection], Answer]:
        """Return the transaction that gives `user` a new token. The password was checked against this very row."""
        return lambda conn: answer(self.start_session(conn, user), status)


class RegisterHandler(_SessionHandler):
    @call(
        "Register an account and sign in",
        body=NewAccount,
        answer=Session,
        status=201,
        errors=(errors.UsernameTaken, errors.Forbidden, errors.InvalidToken, errors.RateLimited),
    )
    async def post(self) -> None:
        """POST /api/auth/register"""
        new = self.body_as(NewAccount)
        await until_verified(lambda: self._register(new))

    async def _register(self, new: NewAccount) -> None:
        """Raise VerifyAgain when another request with the key was first, or the caller's role changed meanwhile."""
        role = role_of_new(new.role, registered_by=self._actor, is_demo=self.desk.config.is_demo)
        user = await self.read(lambda conn: user_store.by_username(conn, new.username))
        try:
            await (self._create(new, role) if user is None else self._repeat(new, user))
        except ActorChanged as change:
            self.become(change.actor)
            raise VerifyAgain() from None

    async def _create(self, new: NewAccount, role: Role) -> None:
        async with self.desk.throttle.attempt(self._windows(), counts="success"):
            password_hash = await self.desk.passwords.hash(new.password)

            def work(conn: Connection) -> Answer:
                now = self.desk.clock.now()
                if role != "user" and self._actor is not None and not self.desk.config.is_demo:
                    access.confirm(conn, self._actor)  # only admins give roles
                user = accounts.register(conn, new, password_hash=password_hash, role=role, now=now)
                return self.session_for(201, user)(conn)

            def replay(_conn: Connection, _kept: Answer) -> Answer:
                raise VerifyAgain()

            await self.transact(work, secrets=_SECRETS, account=new.username, replay=replay, keep=_without_token)

    def _windows(self) -> tuple[Window, ...]:
        """Return the registration limit: for strangers in production mode, as an address could multiply its share."""
        is_admins = self._actor is not None and self._actor.role == "admin"
        if self.desk.config.is_demo or is_admins:
            return ()
        return registration_windows(self.desk.config.login_limit, limit_key(self.client_address))

    async def _repeat(self, new: NewAccount, user: UserRow) -> None:
        """Handle a taken username: replay if an earlier request with the same key took it, else refuse."""
        if self.idempotency_key is None:
            raise errors.UsernameTaken(new.username)
        try:
            await self.check_password(new.username, new.password, user)
            is_theirs = True
        except errors.InvalidCredentials:
            is_theirs = False

        def work(_conn: Connection) -> Answer:
            raise errors.UsernameTaken(new.username)

        def replay(conn: Connection, _kept: Answer) -> Answer:
            if not is_theirs:
                raise errors.IdempotencyKeyReused()
            return self.session_for(201, user)(conn)

        await self.transact(work, secrets=_SECRETS, account=new.username, replay=replay)


class LoginHandler(_SessionHandler):
    @call(
        "Sign in",
        body=Credentials,
        answer=Session,
        errors=(errors.InvalidCredentials, errors.RateLimited),
    )
    async def post(self) -> None:
        """POST /api/auth/login"""
        sent = self.body_as(Credentials)
        await until_verified(lambda: self._sign_in(sent))

    async def _sign_in(self, sent: Credentials) -> None:
        work = self.session_for(200, await self.verified(sent))
        await self.transact(
            work,
            secrets=_SECRETS,
            account=sent.username,
            replay=lambda conn, _kept: work(conn),
            keep=_without_token,
        )


class LogoutHandler(ApiHandler):
    @call("Sign out: the token is dead", status=204)
    async def post(self) -> None:
        """POST /api/auth/logout"""

        def work(conn: Connection) -> Answer:
            accounts.end_session(conn, self.actor)
            return answer(None, 204)

        await self.transact(work, still_visible=always_visible, confirms=False)


def _without_token(given: Answer) -> Answer:
    return msgspec.structs.replace(given, body=b"")
