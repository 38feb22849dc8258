"""Messages about what happened to tickets."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from helpdesk.messages import fields as f
from helpdesk.messages.accounts import Person
from helpdesk.terms import Action


class TimelineQuery(msgspec.Struct, forbid_unknown_fields=True):
    q: f.Query | None = None
    action: Annotated[Action, Meta(description="one of created, updated, commented, sla_breached")] | None = None
    limit: f.Limit = f.PAGE_DEFAULT
    offset: f.Offset = 0


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened to a ticket. `data` is JSON whose shape follows from `action`."""

    id: int
    ticket_id: int
    actor: Person | None
    action: Action
    data: msgspec.Raw
    created_at: str


class EntryPage(msgspec.Struct, frozen=True):
    items: list[Entry]
    next_offset: int | None


class EventsQuery(msgspec.Struct, forbid_unknown_fields=True):
    since: Annotated[str, Meta(description="the id of the last entry seen; a malformed one is ignored")] | None = None
