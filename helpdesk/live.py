"""The hub: hands committed timeline entries to open streams, in order, without gap or doubling.

Entries are always read from the timeline; a commit only wakes the hub. A stream that does not keep
up is cut off rather than allowed to grow the server's memory; it resumes with Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from helpdesk import live_events
from helpdesk.clock import Clock
from helpdesk.db import timeline as timeline_store
from helpdesk.db import tokens as token_store
from helpdesk.db.engine import Database, Touched
from helpdesk.domain.access import Actor
from helpdesk.errors import AppError
from helpdesk.live_events import Event, events_between
from helpdesk.streams import Stream

log = logging.getLogger("helpdesk.live")

POLL_S = 1.0  # how often entries are looked for that another process wrote and told nobody of
RECHECK_S = 2.0  # how often open streams' tokens are looked at; revoked ones end within 5 s


class Hub:
    """Runs on the event loop; `run` is its task."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._streams: set[Stream] = set()
        self._position = 0  # the newest entry handed out; only meaningful while there are streams
        self._woken = asyncio.Event()
        db.on_commit(self._note)

    def _note(self, touched: Touched) -> None:
        if "entry" in touched:
            self.wake()

    def wake(self) -> None:
        """There may be new entries: look."""
        if self._streams:
            self._woken.set()

    async def subscribe(self, actor: Actor) -> tuple[Stream, int]:
        """A new stream, and the id of the entry after which it begins; what is older can be read."""
        if not self._streams:
            position = await self._db.read(timeline_store.horizon)
            # Another subscriber may have come meanwhile: then its position is the hub's.
            if not self._streams:
                self._position = position
        stream = Stream(actor)
        self._streams.add(stream)
        # A commit between that read and now woke nobody.
        self._woken.set()
        return stream, self._position

    def unsubscribe(self, stream: Stream) -> None:
        stream.close()
        self._streams.discard(stream)

    async def replay(self, actor: Actor, since: int, until: int) -> tuple[bytes, int]:
        """The next few events in (since, until] that the actor may see, and where to go on."""
        events = await self._events_between(since, until)
        seen = (event.seen_by(actor) for event in events)
        return b"".join(event for event in seen if event), until if len(events) < live_events.READ_STEP else events[
            -1
        ].id

    async def _events_between(self, after: int, until: int) -> list[Event]:
        now = self._clock.now()
        return await self._db.read(lambda conn: events_between(conn, after, until, now))

    async def run(self) -> None:
        """Hand out entries as they are committed, until cancelled."""
        while True:
            await self._sleep()
            self._woken.clear()
            await self._guarded(self._hand_out)

    async def _sleep(self) -> None:
        """Until somebody tells of a new entry; on a shared database not for long, should nobody tell."""
        if not self._db.is_shared:
            await self._woken.wait()
            return
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            return

    async def watch_tokens(self) -> None:
        """End the streams whose token was revoked, has expired or changed its role, until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_S)
            if self._streams:
                await self._guarded(self._end_revoked)

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except AppError as error:
            # The store cannot answer: readers resume from their last id when it can again.
            log.warning(
                "live updates pause: %s", error.message, extra={"cause": f"live updates pause, {error.message}"}
            )
            self.close_all()

    async def _hand_out(self) -> None:
        while self._streams:
            # Two transactions: what is settled in the first is seen by the second.
            horizon = await self._db.read(timeline_store.horizon)
            events = await self._events_between(self._position, horizon)
            for event in events:
                if event.id <= self._position:
                    continue  # the first stream after a pause began further on
                for stream in self._streams:
                    encoded = event.seen_by(stream.actor)
                    if encoded:
                        stream.push(encoded)
                self._position = event.id
            if len(events) < live_events.READ_STEP:
                return

    async def _end_revoked(self) -> None:
        digests = {stream.actor.token_digest for stream in self._streams}
        now = self._clock.now()
        living = await self._db.read(lambda conn: token_store.living(conn, digests, now))
        for stream in self._streams:
            if living.get(stream.actor.token_digest) != stream.actor.role:
                stream.close()

    def close_all(self) -> None:
        """End every stream, as at shutdown."""
        for stream in self._streams:
            stream.close()

    def __len__(self) -> int:
        return len(self._streams)
