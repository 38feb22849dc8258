"""Tickets as JSON, kept in memory: in full until the commit that changes them, listed by their stamp.

What is kept is bounded in bytes and never older than what the caller of a commit was told: a commit
drops what it touched before its caller hears of it, and a read that overlaps a commit of the same
ticket is answered but not kept. On a shared database nothing is kept: the commit may be another process's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from msgspec import Raw, Struct

from helpdesk.clock import Clock
from helpdesk.db import tickets as store
from helpdesk.db.engine import Connection, Database, Touched
from helpdesk.db.ticket_lists import Stamp
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import views
from helpdesk.domain.access import Actor, visible_ticket
from helpdesk.errors import NotFound
from helpdesk.messages.encoding import encode

FULL_MAX_BYTES = 12 * 1024 * 1024
LISTED_MAX_BYTES = 8 * 1024 * 1024
# What an entry takes beside its body (measured): keys, stamp and moments. Uncounted it was half as much again as the
# limits say, and memory grew until long after a desk's first hours.
_FULL_ENTRY_BYTES, _LISTED_ENTRY_BYTES = 310, 590
_FOR_EVER = 1 << 62

Viewpoint = tuple[int, bool]  # a ticket's id, and whether an agent or admin looks at it


class FullTicket(Struct, frozen=True):
    """A ticket in full as agents, or as its requester, see it until the moment `until`."""

    creator_id: int
    etag: str
    body: bytes
    until: int

    @property
    def size_bytes(self) -> int:
        return len(self.body) + _FULL_ENTRY_BYTES


class _Listed(Struct, frozen=True):
    stamp: Stamp
    body: Raw
    until: int
    size_bytes: int


class EncodedTickets:
    """`full` and `listing` are called on the event loop; what `listing` gives, in reader threads."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._full: dict[Viewpoint, FullTicket] = {}
        self._full_bytes = 0
        self._loading: dict[Viewpoint, object] = {}
        self._listed: dict[Viewpoint, _Listed] = {}
        self._listed_bytes = 0
        self._people = 0  # counts the commits that changed a user
        self._lock = threading.Lock()  # guards what lists change in reader threads
        db.on_commit(self._forget)

    async def full(self, actor: Actor, ticket_id: int) -> FullTicket:
        """Return the ticket in full. Raise NotFound."""
        viewpoint = (ticket_id, actor.is_staff)
        now = self._clock.now()
        kept = self._full.get(viewpoint)
        if kept is None or kept.until <= now:
            return await self._load(actor, viewpoint)
        if not actor.is_staff and kept.creator_id != actor.id:
            raise NotFound("ticket")
        return kept

    async def _load(self, actor: Actor, viewpoint: Viewpoint) -> FullTicket:
        # A commit of this ticket removes the mark; the result is then not cached.
        mark = self._loading[viewpoint] = object()
        try:
            found = await self._db.read(lambda conn: _read_full(conn, actor, viewpoint[0], self._clock.now()))
            if self._loading.get(viewpoint) is mark and not self._db.is_shared:
                self._keep_full(viewpoint, found)
        finally:
            if self._loading.get(viewpoint) is mark:
                del self._loading[viewpoint]
        return found

    def _keep_full(self, viewpoint: Viewpoint, found: FullTicket) -> None:
        self._drop_full(viewpoint)
        self._full[viewpoint] = found
        self._full_bytes += found.size_bytes
        while self._full_bytes > FULL_MAX_BYTES:
            self._drop_full(next(iter(self._full)))

    def _drop_full(self, viewpoint: Viewpoint) -> None:
        dropped = self._full.pop(viewpoint, None)
        if dropped is not None:
            self._full_bytes -= dropped.size_bytes

    def listing(self, actor: Actor, now: int) -> Callable[[Connection, Sequence[Stamp]], list[Raw]]:
        """Return a function that encodes the tickets of a list, in the order of their stamps.

        Call this on the event loop, and the returned function in the transaction that read the stamps.
        """
        people = self._people

        def listed(conn: Connection, stamps: Sequence[Stamp]) -> list[Raw]:
            return self._listed_now(conn, stamps, for_staff=actor.is_staff, now=now, people=people)

        return listed

    def _listed_now(
        self, conn: Connection, stamps: Sequence[Stamp], *, for_staff: bool, now: int, people: int
    ) -> list[Raw]:
        shown = {stamp.id: self._kept_listed(stamp, for_staff, now) for stamp in stamps}
        missing = [stamp for stamp in stamps if shown[stamp.id] is None]
        for stamp, row in zip(missing, store.by_ids(conn, [stamp.id for stamp in missing]), strict=True):
            encoded = encode(views.listed_ticket(row, for_staff=for_staff, now=now))
            shown[stamp.id] = Raw(encoded)
            listed = _Listed(stamp, Raw(encoded), _right_until(row, now), len(encoded) + _LISTED_ENTRY_BYTES)
            self._keep_listed((stamp.id, for_staff), listed, people)
        return [body for stamp in stamps if (body := shown[stamp.id]) is not None]

    def _kept_listed(self, stamp: Stamp, for_staff: bool, now: int) -> Raw | None:
        kept = self._listed.get((stamp.id, for_staff))
        return kept.body if kept is not None and kept.stamp == stamp and now < kept.until else None

    def _keep_listed(self, viewpoint: Viewpoint, listed: _Listed, people: int) -> None:
        with self._lock:
            if people != self._people or self._db.is_shared:
                return  # a user was renamed after this was read, which the stamp does not show
            before = self._listed.pop(viewpoint, None)
            self._listed[viewpoint] = listed
            self._listed_bytes += listed.size_bytes - (before.size_bytes if before else 0)
            while self._listed_bytes > LISTED_MAX_BYTES:
                self._listed_bytes -= self._listed.pop(next(iter(self._listed))).size_bytes

    def _forget(self, touched: Touched) -> None:
        if "user" in touched:
            self._forget_all()  # their names stand in tickets; people change seldom
        if not self._full and not self._loading:
            return
        for ticket_id in touched.get("ticket", ()):
            assert isinstance(ticket_id, int)
            for viewpoint in ((ticket_id, True), (ticket_id, False)):
                self._drop_full(viewpoint)
                self._loading.pop(viewpoint, None)

    def _forget_all(self) -> None:
        self._full.clear()
        self._full_bytes = 0
        self._loading.clear()
        with self._lock:
            self._people += 1
            self._listed.clear()
            self._listed_bytes = 0


def _read_full(conn: Connection, actor: Actor, ticket_id: int, now: int) -> FullTicket:
    row = visible_ticket(conn, actor, ticket_id)
    view = views.full_ticket(conn, actor, row, now=now)
    return FullTicket(row.creator_id, view.etag, encode(view.ticket), _right_until(row, now))


def _right_until(row: TicketRow, now: int) -> int:
    """Return when the ticket's JSON goes stale by itself: at its breach."""
    return row.due_at if row.due_at is not None and row.due_at > now else _FOR_EVER
