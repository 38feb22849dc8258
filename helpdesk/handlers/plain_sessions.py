"""Signing in and out, and registering, on the plain pages."""

from __future__ import annotations

import re
from typing import Any

from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor
from helpdesk.domain.accounts import token_digest
from helpdesk.domain.sign_in import until_verified
from helpdesk.errors import AppError
from helpdesk.handlers.plain_base import COOKIE, PlainHandler, plain_page, sign_in_page
from helpdesk.limits.login_throttle import Window, registration_windows
from helpdesk.messages.accounts import Credentials, NewAccount, Session
from helpdesk.messages.parsing import parse_form
from helpdesk.web.addresses import limit_key

KEPT = "kept."  # begins the names of the fields that wait, inside the sign-in form, for the sign-in
_KEPT_PATH = re.compile(r"/plain(?:/[a-z0-9]{1,20}){1,4}")


class _DoorHandler(PlainHandler):
    needs_actor = False

    def enter(self, session: Session) -> None:
        """Set the cookie of a new session."""
        self.set_cookie(
            COOKIE,
            session.token,
            path="/plain",
            expires_days=self.desk.config.token_days,
            httponly=True,
            samesite="Strict",
        )

    @property
    def wanted(self) -> str:
        """The page to lead to."""
        return plain_page(self.get_query_argument("next", ""))


class PlainLoginHandler(_DoorHandler):
    async def get(self) -> None:
        """GET /plain/login"""
        self._show_form()

    async def post(self) -> None:
        """POST /plain/login"""
        await self.attempt(self._sign_in, self._again)

    async def _sign_in(self) -> None:
        sent = parse_form(Credentials, self.form("username", "password"))
        user, session = await until_verified(lambda: self._new_session(sent))
        self.enter(session)
        kept = self._waiting()
        if not kept:
            self.redirect(self.wanted, status=303)
            return
        self._actor = Actor(user.id, user.username, user.name, user.role, token_digest(session.token))
        self.show("kept.html", kept=kept, kept_action=self._waiting_path())

    async def _new_session(self, sent: Credentials) -> tuple[UserRow, Session]:
        user = await self.verified(sent)
        return user, await self.desk.db.write(lambda conn: self.start_session(conn, user))

    async def _again(self, error: AppError) -> None:
        self._show_form(error=error, sent=self.typed("username"))

    def _show_form(self, **values: Any) -> None:
        kept = {"kept": self._waiting(), "kept_action": self._waiting_path()}
        self.show("sign_in.html", action=sign_in_page(self.wanted), **kept, **values)

    def _waiting(self) -> list[tuple[str, str]]:
        """Return the form that was refused because the session had ended; it came along inside this one."""
        names = [name.removeprefix(KEPT) for name in self.request.body_arguments if name.startswith(KEPT)]
        return [(name, self.typed_as(KEPT + name, name)) for name in names] if self._waiting_path() else []

    def _waiting_path(self) -> str:
        path = self.typed("kept_path").get("kept_path", "")
        return path if _KEPT_PATH.fullmatch(path) else ""


class PlainLogoutHandler(PlainHandler):
    async def post(self) -> None:
        """POST /plain/logout"""
        await self.desk.db.write(lambda conn: accounts.end_session(conn, self.actor))
        self.clear_cookie(COOKIE, path="/plain")
        self.redirect("/plain/login", status=303)


class PlainRegisterHandler(_DoorHandler):
    _FIELDS = ("username", "password", "name", "email")

    async def get(self) -> None:
        """GET /plain/register"""
        self.show("register.html")

    async def post(self) -> None:
        """POST /plain/register"""
        await self.attempt(self._register, self._again)

    async def _register(self) -> None:
        new = parse_form(NewAccount, self.form(*self._FIELDS))
        windows: tuple[Window, ...] = ()
        if not self.desk.config.is_demo:
            windows = registration_windows(self.desk.config.login_limit, limit_key(self.client_address))
        async with self.desk.throttle.attempt(windows, counts="success"):
            password_hash = await self.desk.passwords.hash(new.password)

            def work(conn: Connection) -> Session:
                now = self.desk.clock.now()
                user = accounts.register(conn, new, password_hash=password_hash, role="user", now=now)
                return self.start_session(conn, user)

            session = await self.desk.db.write(work)
        self.enter(session)
        self.redirect("/plain", status=303)

    async def _again(self, error: AppError) -> None:
        self.show("register.html", error=error, sent=self.typed("username", "name", "email"))
