"""Timeline entries as the events that streams carry, encoded for those who may see them."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from helpdesk.db import tickets as ticket_store
from helpdesk.db import timeline as timeline_store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.db.timeline import EntryRow
from helpdesk.domain import views
from helpdesk.domain.access import Actor
from helpdesk.messages.tickets import LiveEvent

READ_STEP = 100  # entries read at once


class Event(Struct, frozen=True):
    """One entry, encoded for both kinds of reader; `for_requester` is None where it is hidden."""

    id: int
    creator_id: int
    for_staff: bytes
    for_requester: bytes | None

    def seen_by(self, actor: Actor) -> bytes | None:
        """The event as that actor sees it, or None."""
        if actor.is_staff:
            return self.for_staff
        return self.for_requester if self.creator_id == actor.id else None


def _encode(row: EntryRow, ticket: TicketRow, *, for_staff: bool, now: int) -> bytes:
    event = LiveEvent(views.entry(row), views.listed_ticket(ticket, for_staff=for_staff, now=now))
    return b"id: %d\nevent: ticket.%s\ndata: %s\n\n" % (row.id, row.action.encode(), msgspec.json.encode(event))


def events_between(conn: Connection, after: int, until: int, now: int) -> list[Event]:
    """The events above id `after` and up to `until`, oldest first, at most READ_STEP of them."""
    rows = timeline_store.between(conn, after, until, limit=READ_STEP)
    tickets = {t.id: t for t in ticket_store.by_ids(conn, sorted({row.ticket_id for row in rows}))}
    return [
        Event(
            id=row.id,
            creator_id=tickets[row.ticket_id].creator_id,
            for_staff=_encode(row, tickets[row.ticket_id], for_staff=True, now=now),
            for_requester=None if row.internal else _encode(row, tickets[row.ticket_id], for_staff=False, now=now),
        )
        for row in rows
    ]
