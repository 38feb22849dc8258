"""Tickets: create, show, list and count them. Changing a ticket is in ticket_changes.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from helpdesk.db import search, ticket_pages
from helpdesk.db import tickets as store
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.db.ticket_lists import Filter, Order, Stamp
from helpdesk.db.tickets import TicketRow
from helpdesk.db.users import UserRow
from helpdesk.domain import clocks, sla, timeline, views
from helpdesk.domain.access import Actor
from helpdesk.domain.tags import normal_tag, normal_tags
from helpdesk.domain.views import TicketView
from helpdesk.domain.words import index_text, query_words, ticket_number
from helpdesk.errors import Forbidden, InvalidField, InvalidParam
from helpdesk.messages.tickets import ListedTicket, NewTicket, Stats, StatsQuery, TicketsQuery
from helpdesk.terms import PRIORITIES, STATUSES

T = TypeVar("T")


def create(conn: Connection, actor: Actor, new: NewTicket, *, now: int, may_set_sla: bool) -> TicketView:
    """Create a ticket and return it in full.

    `may_set_sla`: whether a requester may set sla_minutes. Raise Forbidden or InvalidField.
    """
    if new.assignee_id is not None and not actor.is_staff:
        raise Forbidden("Only agents and admins can assign tickets", "assignee_id")
    if new.sla_minutes is not None and not (actor.is_staff or may_set_sla):
        raise Forbidden("Only agents and admins can set sla_minutes", "sla_minutes")
    assignee = checked_assignee(conn, new.assignee_id) if new.assignee_id is not None else None
    tags = normal_tags(new.tags or [])
    priority = new.priority or "medium"
    first_fields = {
        "title": new.title,
        "description": new.description,
        "status": "open",
        "priority": priority,
        "tags": tags,
        "assignee_id": new.assignee_id,
        "sla_minutes": new.sla_minutes or sla.DEFAULT_MINUTES[priority],
    }
    ticket = _insert(conn, actor, assignee, first_fields, now=now)
    entry = timeline.record(
        conn, ticket_id=ticket.id, version=1, actor=actor, action="created", data=first_fields, now=now
    )
    _index(conn, ticket)
    return views.new_ticket(ticket, entry, now=now)


def _insert(
    conn: Connection, actor: Actor, assignee: UserRow | None, first_fields: dict[str, Any], *, now: int
) -> TicketRow:
    """Insert a new ticket and return its row, equal to what a read would return."""
    tags = first_fields["tags"]
    clock = sla.start(now, first_fields["sla_minutes"])
    values: dict[str, Any] = {
        **first_fields,
        "creator_id": actor.id,
        "version": 1,
        "first_responded_at": None,
        "resolved_at": None,
        "created_at": now,
        "updated_at": now,
        "comment_count": 0,
        "internal_count": 0,
        **clocks.columns(clock),
    }
    ticket_id = store.insert(conn, values, tags)
    clocks.start(conn, ticket_id, clock)
    return TicketRow(
        id=ticket_id,
        creator_username=actor.username,
        creator_name=actor.name,
        creator_role=actor.role,
        assignee_username=assignee.username if assignee else None,
        assignee_name=assignee.name if assignee else None,
        assignee_role=assignee.role if assignee else None,
        **(values | {"tags": " ".join(tags)}),
    )


def _index(conn: Connection, ticket: TicketRow) -> None:
    title, body = indexed(ticket)
    search.add(conn, ticket.id, 0, owner_id=ticket.creator_id, title=title, body=body)


def reindex(conn: Connection, before: TicketRow, after: TicketRow) -> None:
    """Update the search index after a change, so that search finds the new texts and no longer the old ones."""
    texts = indexed(before)
    if texts == indexed(after):
        return
    title, body = texts
    search.remove(conn, before.id, 0, owner_id=before.creator_id, title=title, body=body)
    _index(conn, after)


def indexed(ticket: TicketRow) -> tuple[str, str]:
    """Return the words of the ticket's title and of its other texts, as they are indexed."""
    return index_text(ticket.title), index_text(search.body_text(ticket.description, ticket.tags))


def checked_assignee(conn: Connection, user_id: int) -> UserRow:
    """Lock the user until this transaction ends and return it.

    Raise InvalidField unless it is an active agent or admin.
    """
    user = user_store.kept_by_id(conn, user_id)
    if user is None or not user.active or user.role == "user":
        raise InvalidField("assignee_id must be the id of an active agent or admin", "assignee_id")
    return user


Show = Callable[[Connection, Sequence[Stamp]], list[T]]


def page(conn: Connection, actor: Actor, query: TicketsQuery, show: Show[T], *, now: int) -> tuple[list[T], int | None]:
    """Return a page of matching tickets that the actor may see, and the offset of the next page.

    `show` turns stamps into the items that the caller wants. Raise InvalidParam for a sort by relevance without
    search words.
    """
    words = query_words(query.q)
    sort = query.sort or "-created_at"
    if sort.endswith("relevance") and not words:
        if not query.q:
            raise InvalidParam("sort by relevance needs q, the words to look for", "sort")
        sort = "-created_at"  # a q of punctuation only is ignored
    where, order = _filter(actor, query, words), Order(sort.removeprefix("-"), sort.startswith("-"))
    number = ticket_number(query.q)
    named = ticket_pages.one(conn, number, replace(where, words=()), now=now) if number is not None else None
    if named is not None:
        where = replace(where, without_id=named.id)
    # The ticket that the query names by number comes first, so all others move one place back.
    first = [named] if named is not None and query.offset == 0 else []
    offset = max(0, query.offset - 1) if named is not None else query.offset
    stamps = first + ticket_pages.page(conn, where, order, now=now, limit=query.limit + 1 - len(first), offset=offset)
    more = len(stamps) > query.limit
    return show(conn, stamps[: query.limit]), query.offset + query.limit if more else None


def listing(actor: Actor, now: int) -> Show[ListedTicket]:
    """Return a `show` for `page` that produces typed list items."""

    def listed(conn: Connection, stamps: Sequence[Stamp]) -> list[ListedTicket]:
        rows = store.by_ids(conn, [stamp.id for stamp in stamps])
        return [views.listed_ticket(row, for_staff=actor.is_staff, now=now) for row in rows]

    return listed


def rows(conn: Connection, stamps: Sequence[Stamp]) -> list[TicketRow]:
    """Return the tickets as stored: a `show` for `page` for callers that apply rules to the rows."""
    return store.by_ids(conn, [stamp.id for stamp in stamps])


def _filter(actor: Actor, query: TicketsQuery, words: tuple[str, ...]) -> Filter:
    return Filter(
        words=words,
        scope="everything" if actor.is_staff else "public",
        status=tuple(query.status or ()),
        priority=tuple(query.priority or ()),
        owner_id=None if actor.is_staff else actor.id,
        creator_id=_user_id(query.creator_id, actor),
        assignee_id=_user_id(query.assignee_id, actor),
        unassigned=query.assignee_id == "none",
        tag=normal_tag(query.tag) if query.tag is not None else None,
        breached=query.breached,
    )


def _user_id(text: str | None, actor: Actor) -> int | None:
    if text in (None, "none"):
        return None
    return actor.id if text == "me" else int(text)


def stats(conn: Connection, actor: Actor, query: StatsQuery, *, now: int) -> Stats:
    """Return the number of tickets of each kind; `mine` counts those assigned to the actor."""
    left_out = ("resolved", "closed") if query.unresolved else ()
    groups = [g for g in store.counts(conn, me=actor.id) if g.status not in left_out]
    due = [status for status in store.due_statuses(conn, now) if status not in left_out]
    return Stats(
        total=sum(g.tickets for g in groups),
        by_status={s: sum(g.tickets for g in groups if g.status == s) for s in STATUSES},
        by_priority={p: sum(g.tickets for g in groups if g.priority == p) for p in PRIORITIES},
        breached=sum(g.tickets for g in groups if g.is_breached) + len(due),
        unassigned=sum(g.tickets for g in groups if g.is_unassigned),
        mine=sum(g.tickets for g in groups if g.is_mine),
    )
