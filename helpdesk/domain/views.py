"""API representations of stored rows, without anything that the viewer may not see."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from helpdesk.clock import rfc3339, rfc3339_or_none
from helpdesk.db import comments as comment_store
from helpdesk.db import timeline as timeline_store
from helpdesk.db.comments import CommentRow
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.db.timeline import EntryRow
from helpdesk.db.users import UserRow
from helpdesk.domain import sla
from helpdesk.domain.access import Actor
from helpdesk.domain.clocks import is_breached
from helpdesk.messages.accounts import Person, User
from helpdesk.messages.comments import Comment
from helpdesk.messages.tickets import ListedTicket, Ticket
from helpdesk.messages.timeline import Entry

SHOWN_WITH_TICKET = 100  # comments, and timeline entries; their own endpoints page through all of them
# Longest text in the timeline entries of a full ticket. Uncut, 100 edits of a long description would be 4 MB.
SHORT_MAX = 500


def user(row: UserRow) -> User:
    """Return a user as the API shows it on its own."""
    return User(
        id=row.id,
        username=row.username,
        name=row.name,
        role=row.role,
        email=row.email,
        active=bool(row.active),
        created_at=rfc3339(row.created_at),
    )


def listed_ticket(ticket: TicketRow, *, for_staff: bool, now: int) -> ListedTicket:
    """Return a ticket as lists show it, without any trace of internal notes unless `for_staff`."""
    return ListedTicket(**_shown(ticket, for_staff=for_staff, now=now))


def _shown(ticket: TicketRow, *, for_staff: bool, now: int) -> dict[str, Any]:
    breached = is_breached(ticket, now)
    assignee = None
    if ticket.assignee_id is not None and ticket.assignee_username is not None and ticket.assignee_role is not None:
        assignee = Person(ticket.assignee_id, ticket.assignee_username, ticket.assignee_name, ticket.assignee_role)
    return {
        "id": ticket.id,
        "title": ticket.title,
        "description": ticket.description,
        "status": ticket.status,
        "priority": ticket.priority,
        "tags": ticket.tag_list,
        "version": ticket.version,
        "creator": Person(ticket.creator_id, ticket.creator_username, ticket.creator_name, ticket.creator_role),
        "assignee": assignee,
        "sla_minutes": ticket.sla_minutes,
        "sla_deadline": rfc3339(ticket.sla_deadline),
        "sla_state": sla.state(ticket.status, breached=breached),
        "breached": breached,
        "first_responded_at": rfc3339_or_none(ticket.first_responded_at),
        "resolved_at": rfc3339_or_none(ticket.resolved_at),
        "created_at": rfc3339(ticket.created_at),
        "updated_at": rfc3339(ticket.updated_at),
        "comment_count": ticket.comment_count - (0 if for_staff else ticket.internal_count),
    }


class TicketView(msgspec.Struct, frozen=True):
    """A ticket in full and its entity tag, both as one caller sees them."""

    ticket: Ticket
    etag: str


def new_ticket(row: TicketRow, created: EntryRow, *, now: int) -> TicketView:
    """Return a ticket in full that was just created, without reading it back."""
    shown = Ticket(**_shown(row, for_staff=True, now=now), comments=[], timeline=[short_entry(created)])
    return TicketView(shown, etag(row.version, created.id))


def etag(version: int, entry_id: int) -> str:
    """Return a ticket's entity tag: its version, a dot, and the id of the newest entry that the viewer may see."""
    return f'"{version}.{entry_id}"'


def full_ticket(conn: Connection, actor: Actor, row: TicketRow, *, now: int) -> TicketView:
    """Return the ticket in full, as the actor sees it."""
    staff = actor.is_staff
    entries = timeline_store.newest(conn, row.id, internal=staff, limit=SHOWN_WITH_TICKET)
    thread = comment_store.newest(conn, row.id, internal=staff, limit=SHOWN_WITH_TICKET) if row.comment_count else []
    ticket = Ticket(
        **_shown(row, for_staff=staff, now=now),
        comments=[comment(c) for c in thread],
        timeline=[short_entry(e) for e in entries],
    )
    return TicketView(ticket, etag(row.version, entries[-1].id))


def comment(row: CommentRow) -> Comment:
    """Return a comment as the API shows it."""
    return Comment(
        id=row.id,
        ticket_id=row.ticket_id,
        parent=row.parent,
        author=Person(row.author_id, row.author_username, row.author_name, row.author_role),
        body=row.body,
        internal=bool(row.internal),
        created_at=rfc3339(row.created_at),
    )


def entry(row: EntryRow) -> Entry:
    """Return an entry as the API shows it."""
    return Entry(
        id=row.id,
        ticket_id=row.ticket_id,
        actor=_actor(row),
        action=row.action,
        data=msgspec.Raw(row.data.encode()),
        created_at=rfc3339(row.created_at),
    )


def short_entry(row: EntryRow) -> Entry:
    """Return an entry for a full ticket: long texts are cut, and `data.shortened` names their fields."""
    shown = entry(row)
    if len(row.data) <= SHORT_MAX or row.action not in ("created", "updated"):
        return shown
    data = msgspec.json.decode(row.data)
    texts = data["changes"] if row.action == "updated" else data
    short = {name: _shortened(value) for name, value in texts.items()}
    cut = sorted(name for name in texts if short[name] != texts[name])
    if not cut:
        return shown
    data = (data | {"changes": short} if row.action == "updated" else short) | {"shortened": cut}
    return replace(shown, data=msgspec.Raw(msgspec.json.encode(data)))


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > SHORT_MAX:
        return value[:SHORT_MAX] + "…"
    return [_shortened(one) for one in value] if isinstance(value, list) else value


def _actor(row: EntryRow) -> Person | None:
    if row.actor_id is None or row.actor_username is None or row.actor_role is None:
        return None
    return Person(row.actor_id, row.actor_username, row.actor_name, row.actor_role)
