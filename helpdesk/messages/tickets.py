"""Messages about tickets."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from helpdesk.messages import fields as f
from helpdesk.messages.accounts import Person
from helpdesk.messages.comments import Comment
from helpdesk.messages.timeline import Entry
from helpdesk.terms import Priority, SlaState, Status

Sort = Literal[
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "sla_deadline",
    "-sla_deadline",
    "priority",
    "-priority",
    "relevance",
    "-relevance",
]


class NewTicket(msgspec.Struct, forbid_unknown_fields=True):
    title: f.Title
    description: f.Prose
    priority: f.PriorityField | None = None
    tags: f.Tags | None = None
    sla_minutes: f.SlaMinutes | None = None
    assignee_id: f.Id | None = None


class TicketChanges(msgspec.Struct, forbid_unknown_fields=True):
    """A PATCH. `None` is a field left alone, but for `assignee_id`, where it unassigns.

    Title and description must have a value, so that null is refused for them.
    """

    version: f.Version | None = None
    title: f.Title | UnsetType = UNSET
    description: f.Prose | UnsetType = UNSET
    status: f.StatusField | None = None
    priority: f.PriorityField | None = None
    tags: f.Tags | None = None
    assignee_id: f.Id | UnsetType | None = UNSET
    sla_minutes: f.SlaMinutes | None = None


class TicketsQuery(msgspec.Struct, forbid_unknown_fields=True):
    q: f.Query | None = None
    status: f.StatusList | None = None
    priority: f.PriorityList | None = None
    assignee_id: f.AssigneeFilter | None = None
    creator_id: f.CreatorFilter | None = None
    tag: f.TagFilter | None = None
    breached: f.Flag | None = None
    sort: (
        Annotated[
            Sort,
            Meta(
                description="created_at, updated_at, sla_deadline, priority or (with q) relevance; a leading - descends"
            ),
        ]
        | None
    ) = None
    limit: f.Limit = f.PAGE_DEFAULT
    offset: f.Offset = 0


class StatsQuery(msgspec.Struct, forbid_unknown_fields=True):
    unresolved: f.Flag | None = None


class ListedTicket(msgspec.Struct, frozen=True):
    id: int
    title: str
    description: str
    status: Status
    priority: Priority
    tags: list[str]
    version: int
    creator: Person
    assignee: Person | None
    sla_minutes: int
    sla_deadline: str
    sla_state: SlaState
    breached: bool
    first_responded_at: str | None
    resolved_at: str | None
    created_at: str
    updated_at: str
    comment_count: int


class Ticket(ListedTicket, frozen=True):
    """A ticket in full: with the newest 100 of its comments and timeline entries, oldest first.

    In these entries a text of over 500 characters is cut and ends in "…", and `data.shortened` names its
    field; GET /api/tickets/{id}/timeline has all texts whole.
    """

    comments: list[Comment]
    timeline: list[Entry]


class TicketPage(msgspec.Struct, frozen=True):
    items: list[ListedTicket]
    next_offset: int | None


class Stats(msgspec.Struct, frozen=True):
    total: int
    by_status: dict[Status, int]
    by_priority: dict[Priority, int]
    breached: int
    unassigned: int
    mine: int


class LiveEvent(msgspec.Struct, frozen=True):
    """The `data` of one event of GET /api/events."""

    entry: Entry
    ticket: ListedTicket
