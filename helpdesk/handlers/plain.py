"""The desk without JavaScript, at /plain: its addresses, the list of tickets and new ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from helpdesk.db.engine import Connection
from helpdesk.domain import tickets
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers.plain_base import PlainHandler
from helpdesk.handlers.plain_edit import PlainEditHandler, staff
from helpdesk.handlers.plain_history import PlainHistoryHandler
from helpdesk.handlers.plain_people import (
    PlainAccountHandler,
    PlainFiguresHandler,
    PlainNewPersonHandler,
    PlainPeopleHandler,
    PlainPersonHandler,
)
from helpdesk.handlers.plain_sessions import PlainLoginHandler, PlainLogoutHandler, PlainRegisterHandler
from helpdesk.handlers.plain_ticket import REPEAT_MS, AlreadySent, PlainTicketHandler
from helpdesk.messages.parsing import parse_body, parse_query
from helpdesk.messages.tickets import NewTicket, TicketsQuery
from helpdesk.terms import PRIORITIES, STATUSES

UNRESOLVED = "open,in_progress,pending"
SORTS = {
    "-created_at": "newest first",
    "created_at": "oldest first",
    "-updated_at": "last updated first",
    "updated_at": "longest untouched first",
    "sla_deadline": "due soon first",
    "-sla_deadline": "due last first",
    "-priority": "urgent first",
    "priority": "low first",
    "relevance": "best match first",
}


class PlainTicketsHandler(PlainHandler):
    async def get(self) -> None:
        """GET /plain"""
        arguments = {n: v for n, v in self.request.query_arguments.items() if any(v)}
        query = parse_query(TicketsQuery, arguments)
        now = self.desk.clock.now()
        show = tickets.listing(self.actor, now)
        items, offset = await self.read_list(query, lambda conn: tickets.page(conn, self.actor, query, show, now=now))
        people = await self.read(staff) if self.actor.is_staff else []
        kept = [(n, v.decode("utf-8", "replace")) for n, vs in arguments.items() for v in vs if n != "offset"]
        back = max(0, query.offset - query.limit) if query.offset else None
        self.show(
            "tickets.html",
            items=items,
            query=query,
            is_filtered=bool(kept),
            following=None if offset is None else "?" + urlencode([*kept, ("offset", offset)]),
            previous=None if back is None else "?" + urlencode([*kept, *([("offset", back)] if back else [])]),
            statuses=STATUSES,
            priorities=PRIORITIES,
            unresolved=UNRESOLVED,
            sorts=SORTS,
            people=people,
            now=now,
        )


class PlainNewTicketHandler(PlainHandler):
    _FIELDS = ("title", "description", "priority", "tags")

    async def get(self) -> None:
        """GET /plain/tickets/new"""
        self.show("new_ticket.html", priorities=PRIORITIES, may_repeat=False)

    async def post(self) -> None:
        """POST /plain/tickets/new"""
        await self.attempt(self._create, self._again)

    async def _create(self) -> None:
        fields = self.form(*self._FIELDS, "again")
        values: dict[str, Any] = {n: t for n, t in fields.items() if n in self._FIELDS}
        if "tags" in values:
            values["tags"] = values["tags"].replace(",", " ").split()
        new = parse_body(NewTicket, values)

        def work(conn: Connection) -> Answer:
            now = self.desk.clock.now()
            if "again" not in fields:
                self._check_repeat(conn, new, now=now)
            view = tickets.create(conn, self.actor, new, now=now, may_set_sla=False)
            return Answer(303, headers={"Location": f"/plain/tickets/{view.ticket.id}"})

        done = await self.once(work, fields)
        self.redirect(done.headers["Location"], status=303)

    def _check_repeat(self, conn: Connection, new: NewTicket, *, now: int) -> None:
        newest = TicketsQuery(creator_id="me", limit=1)
        shown, _ = tickets.page(conn, self.actor, newest, tickets.rows, now=now)
        if not shown or now - shown[0].created_at > REPEAT_MS:
            return
        if (shown[0].title, shown[0].description) == (new.title, new.description):
            raise AlreadySent(
                f"You have just sent exactly this as ticket #{shown[0].id}; press Send again only for a second ticket"
            )

    async def _again(self, error: AppError) -> None:
        self.show(
            "new_ticket.html",
            priorities=PRIORITIES,
            error=error,
            sent=self.typed(*self._FIELDS),
            may_repeat=isinstance(error, AlreadySent),
        )


PLAIN_ROUTES: tuple[tuple[str, type[PlainHandler]], ...] = (
    (r"/plain/?", PlainTicketsHandler),
    (r"/plain/login", PlainLoginHandler),
    (r"/plain/logout", PlainLogoutHandler),
    (r"/plain/register", PlainRegisterHandler),
    (r"/plain/tickets/new", PlainNewTicketHandler),
    (r"/plain/tickets/([^/]+)", PlainTicketHandler),
    (r"/plain/tickets/([^/]+)/edit", PlainEditHandler),
    (r"/plain/tickets/([^/]+)/history", PlainHistoryHandler),
    (r"/plain/people", PlainPeopleHandler),
    (r"/plain/people/new", PlainNewPersonHandler),
    (r"/plain/people/([^/]+)", PlainPersonHandler),
    (r"/plain/account", PlainAccountHandler),
    (r"/plain/figures", PlainFiguresHandler),
)
