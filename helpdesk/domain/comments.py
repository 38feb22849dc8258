"""Comments: threads, internal notes, and their effect on the ticket."""

from __future__ import annotations

from msgspec.structs import replace

from helpdesk.clock import rfc3339
from helpdesk.db import comments as store
from helpdesk.db import search
from helpdesk.db import tickets as ticket_store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import clocks, ticket_changes, timeline, views
from helpdesk.domain.access import Actor, ticket_to_change, visible_ticket
from helpdesk.domain.words import index_text
from helpdesk.errors import Forbidden, InvalidField, TicketClosed
from helpdesk.messages.comments import Comment, CommentPage, CommentsQuery, NewComment


def add(conn: Connection, actor: Actor, ticket_id: int, new: NewComment, *, now: int) -> Comment:
    """Add a comment to a ticket and return it.

    Raise NotFound, Forbidden (a requester's internal note), InvalidField (no such parent on this
    ticket) or TicketClosed. A requester's comment reopens a pending or resolved ticket.
    """
    ticket = ticket_to_change(conn, actor, ticket_id)
    if new.internal and not actor.is_staff:
        raise Forbidden("Only agents and admins can write internal notes", "internal")
    internal = _parent_is_internal(conn, actor, ticket, new.parent) or bool(new.internal)
    if ticket.status == "closed" and not actor.is_staff:
        raise TicketClosed("The ticket is closed; reopen it to comment on it")
    comment_id = store.insert(
        conn,
        ticket_id=ticket.id,
        parent=new.parent,
        author_id=actor.id,
        body=new.body,
        internal=internal,
        created_at=now,
    )
    ticket = _counted(conn, actor, ticket, internal=internal, now=now)
    _index(conn, ticket, comment_id, new.body, internal=internal)
    timeline.record(
        conn,
        ticket_id=ticket.id,
        version=ticket.version,
        actor=actor,
        action="commented",
        data={"comment_id": comment_id},
        now=now,
        internal=internal,
    )
    if not actor.is_staff and ticket.status in ("pending", "resolved"):
        ticket_changes.apply(conn, ticket, {"status": "open"}, actor=actor, now=now)
    return Comment(
        id=comment_id,
        ticket_id=ticket.id,
        parent=new.parent,
        author=actor.person,
        body=new.body,
        internal=internal,
        created_at=rfc3339(now),
    )


def _parent_is_internal(conn: Connection, actor: Actor, ticket: TicketRow, parent_id: int | None) -> bool:
    if parent_id is None:
        return False
    parent = store.by_id(conn, parent_id)
    hidden = parent is not None and bool(parent.internal) and not actor.is_staff
    if parent is None or parent.ticket_id != ticket.id or hidden:
        raise InvalidField("parent must be the id of a comment on this ticket", "parent")
    return bool(parent.internal)


def _counted(conn: Connection, actor: Actor, ticket: TicketRow, *, internal: bool, now: int) -> TicketRow:
    """Count the comment on its ticket and return the ticket.

    The version does not change, and an internal note does not change updated_at either.
    """
    ticket = clocks.settle(conn, ticket, now=now)
    first_response = not internal and actor.is_staff and actor.id != ticket.creator_id
    after = replace(
        ticket,
        comment_count=ticket.comment_count + 1,
        internal_count=ticket.internal_count + internal,
        updated_at=ticket.updated_at if internal else now,
        first_responded_at=now if first_response and ticket.first_responded_at is None else ticket.first_responded_at,
    )
    ticket_store.update(conn, after, was=ticket)
    return after


def _index(conn: Connection, ticket: TicketRow, comment_id: int, body: str, *, internal: bool) -> None:
    words = index_text(body)
    if internal:
        search.add(conn, ticket.id, comment_id, owner_id=ticket.creator_id, internal=words)
    else:
        search.add(conn, ticket.id, comment_id, owner_id=ticket.creator_id, body=words)


def page(conn: Connection, actor: Actor, ticket_id: int, query: CommentsQuery) -> CommentPage:
    """Return a page of the comments that the actor may see, oldest first. Raise NotFound."""
    ticket = visible_ticket(conn, actor, ticket_id)
    internal = actor.is_staff or not ticket.internal_count  # without internal notes there is nothing to filter out
    rows = store.page(conn, ticket_id, internal=internal, limit=query.limit + 1, offset=query.offset)
    more = len(rows) > query.limit
    return CommentPage([views.comment(r) for r in rows[: query.limit]], query.offset + query.limit if more else None)
