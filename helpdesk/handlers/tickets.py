"""Tickets."""

from __future__ import annotations

import re

from helpdesk import errors
from helpdesk.db.engine import Connection
from helpdesk.domain import ticket_changes, tickets, views
from helpdesk.domain.access import may_see
from helpdesk.domain.idempotency import Answer
from helpdesk.messages.fields import ID_MAX
from helpdesk.messages.tickets import (
    NewTicket,
    Stats,
    StatsQuery,
    Ticket,
    TicketChanges,
    TicketPage,
    TicketsQuery,
)
from helpdesk.web.api import ApiHandler, answer
from helpdesk.web.calls import call
from helpdesk.web.negotiation import entity_tags, first_named

_VERSION_TAG = re.compile(r'"([1-9][0-9]{0,15})(?:\.[0-9]{1,18})?"')


class TicketsHandler(ApiHandler):
    @call("List and search tickets", params=TicketsQuery, answer=TicketPage)
    async def get(self) -> None:
        """GET /api/tickets"""
        query, now = self.params_as(TicketsQuery), self.desk.clock.now()
        show = self.desk.encoded.listing(self.actor, now)
        items, following = await self.read_list(
            query, lambda conn: tickets.page(conn, self.actor, query, show, now=now)
        )
        self.send_json({"items": items, "next_offset": following})

    @call(
        "Create a ticket",
        body=NewTicket,
        answer=Ticket,
        status=201,
        errors=(errors.Forbidden,),
        returns_headers=("Location", "ETag"),
    )
    async def post(self) -> None:
        """POST /api/tickets"""
        new = self.body_as(NewTicket)

        def work(conn: Connection) -> Answer:
            may_set_sla = self.desk.config.is_demo
            view = tickets.create(conn, self.actor, new, now=self.desk.clock.now(), may_set_sla=may_set_sla)
            return answer(view.ticket, 201, Location=f"/api/tickets/{view.ticket.id}", ETag=view.etag)

        def still_visible(conn: Connection, made: Answer) -> bool:
            return may_see(conn, self.actor, int(made.headers["Location"].rpartition("/")[2]))

        await self.transact(work, still_visible=still_visible)


class TicketHandler(ApiHandler):
    _if_match: frozenset[int] | None = None  # the versions that a PATCH names in its header

    def check_own_headers(self) -> None:
        """Raise InvalidHeader for an If-Match that names no version."""
        if self.request.method == "PATCH":
            self._if_match = self._parse_if_match()

    @call(
        "One ticket in full",
        answer=Ticket,
        errors=(errors.NotFound,),
        headers=("If-None-Match",),
        returns_headers=("ETag",),
    )
    async def get(self, ticket_id: int) -> None:
        """GET /api/tickets/:id"""
        ticket = await self.desk.encoded.full(self.actor, ticket_id)
        has_it = first_named(self.request.headers.get("If-None-Match"), ticket.etag) is not None
        self.send(Answer(304 if has_it else 200, b"" if has_it else ticket.body, {"ETag": ticket.etag}))

    @call(
        "Change a ticket",
        body=TicketChanges,
        answer=Ticket,
        errors=(errors.Forbidden, errors.NotFound, errors.VersionMismatch, errors.PreconditionFailed),
        headers=("If-Match",),
        returns_headers=("ETag",),
    )
    async def patch(self, ticket_id: int) -> None:
        """PATCH /api/tickets/:id"""
        changes, if_match = self.body_as(TicketChanges), self._if_match

        def work(conn: Connection) -> Answer:
            now = self.desk.clock.now()
            row = ticket_changes.change(conn, self.actor, ticket_id, changes, if_match=if_match, now=now)
            view = views.full_ticket(conn, self.actor, row, now=now)
            return answer(view.ticket, ETag=view.etag)

        try:
            await self.transact(work)
        except (errors.VersionMismatch, errors.PreconditionFailed) as error:
            # Read here, so that no other writer waits for it.
            version = changes.version if isinstance(error, errors.VersionMismatch) else None
            seen = version if version is not None else min(if_match or {0})
            extra = await self.read(
                lambda conn: ticket_changes.conflict(conn, self.actor, ticket_id, seen, now=self.desk.clock.now())
            )
            raise type(error)(error.message, error.field, extra=extra) from None

    def _parse_if_match(self) -> frozenset[int] | None:
        """Return the versions in If-Match: `"3"`, or the part of an entity tag before the dot. None without the header.

        One that names something else beside a version is as if that were left out: it can never match.
        """
        header = self.request.headers.get("If-Match")
        if header is None:
            return None
        tags = entity_tags(header)
        matches = (_VERSION_TAG.fullmatch(tag.text) for tag in tags)
        versions = frozenset(int(match[1]) for match in matches if match and int(match[1]) <= ID_MAX)
        if not versions or any(tag.is_weak for tag in tags):
            raise errors.InvalidHeader('Send an If-Match that names a version, like "3"', "If-Match")
        return versions


class StatsHandler(ApiHandler):
    @call("Count tickets", params=StatsQuery, answer=Stats)
    async def get(self) -> None:
        """GET /api/tickets/stats"""
        query, now = self.params_as(StatsQuery), self.desk.clock.now()
        self.send_json(await self.read(lambda conn: tickets.stats(conn, self.actor, query, now=now)))
