"""Between Tornado's connection and a handler: the checks of the head come first, then the body, then the verb."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.web import Application

from helpdesk.errors import AppError
from helpdesk.limits.admission import BODY_MIN_BYTES
from helpdesk.web import body_limit
from helpdesk.web.addresses import limit_key
from helpdesk.web.body_limit import Body
from helpdesk.web.handler import HttpHandler

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestDelegate(HTTPMessageDelegate):
    """Gives a handler the head of its request, and the body only when the head was not refused.

    Tornado's own delegate reads and parses every body before the first line of a handler runs. A body
    that nobody asked for is counted and thrown away, while the refusal is already being sent.
    """

    def __init__(
        self,
        application: Application,
        request: HTTPServerRequest,
        handler_class: type[HttpHandler],
        handler_args: dict[str, Any],
        path_args: list[bytes],
    ) -> None:
        self._application = application
        self._request = request
        self._handler_class = handler_class
        self._handler_args = handler_args
        self._path_args = path_args
        self._handler: HttpHandler | None = None
        self._is_running = False
        self._chunks = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._reserved_bytes = 0

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        """Run the checks of the head. Tornado reads no body before this returns."""
        # Tornado would send its `100` whatever the checks say.
        expects = headers.pop("Expect", "").lower()
        self._body = Body(self._request, headers)
        handler = self._handler = self._handler_class(self._application, self._request, **self._handler_args)
        await handler.receive_head(self._path_args)
        if self._body.has_ended:
            return
        # A timer of our own: Tornado's costs a short body as much as parsing it.
        self._timer = asyncio.get_running_loop().call_later(body_limit.BODY_TIMEOUT_S, self._give_up)
        if handler.refusal is None:
            self._reserve(body_limit.STEP_BYTES if self._body.declared_bytes is None else self._body.declared_bytes)
        if handler.refusal is not None:
            self._run()
        elif expects == "100-continue" and self._request.version == "HTTP/1.1":
            handler.client.write(CONTINUE)

    def _reserve(self, size_bytes: int) -> None:
        """Reserve memory for the body, or refuse the request."""
        handler = self._handler
        assert handler is not None
        size_bytes = max(size_bytes, BODY_MIN_BYTES)
        try:
            handler.desk.unfinished.reserve(limit_key(handler.client_address), size_bytes)
        except AppError as refusal:
            handler.refusal = refusal
        else:
            self._reserved_bytes += size_bytes

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body, up to the limit of the call."""
        body, handler = self._body, self._handler
        assert handler is not None
        body.count(chunk)
        if self._is_running:
            return
        if body.size_bytes > handler.body_max_bytes:
            handler.refusal = handler.too_large(body.size_bytes)
        elif body.size_bytes > self._reserved_bytes:
            self._reserve(body_limit.STEP_BYTES)
        if handler.refusal is None:
            self._keep(chunk)
        if handler.refusal is not None:
            self._release()
            self._run()

    def _keep(self, chunk: bytes) -> None:
        assert self._handler is not None
        try:
            self._chunks += chunk
        except MemoryError as error:  # raised any further, it would close the connection without an answer
            self._handler.refusal = error

    def finish(self) -> None:
        """Run the verb: the request has arrived in full."""
        if not self._is_running:
            self._take_body()
        self._end_body()
        if not self._is_running:
            self._run()

    def _take_body(self) -> None:
        assert self._handler is not None
        try:
            self._request.body = bytes(self._chunks)
        except MemoryError as error:
            self._handler.refusal = error

    def on_connection_close(self) -> None:
        """Forget the request: its connection closed before it had arrived in full."""
        self._end_body()
        if self._handler is None:
            return
        if self._is_running:
            self._handler.on_connection_close()
        else:
            self._handler.on_finish()

    def _run(self) -> None:
        """Start the handler, as Tornado's own delegate does for a handler that streams its body."""
        assert self._handler is not None
        self._is_running = True
        loop = asyncio.get_running_loop()
        read = self._request._body_future = loop.create_future()
        read.set_result(None)
        running = loop.create_task(self._handler._execute([], *self._path_args))
        running.add_done_callback(lambda task: task.cancelled() or task.result())

    def _end_body(self) -> None:
        self._body.end()
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def _release(self) -> None:
        """Drop what was kept of the body, and give its memory back."""
        self._chunks = bytearray()
        if self._reserved_bytes:
            assert self._handler is not None
            self._handler.desk.unfinished.release(limit_key(self._handler.client_address), self._reserved_bytes)
            self._reserved_bytes = 0

    def _give_up(self) -> None:
        assert self._handler is not None
        self._handler.client.close()
