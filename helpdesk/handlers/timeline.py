"""A ticket's timeline, and every ticket's, live."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import StreamClosedError

from helpdesk import errors
from helpdesk.domain import timeline_pages
from helpdesk.live.streams import Stream
from helpdesk.messages.fields import ID_MAX
from helpdesk.messages.timeline import EntryPage, EventsQuery, TimelineQuery
from helpdesk.web.api import ApiHandler
from helpdesk.web.calls import call

HEARTBEAT_S = 15.0  # the contract's; proxies cut what is silent for 30 to 60
SEND_BUFFER_BYTES = 128 * 1024  # in the kernel, which would take 4 MB for each; it doubles this number
SEND_TIMEOUT_S = 60.0  # for a piece of a stream, of 256 KiB at most but for a single larger event


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
        if self.desk.draining:
            raise errors.Unavailable("The server is shutting down; connect again in a moment")
        connection = self.request.connection.stream  # type: ignore[union-attr]
        connection.ends_with_client = True  # a reader that is gone must not hold its place
        stream = self._stream = Stream(self.actor, abort=connection.close)
        try:
            await self.desk.hub.subscribe(stream, self._resume_from())
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("X-Accel-Buffering", "no")  # nginx would hold events back
            if self.request.method != "HEAD":
                if connection.socket is not None:
                    _bound(connection.socket)
                await self._send_all(stream)
        except StreamClosedError:
            return
        finally:
            self.desk.hub.unsubscribe(stream)

    async def _send_all(self, stream: Stream) -> None:
        """Send events as they come, until the stream has closed."""
        await self._send(stream, b": connected\n\n")
        while stream.is_open:
            events = await self.desk.hub.next(stream, HEARTBEAT_S)
            self.desk.sessions.uses.note(stream.actor, self.desk.clock.now())  # who listens uses the session
            if events or stream.is_open:
                await self._send(stream, events or b": still here\n\n")

    async def _send(self, stream: Stream, piece: bytes) -> None:
        self.write(piece)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self.flush()
        except TimeoutError:
            self.request.connection.stream.close()  # type: ignore[union-attr]
            raise StreamClosedError() from None
        stream.sent()

    def _resume_from(self) -> int | None:
        """Return the id of the last entry that the reader has; None if it sends none or a malformed one."""
        for sent in (self.request.headers.get("Last-Event-ID"), self.params_as(EventsQuery).since):
            if sent and sent.isascii() and sent.isdigit():
                return int(sent) if len(sent) <= len(str(ID_MAX)) else ID_MAX
        return None

    def on_connection_close(self) -> None:
        if self._stream is not None:
            self.desk.hub.unsubscribe(self._stream)


def _bound(connection: socket.socket) -> None:
    """Limit what the kernel keeps for a reader that does not read, and how long it keeps one that has vanished."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_TIMEOUT_S * 1000))
