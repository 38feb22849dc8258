"""One ticket on the plain pages: what it is, its conversation in pages, and answering it."""

from __future__ import annotations

from helpdesk import errors
from helpdesk.clock import HOUR_MS
from helpdesk.db import comments as comment_store
from helpdesk.db.engine import Connection
from helpdesk.domain import comments, ticket_changes, views
from helpdesk.domain.access import visible_ticket
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers.plain_base import PlainHandler
from helpdesk.messages.comments import Comment, CommentsQuery, NewComment
from helpdesk.messages.parsing import parse_form
from helpdesk.messages.tickets import ListedTicket, TicketChanges
from helpdesk.terms import STATUSES, Status
from helpdesk.web.api import ID

COMMENTS_SHOWN = 25  # on one page; the longest make half a megabyte
REPEAT_MS = HOUR_MS  # in which the same words, sent again from another form, are taken for a mistake
_LOOKED_AT = 10  # newest comments, for one's own last


class AlreadySent(AppError):
    """Somebody sent the same text a moment ago: perhaps by Back and Send."""

    status = 409


class PlainTicketHandler(PlainHandler):
    async def get(self, number: str) -> None:
        """GET /plain/tickets/:id"""
        await self._show(number)

    async def post(self, number: str) -> None:
        """POST /plain/tickets/:id: a comment, or a new status"""
        act = self._set_status if any(self.request.body_arguments.get("status", [])) else self._comment
        await self.attempt(lambda: act(number), lambda error: self._show(number, error))

    async def _show(self, number: str, error: AppError | None = None) -> None:
        ticket_id = ticket_id_of(number)
        start, at, parent_id = (self._number(name) for name in ("comments", "at", "parent"))

        def work(conn: Connection) -> tuple[ListedTicket, list[Comment], int, Comment | None]:
            row = visible_ticket(conn, self.actor, ticket_id)
            ticket = views.listed_ticket(row, for_staff=self.actor.is_staff, now=self.desk.clock.now())
            last = max(0, ticket.comment_count - 1) // COMMENTS_SHOWN * COMMENTS_SHOWN
            offset = last if start is None else min(start, last)
            if at is not None:  # the page that holds this comment
                place = comment_store.count_before(conn, ticket_id, at, internal=self.actor.is_staff)
                offset = min(place // COMMENTS_SHOWN * COMMENTS_SHOWN, last)
            page = comments.page(conn, self.actor, ticket_id, CommentsQuery(COMMENTS_SHOWN, offset))
            parent = comment_store.by_id(conn, parent_id) if parent_id else None
            if parent is None or parent.ticket_id != ticket_id or (parent.internal and not self.actor.is_staff):
                return ticket, page.items, offset, None
            return ticket, page.items, offset, views.comment(parent)

        ticket, shown, offset, parent = await self.read(work)
        self.show(
            "ticket.html",
            ticket=ticket,
            comments=shown,
            offset=offset,
            step=COMMENTS_SHOWN,
            parent=parent,
            now=self.desk.clock.now(),
            statuses=STATUSES,
            error=error,
            may_repeat=isinstance(error, AlreadySent),
            sent=self.typed("body", "internal", "then") if error else {},
            done=self._done(),
        )

    def _done(self) -> str:
        """Say what the redirect that led here comes from."""
        if self.request.method == "GET" and self._number("sent") is not None:
            return "Your reply was sent."
        return "Saved." if self.request.method == "GET" and self._number("saved") is not None else ""

    def _number(self, name: str) -> int | None:
        """Return a number of the address or of the form; None for one that is none."""
        text = self.get_argument(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None

    async def _comment(self, number: str) -> None:
        ticket_id = ticket_id_of(number)
        fields = self.form("body", "internal", "parent", "then", "then_was", "again")
        new = parse_form(NewComment, {n: fields[n] for n in ("body", "internal", "parent") if n in fields})
        wanted = parse_form(TicketChanges, {"status": fields["then"]}).status if "then" in fields else None

        def work(conn: Connection) -> Answer:
            now = self.desk.clock.now()
            if "again" not in fields:
                self._check_repeat(conn, ticket_id, new, now=now)
            if wanted is not None:
                self._check_status(conn, ticket_id, fields.get("then_was", ""))
            comment = comments.add(conn, self.actor, ticket_id, new, now=now)
            if wanted is not None:
                self._move(conn, ticket_id, wanted, now=now)
            path = f"/plain/tickets/{ticket_id}?sent={comment.id}#comment-{comment.id}"
            return Answer(303, headers={"Location": path})

        done = await self.once(work, fields)
        self.redirect(done.headers["Location"], status=303)

    def _check_repeat(self, conn: Connection, ticket_id: int, new: NewComment, *, now: int) -> None:
        visible_ticket(conn, self.actor, ticket_id)
        newest = comment_store.newest(conn, ticket_id, internal=self.actor.is_staff, limit=_LOOKED_AT)
        own = next((c for c in reversed(newest) if c.author_id == self.actor.id), None)
        if own is None or now - own.created_at > REPEAT_MS:
            return
        if (own.body, bool(own.internal)) == (new.body, bool(new.internal)):
            raise AlreadySent("You have just sent exactly this; press Send again only if it should stand here twice")

    def _check_status(self, conn: Connection, ticket_id: int, seen: str) -> None:
        status = visible_ticket(conn, self.actor, ticket_id).status
        if status != seen:
            raise errors.VersionMismatch(
                f"The status became {status.replace('_', ' ')} meanwhile; choose again and send your reply once more"
            )

    def _move(self, conn: Connection, ticket_id: int, status: Status, *, now: int) -> None:
        version = visible_ticket(conn, self.actor, ticket_id).version
        changes = TicketChanges(version=version, status=status)
        ticket_changes.change(conn, self.actor, ticket_id, changes, if_match=None, now=now)

    async def _set_status(self, number: str) -> None:
        ticket_id = ticket_id_of(number)
        fields = self.form("status", "version")
        changes = parse_form(TicketChanges, fields)

        def work(conn: Connection) -> Answer:
            now = self.desk.clock.now()
            ticket_changes.change(conn, self.actor, ticket_id, changes, if_match=None, now=now)
            return Answer(303)

        await self.once(work, fields)
        self.redirect(f"/plain/tickets/{ticket_id}", status=303)


def ticket_id_of(number: str) -> int:
    """Return the number in a ticket's address. Raises NotFound for one that is none."""
    if not ID.fullmatch(number):
        raise errors.NotFound("ticket")
    return int(number)
