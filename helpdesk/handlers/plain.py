"""The desk without JavaScript, at /plain: sign in, list, search, open, create, comment, close."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import accounts, comments, ticket_changes, tickets, views
from helpdesk.domain.access import visible_ticket
from helpdesk.domain.accounts import VerifyAgain
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers.base import ID
from helpdesk.handlers.caller import always_visible
from helpdesk.handlers.plain_base import COOKIE, PlainHandler, plain_page, sign_in_page
from helpdesk.messages.accounts import Credentials
from helpdesk.messages.comments import NewComment
from helpdesk.messages.fields import PRIORITIES, STATUSES
from helpdesk.messages.parsing import parse_form, parse_query
from helpdesk.messages.tickets import NewTicket, TicketChanges, TicketsQuery


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
        self.show("sign_in.html", action=sign_in_page(self._wanted), **values)

    @property
    def _wanted(self) -> str:
        return plain_page(self.get_query_argument("next", ""))


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
