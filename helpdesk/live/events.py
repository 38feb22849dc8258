"""Timeline entries encoded as stream events, for those who may see them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from helpdesk.db import tickets as ticket_store
from helpdesk.db import timeline as timeline_store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.db.timeline import EntryRow
from helpdesk.domain import views
from helpdesk.domain.access import Actor
from helpdesk.messages.encoding import encode
from helpdesk.messages.tickets import LiveEvent

READ_STEP = 100  # entries handed out at once
REPLAY_STEP = 20  # entries replayed at once: with the longest texts they take 5 MB while they are read
REPLAY_BYTES = 256 * 1024  # encoded at once; one event may be larger
IDS_STEP = 5_000  # ids of a requester's entries read at once, and kept until they are replayed: 40 KB


class Event(Struct, frozen=True):
    """One entry, encoded for both kinds of reader; `for_requester` is None where it is hidden."""

    id: int
    creator_id: int
    for_staff: bytes
    for_requester: bytes | None

    def seen_by(self, actor: Actor) -> bytes | None:
        """Return the event as the actor sees it; None if it is hidden from them."""
        if actor.is_staff:
            return self.for_staff
        return self.for_requester if self.creator_id == actor.id else None


class Missed(Struct, frozen=True):
    """What a reader has missed: the entries above `after`, of which `ids`, oldest first, are known to be its own.

    `after` moves on to `ids_until` when all `ids` are replayed.
    """

    after: int
    ids: Sequence[int] = ()
    ids_until: int = 0


def reset(newest: int) -> bytes:
    """Return the event that tells a reader to reload, as it knows entries that do not exist (after a restore).

    The id is that of the newest entry, or the reader would ask for the lost ones again.
    """
    return b"id: %d\nevent: reset\ndata: {}\n\n" % newest


def _encode(row: EntryRow, ticket: TicketRow, *, for_staff: bool, now: int) -> bytes:
    event = LiveEvent(views.entry(row), views.listed_ticket(ticket, for_staff=for_staff, now=now))
    return b"id: %d\nevent: ticket.%s\ndata: %s\n\n" % (row.id, row.action.encode(), encode(event))


def _tickets_of(conn: Connection, rows: list[EntryRow]) -> dict[int, TicketRow]:
    return {t.id: t for t in ticket_store.by_ids(conn, sorted({row.ticket_id for row in rows}))}


def events_between(conn: Connection, after: int, until: int, now: int) -> list[Event]:
    """Return the events above id `after` and up to `until`, oldest first, at most READ_STEP of them."""
    rows = timeline_store.between(conn, after, until, limit=READ_STEP)
    tickets = _tickets_of(conn, rows)
    return [
        Event(
            id=row.id,
            creator_id=tickets[row.ticket_id].creator_id,
            for_staff=_encode(row, tickets[row.ticket_id], for_staff=True, now=now),
            for_requester=None if row.internal else _encode(row, tickets[row.ticket_id], for_staff=False, now=now),
        )
        for row in rows
    ]


def replay(conn: Connection, actor: Actor, missed: Missed, until: int, now: int) -> tuple[bytes, Missed]:
    """Return the next missed events up to entry `until` as `actor` sees them, and what is missed after them.

    One step is bounded in entries and bytes, and costs what the actor may see, not what the desk holds.
    """
    if actor.is_staff:
        rows = timeline_store.between(conn, missed.after, until, limit=REPLAY_STEP)
        return _replayed(conn, rows, missed, until if len(rows) < REPLAY_STEP else rows[-1].id, for_staff=True, now=now)
    if not missed.ids:
        ids = timeline_store.ids_of_creator(conn, actor.id, missed.after, until, limit=IDS_STEP)
        missed = Missed(missed.after, array("q", ids), until if len(ids) < IDS_STEP else ids[-1])
    step = missed.ids[:REPLAY_STEP]
    rows = [row for row in timeline_store.by_ids(conn, step) if not row.internal]
    reached = missed.ids_until if len(step) == len(missed.ids) else step[-1]
    return _replayed(conn, rows, missed, reached, for_staff=False, now=now)


def _replayed(
    conn: Connection, rows: list[EntryRow], missed: Missed, reached: int, *, for_staff: bool, now: int
) -> tuple[bytes, Missed]:
    """Encode `rows`, which lead to entry `reached`, as far as the bytes of one step allow."""
    tickets = _tickets_of(conn, rows)
    encoded: list[bytes] = []
    size_bytes = 0
    for row in rows:
        encoded.append(_encode(row, tickets[row.ticket_id], for_staff=for_staff, now=now))
        size_bytes += len(encoded[-1])
        if size_bytes >= REPLAY_BYTES and row is not rows[-1]:
            reached = row.id
            break
    rest = missed.ids[bisect_right(missed.ids, reached) :]
    return b"".join(encoded), Missed(reached, rest, missed.ids_until)
