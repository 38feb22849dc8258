"""A ticket's timeline, and every ticket's, live."""

from __future__ import annotations

from tornado.iostream import StreamClosedError

from helpdesk import errors
from helpdesk.domain import timeline_pages
from helpdesk.handlers.base import ApiHandler
from helpdesk.handlers.calls import call
from helpdesk.messages.timeline import EntryPage, EventsQuery, TimelineQuery
from helpdesk.streams import Stream

HEARTBEAT_S = 15.0  # the contract's; proxies cut what is silent for 30 to 60


class TimelineHandler(ApiHandler):
    @call("What happened to a ticket, oldest first", params=TimelineQuery, answer=EntryPage, errors=(errors.NotFound,))
    async def get(self, ticket_id: int) -> None:
        """GET /api/tickets/:id/timeline"""
        query = self.params_as(TimelineQuery)
        self.send_json(
            await self.read_list(query, lambda conn: timeline_pages.page(conn, self.actor, ticket_id, query))
        )


class EventsHandler(ApiHandler):
    _stream: Stream | None = None

    @call(
        "Every timeline entry the caller may see, as it is committed",
        params=EventsQuery,
        answer=str,
        headers=("Last-Event-ID",),
        media_type="text/event-stream",
    )
    async def get(self) -> None:
        """GET /api/events (Server-Sent Events, the HTML standard, section 9.2)"""
        stream, position = await self.desk.hub.subscribe(self.actor)
        self._stream = stream
        try:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("X-Accel-Buffering", "no")  # nginx would hold events back
            if self.request.method == "HEAD":
                return
            self.write(b": connected\n\n")
            await self.flush()
            await self._replay(position)
            while stream.is_open:
                events = await stream.next(HEARTBEAT_S)
                if events or stream.is_open:
                    self.write(events or b": still here\n\n")
                    await self.flush()
        except StreamClosedError:
            return
        finally:
            self.desk.hub.unsubscribe(stream)

    async def _replay(self, position: int) -> None:
        since = self._resume_from()
        while since is not None and since < position:
            events, since = await self.desk.hub.replay(self.actor, since, position)
            if events:
                self.write(events)
                await self.flush()

    def _resume_from(self) -> int | None:
        """The last entry that the reader has; None when it names none or a malformed one."""
        for sent in (self.request.headers.get("Last-Event-ID"), self.params_as(EventsQuery).since):
            if sent and sent.isascii() and sent.isdigit() and len(sent) <= 18:
                return int(sent)
        return None

    def on_connection_close(self) -> None:
        if self._stream is not None:
            self.desk.hub.unsubscribe(self._stream)
