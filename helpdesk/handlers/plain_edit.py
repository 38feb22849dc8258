"""Editing a ticket on the plain pages: only what was changed is sent, and two people do not undo each other."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import accounts, ticket_changes, views
from helpdesk.domain.access import visible_ticket
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers.plain_base import PlainHandler
from helpdesk.handlers.plain_ticket import ticket_id_of
from helpdesk.handlers.plain_words import person_name
from helpdesk.messages.accounts import User, UsersQuery
from helpdesk.messages.parsing import parse_body, parse_form
from helpdesk.messages.tickets import ListedTicket, Ticket, TicketChanges
from helpdesk.terms import PRIORITIES, STATUSES

_TEXTS = ("title", "description")
_FACTS = ("status", "priority", "assignee", "tags", "sla_minutes")
_TRIES = 5  # to put an edit beside others' that touch other fields
_OFFERED = 100  # agents in a list of suggestions; any other can be typed


class PlainEditHandler(PlainHandler):
    """The form holds a digest of each value that it showed, and so tells what was changed by hand."""

    _now: Ticket | None = None  # the ticket that an edit was in conflict with

    async def get(self, number: str) -> None:
        """GET /plain/tickets/:id/edit"""
        await self._show(number)

    async def post(self, number: str) -> None:
        """POST /plain/tickets/:id/edit"""
        await self.attempt(lambda: self._save(number), lambda error: self._show(number, error))

    async def _show(self, number: str, error: AppError | None = None) -> None:
        ticket_id = ticket_id_of(number)

        def work(conn: Connection) -> tuple[ListedTicket, list[User]]:
            row = visible_ticket(conn, self.actor, ticket_id)
            ticket = views.listed_ticket(row, for_staff=self.actor.is_staff, now=self.desk.clock.now())
            return ticket, staff(conn) if self.actor.is_staff else []

        ticket, people = await self.read(work)
        present = shown_values(ticket)
        typed = self._edited() if error else {}
        self.show(
            "edit_ticket.html",
            ticket=ticket,
            present=present,
            was={name: digest(text) for name, text in present.items()},
            values=present | typed,
            sent=typed,
            differs={name for name in typed if self._now and plain(typed[name]) != plain(present[name])},
            people=people,
            statuses=STATUSES,
            priorities=PRIORITIES,
            error=error,
        )

    def _names(self) -> tuple[str, ...]:
        return _TEXTS + _FACTS if self.actor.is_staff else (*_TEXTS, "status")

    def _edited(self) -> dict[str, str]:
        """Return the fields that hold something else than what the form showed."""
        sent = {n: self.typed_as(n, n) for n in self._names() if n in self.request.body_arguments}
        was = self.typed(*(f"was_{name}" for name in sent))
        return {name: text for name, text in sent.items() if digest(text) != was.get(f"was_{name}")}

    async def _save(self, number: str) -> None:
        ticket_id = ticket_id_of(number)
        self.form(*self._names())  # refuses what stands twice or is not UTF-8
        edited = self._edited() | ({"assignee": self.actor.username} if self.form("take") else {})
        if not self.actor.is_staff:
            edited.pop("assignee", None)
        changes = await self._changes(edited) if edited else None
        if changes is None:
            self.read_form_key()
            self.mark_stored()
        else:
            await self._save_beside_others(ticket_id, changes, edited)
        self.redirect(f"/plain/tickets/{ticket_id}" + (f"?saved={changes.version}" if changes else ""), status=303)

    async def _changes(self, edited: dict[str, str]) -> TicketChanges:
        values: dict[str, Any] = {n: t for n, t in edited.items() if n not in ("tags", "assignee", "sla_minutes")}
        numbers = self.form("version") | {n: edited[n].strip() for n in ("sla_minutes",) if n in edited}
        if "tags" in edited:
            values["tags"] = edited["tags"].replace(",", " ").split()
        read = parse_form(TicketChanges, {**numbers})
        if read.version is None:
            raise errors.FieldRequired("version is required: the version of the ticket that you saw", "version")
        values |= {"version": read.version, "sla_minutes": read.sla_minutes}
        if "assignee" in edited:
            values["assignee_id"] = await self._assignee_id(edited["assignee"].strip())
        return parse_body(TicketChanges, values)

    async def _assignee_id(self, username: str) -> int | None:
        if not username:
            return None
        user = await self.read(lambda conn: user_store.by_username(conn, username))
        if user is None:
            raise errors.InvalidField("assignee must be the username of an active agent or admin", "assignee_id")
        return user.id

    async def _save_beside_others(self, ticket_id: int, changes: TicketChanges, edited: dict[str, str]) -> None:
        touched = {"assignee": "assignee_id"}
        mine = {touched.get(name, name) for name in edited}
        if mine & {"priority", "sla_minutes"}:
            mine |= {"priority", "sla_minutes"}  # the one sets the other
        for _ in range(_TRIES):

            def work(conn: Connection, changes: TicketChanges = changes) -> Answer:
                now = self.desk.clock.now()
                ticket_changes.change(conn, self.actor, ticket_id, changes, if_match=None, now=now)
                return Answer(303)

            try:
                await self.once(work, edited)
                return
            except errors.VersionMismatch:
                changes = await self._merged(ticket_id, changes, mine)
        raise errors.VersionMismatch("Others keep changing this ticket; save once more", "version")

    async def _merged(self, ticket_id: int, changes: TicketChanges, mine: set[str]) -> TicketChanges:
        """Return the changes on top of what others did meanwhile. Raises VersionMismatch where both did the same."""
        seen, now = changes.version or 1, self.desk.clock.now()
        found = await self.read(lambda conn: ticket_changes.conflict(conn, self.actor, ticket_id, seen, now=now))
        current: Ticket = found["current"]
        both = sorted(mine & set(found["changed"]))
        if not both:
            return msgspec.structs.replace(changes, version=current.version)
        self._now = current
        names = " and ".join(name.removesuffix("_id").replace("_", " ") for name in both)
        raise errors.VersionMismatch(
            f"{_last_editor(current)} changed {names} while you were editing, and nothing was saved; "
            "compare yours with what stands there now, and save again",
            "version",
        )


def _last_editor(ticket: Ticket) -> str:
    actor = next((entry.actor for entry in reversed(ticket.timeline) if entry.action == "updated"), None)
    return person_name(actor) if actor else "Someone else"


def plain(text: str) -> str:
    """Return a text as a browser's control gives it back, whatever it was filled with."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def digest(text: str) -> str:
    """Return what stands in a form for a value that it showed."""
    return hashlib.sha256(plain(text).encode("utf-8", "replace")).hexdigest()[:32]


def staff(conn: Connection) -> list[User]:
    """Return the first of the active agents and admins, to choose from."""
    queries = [UsersQuery(role=role, active=True, limit=_OFFERED) for role in ("agent", "admin")]
    return [user for query in queries for user in accounts.page(conn, query).items]


def shown_values(ticket: ListedTicket) -> dict[str, str]:
    """Return the fields of a ticket that a form edits, as it shows them."""
    return {
        "title": ticket.title,
        "description": ticket.description,
        "status": ticket.status,
        "priority": ticket.priority,
        "assignee": ticket.assignee.username if ticket.assignee else "",
        "tags": " ".join(ticket.tags),
        "sla_minutes": str(ticket.sla_minutes),
    }
