"""The desk without JavaScript, at /plain: sign in, list, search, open, create, comment, close."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tornado.escape import parse_qs_bytes
from tornado.web import HTTPError, RequestHandler

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import accounts, comments, ticket_changes, tickets, views
from helpdesk.domain.access import visible_ticket
from helpdesk.domain.accounts import VerifyAgain
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers.base import ID, KEY
from helpdesk.handlers.caller import always_visible
from helpdesk.handlers.password_checks import PasswordChecks
from helpdesk.messages.accounts import Credentials
from helpdesk.messages.comments import NewComment
from helpdesk.messages.fields import PRIORITIES, STATUSES
from helpdesk.messages.parsing import parse_form, parse_query
from helpdesk.messages.tickets import NewTicket, TicketChanges, TicketsQuery

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
COOKIE = "helpdesk_plain"  # never looked at by the API, which wants an Authorization header

# Application settings: Tornado's form tokens, which `PlainHandler.prepare` demands of every post.
SETTINGS: dict[str, Any] = {
    "template_path": str(TEMPLATES),
    "xsrf_cookie_name": "helpdesk_plain_form",
    "xsrf_cookie_kwargs": {"httponly": True, "samesite": "Strict", "path": "/plain"},
}


FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 50  # of a form; parsing costs by the field


# What one may be led to after signing in.
_PAGE = re.compile(r"/plain(?:/|/tickets/(?:new|[0-9]{1,15}))?(?:[?#][!-~]{0,1000})?")


class SignInFirst(AppError):
    """Shown as the way to the sign-in page."""


class PlainHandler(PasswordChecks):
    """The base of the plain pages: signed in by cookie, counted by the same buckets."""

    needs_actor = True

    def sent_token(self) -> str | None:
        """The token in the pages' own cookie."""
        return self.get_cookie(COOKIE)

    async def check_head(self) -> None:
        self.check_door()
        await self.identify()
        method = str(self.request.method)
        if method not in self._verbs:
            raise errors.MethodNotAllowed(method[:20], ", ".join(self._verbs))
        if method != "OPTIONS" and self.needs_actor and self._actor is None:
            raise SignInFirst("Sign in first")
        self.check_size(takes_body=method == "POST")
        if method == "POST" and self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
            raise errors.UnsupportedMediaType(f"Send the form as Content-Type: {FORM}", "Content-Type")

    def prepare(self) -> None:
        super().prepare()
        if self.request.method == "POST":
            self._parse_form()
            self.check_xsrf_cookie()

    def _parse_form(self) -> None:
        try:
            fields = parse_qs_bytes(self.request.body, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            raise errors.InvalidField(f"A form has at most {FIELDS_MAX} fields") from None
        self.request.body_arguments = fields
        for name, values in fields.items():
            self.request.arguments.setdefault(name, []).extend(values)

    @property
    def _verbs(self) -> list[str]:
        """The methods of this page."""
        kind = type(self)
        reads = ["GET", "HEAD"] if kind.get is not RequestHandler.get else []
        writes = ["POST"] if kind.post is not RequestHandler.post else []
        return [*reads, *writes, "OPTIONS"]

    def options(self, *_args: str) -> None:
        """OPTIONS of a page"""
        self.set_header("Allow", ", ".join(self._verbs))
        self.set_status(204)

    async def head(self, *args: Any) -> None:
        result = self.get(*args)
        if result is not None:
            await result

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **options: Any) -> None:
        """Set a cookie, Tornado's form token too; behind TLS it is sent over TLS only."""
        super().set_cookie(name, value, *args, **(options | {"secure": self.is_secure}))

    def form(self, *names: str) -> dict[str, str]:
        """Return those fields of the form that were filled in, as they were sent.

        Raises InvalidField for one that stands twice or is not UTF-8. Tornado's own reading would
        replace what it cannot decode, and control characters in passwords too.
        """
        sent = {name: self.request.body_arguments.get(name, []) for name in names}
        return {name: text for name, values in sent.items() if (text := _only_text(name, values))}

    def typed(self, *names: str) -> dict[str, str]:
        """Return the fields for showing the form again, also those that `form` refuses."""
        sent = {name: self.request.body_arguments.get(name, [b""])[0] for name in names}
        return {name: value.decode("utf-8", "replace") for name, value in sent.items() if value}

    def read_form_key(self) -> None:
        """Take the form's own key as its Idempotency-Key. Raises InvalidField for one that is none."""
        key = self.form("form_key").get("form_key")
        if key is not None and not KEY.fullmatch(key):
            raise errors.InvalidField("form_key must be 1 to 255 printable ASCII characters", "form_key")
        self.idempotency_key = key

    def show(self, template: str, **values: Any) -> None:
        """Render a page; every value in it is escaped."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        shared: dict[str, Any] = {
            "actor": self._actor,
            "error": None,
            "sent": {},
            "form_key": secrets.token_urlsafe(16),
        }
        self.render(template, **(shared | values))

    async def attempt(self, act: Callable[[], Awaitable[None]], retry: Callable[[AppError], Awaitable[None]]) -> None:
        """Do what a form asks; when it is refused, `retry` shows the form again with what was typed."""
        try:
            await act()
        except AppError as error:
            self.log_exception(type(error), error, error.__traceback__)
            self._set_refusal(error)
            await retry(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, exception, _ = kwargs.get("exc_info", (None, None, None))
        if isinstance(exception, SignInFirst):
            self.redirect(_sign_in_page(str(self.request.uri)), status=303 if self.request.method == "POST" else 302)
            return
        error = self._as_app_error(status_code, exception)
        if isinstance(exception, HTTPError) and exception.status_code == 403:
            error = errors.Forbidden("The form is too old or came from another site; load the page again and resend it")
        self._set_refusal(error)
        self.show("error.html", error=error)

    def _set_refusal(self, error: AppError) -> None:
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)


def _only_text(name: str, values: list[bytes]) -> str:
    if len(values) > 1:
        raise errors.InvalidField(f"{name} may be sent only once", name)
    try:
        return values[0].decode("utf-8") if values else ""
    except UnicodeDecodeError:
        raise errors.InvalidField(f"{name} must be UTF-8", name) from None


def _sign_in_page(wanted: str) -> str:
    """The way to sign in and on to the wanted page; the list of tickets is where one goes anyway."""
    return "/plain/login" if _page(wanted) == "/plain" else f"/plain/login?{urlencode({'next': wanted})}"


def _page(wanted: str) -> str:
    """The page that an address names, which anybody may have written; the list for what is no page, or a door."""
    return wanted if _PAGE.fullmatch(wanted) else "/plain"


def _moment(text: str | None) -> str:
    """`2026-11-23T09:30:00.000Z` as people without a script read it."""
    return "" if text is None else f"{text[:10]} {text[11:16]} UTC"


class PlainLoginHandler(PlainHandler):
    needs_actor = False

    async def get(self) -> None:
        """GET /plain/login"""
        self._show_form()

    async def post(self) -> None:
        """POST /plain/login"""
        await self.attempt(self._sign_in, self._again)

    async def _sign_in(self) -> None:
        sent = parse_form(Credentials, self.form("username", "password"))
        user = await self.read(lambda conn: user_store.by_username(conn, sent.username))
        await self.check_password(sent.username, sent.password, user)
        assert user is not None  # or check_password would have raised
        try:
            session = await self.desk.db.write(lambda conn: self.start_session(conn, user))
        except VerifyAgain:
            raise errors.InvalidCredentials from None
        self.set_cookie(
            COOKIE,
            session.token,
            path="/plain",
            expires_days=self.desk.config.token_days,
            httponly=True,
            samesite="Strict",
        )
        self.redirect(self._wanted, status=303)

    async def _again(self, error: AppError) -> None:
        self._show_form(error=error, sent=self.typed("username"))

    def _show_form(self, **values: Any) -> None:
        self.show("sign_in.html", action=_sign_in_page(self._wanted), **values)

    @property
    def _wanted(self) -> str:
        return _page(self.get_query_argument("next", ""))


class PlainLogoutHandler(PlainHandler):
    async def post(self) -> None:
        """POST /plain/logout"""
        await self.desk.db.write(lambda conn: accounts.end_session(conn, self.actor))
        self.clear_cookie(COOKIE, path="/plain")
        self.redirect("/plain/login", status=303)


class PlainTicketsHandler(PlainHandler):
    async def get(self) -> None:
        """GET /plain"""
        arguments = {n: v for n, v in self.request.query_arguments.items() if any(v)}
        query = parse_query(TicketsQuery, arguments)
        now = self.desk.clock.now()
        show = tickets.listing(self.actor, now)
        items, offset = await self.read_list(query, lambda conn: tickets.page(conn, self.actor, query, show, now=now))
        kept = [(n, v.decode("utf-8", "replace")) for n, vs in arguments.items() for v in vs if n != "offset"]
        following = "?" + urlencode([*kept, ("offset", offset)]) if offset else None
        self.show("tickets.html", items=items, query=query, following=following, statuses=STATUSES, moment=_moment)


class PlainNewTicketHandler(PlainHandler):
    async def get(self) -> None:
        """GET /plain/tickets/new"""
        self.show("new_ticket.html", priorities=PRIORITIES)

    async def post(self) -> None:
        """POST /plain/tickets/new"""
        await self.attempt(self._create, self._again)

    async def _create(self) -> None:
        self.fields = dict(self.form("title", "description", "priority"))
        self.read_form_key()
        new = parse_form(NewTicket, self.fields)

        def work(conn: Connection) -> Answer:
            view = tickets.create(conn, self.actor, new, now=self.desk.clock.now(), may_set_sla=False)
            return Answer(303, headers={"Location": f"/plain/tickets/{view.ticket.id}"})

        done = await self.perform(work, still_visible=always_visible)
        self.redirect(done.headers["Location"], status=303)

    async def _again(self, error: AppError) -> None:
        sent = self.typed("title", "description", "priority")
        self.show("new_ticket.html", priorities=PRIORITIES, error=error, sent=sent)


class PlainTicketHandler(PlainHandler):
    async def get(self, number: str) -> None:
        """GET /plain/tickets/:id"""
        await self._show(number)

    async def _show(self, number: str, error: AppError | None = None, sent: dict[str, str] | None = None) -> None:
        ticket_id, now = _ticket_id(number), self.desk.clock.now()
        view = await self.read(
            lambda conn: views.full_ticket(conn, self.actor, visible_ticket(conn, self.actor, ticket_id), now=now)
        )
        self.show("ticket.html", ticket=view.ticket, error=error, sent=sent or {}, moment=_moment)

    async def post(self, number: str) -> None:
        """POST /plain/tickets/:id: a comment, or a new status"""
        act = self._set_status if any(self.request.body_arguments.get("status", [])) else self._comment
        await self.attempt(lambda: act(number), lambda error: self._show(number, error, self.typed("body")))

    async def _comment(self, number: str) -> None:
        ticket_id = _ticket_id(number)
        self.fields = dict(self.form("body"))
        self.read_form_key()
        new = parse_form(NewComment, self.fields)

        def work(conn: Connection) -> Answer:
            comments.add(conn, self.actor, ticket_id, new, now=self.desk.clock.now())
            return Answer(303)

        await self.perform(work, still_visible=always_visible)
        self.redirect(f"/plain/tickets/{ticket_id}#end", status=303)

    async def _set_status(self, number: str) -> None:
        ticket_id = _ticket_id(number)
        changes = parse_form(TicketChanges, self.form("status", "version"))
        await self.desk.db.write(
            lambda conn: ticket_changes.change(
                conn, self.actor, ticket_id, changes, if_match=None, now=self.desk.clock.now()
            )
        )
        self.redirect(f"/plain/tickets/{ticket_id}", status=303)


def _ticket_id(number: str) -> int:
    if not ID.fullmatch(number):
        raise errors.NotFound("ticket")
    return int(number)


PLAIN_ROUTES: tuple[tuple[str, type[PlainHandler]], ...] = (
    (r"/plain/?", PlainTicketsHandler),
    (r"/plain/login", PlainLoginHandler),
    (r"/plain/logout", PlainLogoutHandler),
    (r"/plain/tickets/new", PlainNewTicketHandler),
    (r"/plain/tickets/([^/]+)", PlainTicketHandler),
)
