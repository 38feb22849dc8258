"""The hub: delivers committed timeline entries to open streams, in order, without gaps or duplicates.

Entries are always read from the timeline; a commit only wakes the hub. A stream that does not keep
up is cut off rather than allowed to grow the server's memory; it resumes with Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from msgspec import Struct

from helpdesk.clock import Clock
from helpdesk.db import timeline as timeline_store
from helpdesk.db import tokens as token_store
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection, Database, Touched
from helpdesk.domain.access import Actor
from helpdesk.errors import AppError, InvalidToken, Unavailable
from helpdesk.live import events as live_events
from helpdesk.live.events import Event, Missed
from helpdesk.live.streams import Stream, Streams
from helpdesk.terms import Role

log = logging.getLogger("helpdesk.live")

POLL_S = 1.0  # how often to poll for entries of other processes whose wake-up was lost
RECHECK_S = 2.0  # how often open streams' tokens are looked at; revoked ones end within 5 s
BREATH_BYTES = 256 * 1024  # handed out before the readers' connections get a turn


class _Opening(Struct, frozen=True):
    """What a new stream begins with: the role of its token now, and how far the timeline goes."""

    role: Role | None
    horizon: int
    newest: int


class Hub:
    """Runs on the event loop; `run` and `watch_tokens` are its tasks."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._streams = Streams()
        self._position: int | None = None  # the newest entry handed out; None while there are no streams
        self._woken = asyncio.Event()
        # Replays take one of the slow lane's threads at most, so that searches go on while all readers come back.
        self._replaying = asyncio.Semaphore(1)
        db.on_commit(self._note)

    def _note(self, touched: Touched) -> None:
        if "entry" in touched:
            self.wake()
        if "access" in touched or "token" in touched:
            self.end(users=touched.get("access", ()), tokens=touched.get("token", ()))

    def wake(self) -> None:
        """Wake the hub to read new entries."""
        if self._streams:
            self._woken.set()

    def end(self, *, users: Collection[object], tokens: Collection[object]) -> None:
        """End the streams of users whose rights have changed, and those of tokens that are dead."""
        for stream in self._streams:
            if stream.actor.id in users or stream.actor.token_digest in tokens:
                stream.close()

    async def subscribe(self, stream: Stream, since: int | None) -> None:
        """Open the stream, for all that comes after entry `since`, or after now.

        Raises RateLimited or Unavailable when there are too many, InvalidToken when its token is dead.
        Whoever called it calls `unsubscribe` at the end, also after an error.
        """
        self._streams.add(stream)
        # From here on a commit that takes the token or the role away ends the stream; one before it shows here.
        opening = await self._db.read(lambda conn: self._opening(conn, stream.actor))
        if opening.role is None:
            raise InvalidToken()
        if opening.role != stream.actor.role or not stream.is_open:
            raise Unavailable("The stream has ended before it began; connect again", retry_after_s=1)
        if self._position is None:
            self._position = opening.horizon
        if since is not None and since > opening.newest:
            since = opening.newest
            stream.push(live_events.reset(since))
        # A commit between that read and now may have woken a hub that had no position yet.
        self._woken.set()
        if since is None:
            stream.after = self._position
        else:
            stream.missed = Missed(since)

    def _opening(self, conn: Connection, actor: Actor) -> _Opening:
        living = token_store.living(conn, {actor.token_digest}, self._clock.now())
        return _Opening(living.get(actor.token_digest), timeline_store.horizon(conn), timeline_store.newest_id(conn))

    def unsubscribe(self, stream: Stream) -> None:
        """Close and remove the stream. Do nothing if it was removed before."""
        self._streams.discard(stream)
        if not self._streams:
            self._position = None

    async def next(self, stream: Stream, timeout_s: float) -> bytes:
        """Return the next events for the stream's reader; nothing after `timeout_s`, or when it has closed.

        Until the caller says `stream.sent()`, they count as waiting.
        """
        if not stream.has_waiting() and stream.after is None:
            try:
                async with asyncio.timeout(timeout_s):
                    events = await self._replay(stream)
            except TimeoutError:
                return b""
            if events:
                return stream.replaying(events)
        await stream.wait(timeout_s)
        return stream.take()

    async def _replay(self, stream: Stream) -> bytes:
        """Return a step of what the reader has missed; nothing when that is done, or the stream has closed."""
        while stream.is_open and stream.missed is not None and self._position is not None:
            missed, until = stream.missed, self._position
            if missed.after >= until:
                # The hub hands out what is above its position; what the reader has of that is passed over.
                stream.after, stream.missed = missed.after, None
                break
            async with self._replaying:
                read = partial(self._read_missed, actor=stream.actor, missed=missed, until=until)
                is_still_staff, (events, stream.missed) = await self._db.read_slowly(read)
            if not is_still_staff:
                stream.close()
            if events and stream.is_open:
                return events
        return b""

    def _read_missed(
        self, conn: Connection, *, actor: Actor, missed: Missed, until: int
    ) -> tuple[bool, tuple[bytes, Missed]]:
        """Return whether an agent or admin is that still, and a step of what was missed; for the rest true."""
        is_checked = self._db.is_shared and actor.is_staff
        is_still_staff = not is_checked or bool(user_store.staff_among(conn, {actor.id}))
        return is_still_staff, live_events.replay(conn, actor, missed, until, self._clock.now())

    async def run(self, worked: Callable[[], None] = lambda: None) -> None:
        """Hand out entries as they are committed, until cancelled; call `worked` after each round.

        Streams stay open when it fails: started again, it goes on where it was.
        """
        self._woken.set()
        while True:
            await self._sleep()
            self._woken.clear()
            await self._guarded(self._hand_out, worked)

    async def _sleep(self) -> None:
        """Wait until the hub is woken; on a shared database also poll, in case a wake-up was lost."""
        if not self._db.is_shared:
            await self._woken.wait()
            return
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            return

    async def watch_tokens(self, worked: Callable[[], None] = lambda: None) -> None:
        """End the streams whose token was revoked, has expired or changed its role, until cancelled.

        When it fails all streams end: nobody may go on reading whose token cannot be looked at.
        """
        has_worked = False
        while True:
            await asyncio.sleep(RECHECK_S)
            if not self._streams and has_worked:
                continue
            try:
                await self._guarded(self._end_revoked, worked)
            except BaseException:
                self.close_all()
                raise
            has_worked = True

    async def _guarded(self, step: Callable[[], Awaitable[None]], worked: Callable[[], None]) -> None:
        try:
            await step()
            worked()
        except AppError as error:
            # The store cannot answer: readers resume from their last id when it can again.
            log.warning(
                "live updates pause: %s", error.message, extra={"cause": f"live updates pause, {error.message}"}
            )
            self.close_all()

    async def _hand_out(self) -> None:
        while self._position is not None:
            # Two transactions: what is settled in the first is seen by the second.
            horizon = await self._db.read_promptly(timeline_store.horizon)
            if self._position is None or horizon <= self._position:
                return
            events, checked = await self._events_between(self._position, horizon)
            handed_bytes = 0
            for event in events:
                if self._position is None or event.id <= self._position:
                    continue  # the first stream after a pause began further on
                self._position = event.id
                self._push(event, checked)
                handed_bytes += len(event.for_staff)
                if handed_bytes >= BREATH_BYTES:
                    # A reader that keeps up must not be mistaken for a stalled one.
                    await asyncio.sleep(0)
                    handed_bytes = 0
            if len(events) < live_events.READ_STEP:
                return

    def _push(self, event: Event, checked: set[int]) -> None:
        for stream in self._streams:
            if stream.after is None or event.id <= stream.after:
                continue  # it is replayed to this one, or was
            if self._db.is_shared and stream.actor.is_staff and stream.actor.id not in checked:
                stream.fall_back()  # it came while the events were read
                continue
            encoded = event.seen_by(stream.actor)
            if encoded:
                stream.push(encoded)
            stream.after = event.id

    async def _events_between(self, after: int, until: int) -> tuple[list[Event], set[int]]:
        """Return events, and which agents and admins with streams still had that role when the events were read.

        On a shared database another process's change of a role may be heard of later than its entries are
        seen. Read in one snapshot, whoever sees an entry that came after the change sees the change.
        """
        now = self._clock.now()
        staff = {stream.actor.id for stream in self._streams if stream.actor.is_staff} if self._db.is_shared else set()

        def read(conn: Connection) -> tuple[list[Event], set[int]]:
            return live_events.events_between(conn, after, until, now), user_store.staff_among(conn, staff)

        events, checked = await self._db.read_promptly(read)
        self.end(users=staff - checked, tokens=())
        return events, checked

    async def _end_revoked(self) -> None:
        looked_at = list(self._streams)  # one that is opened during the read is none of these
        digests = {stream.actor.token_digest for stream in looked_at}
        now = self._clock.now()
        living = await self._db.read_promptly(lambda conn: token_store.living(conn, digests, now))
        for stream in self._streams:
            if stream.actor.token_digest in digests and living.get(stream.actor.token_digest) != stream.actor.role:
                stream.close()

    def close_all(self) -> None:
        """End every stream, as at shutdown."""
        for stream in self._streams:
            stream.close()

    def __len__(self) -> int:
        return len(self._streams)
