"""Bodies over the limit: answered with 413 at once, and never kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine

BODY_MAX_BYTES = 1024 * 1024  # the contract's limit
# What is still read of a body that was refused, so that its sender sees the answer.
DRAIN_MAX_BYTES = 16 * 1024 * 1024
DRAIN_MAX_S = 2.0
BODY_TIMEOUT_S = 30.0  # for a body to arrive in full; then the connection is closed


class BodyLimit(HTTPMessageDelegate):
    """Stands before Tornado's own delegate, counts the body, and cuts it off at the limit.

    Tornado's own limit answers with a bare 400 and resets the connection.
    """

    def __init__(self, inner: HTTPMessageDelegate, request: HTTPServerRequest) -> None:
        self._inner = inner
        self._size_bytes = 0
        self._drained = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False
        self.request = request
        request.body_limit = self  # type: ignore[attr-defined]

    @classmethod
    def of(cls, request: HTTPServerRequest) -> BodyLimit | None:
        """The limit that this request runs under."""
        return getattr(request, "body_limit", None)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        # Tornado has not looked at Content-Length yet; what is no number it refuses itself.
        declared = headers.get("Content-Length", "")
        if declared not in ("", "0") or "Transfer-Encoding" in headers:
            # A timer of our own: Tornado's costs a short body as much as parsing it.
            self._timer = asyncio.get_running_loop().call_later(BODY_TIMEOUT_S, self._give_up)
        result = self._inner.headers_received(start_line, headers)
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > BODY_MAX_BYTES:
            self._refuse()
        return result

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._size_bytes += len(chunk)
        if self._size_bytes > DRAIN_MAX_BYTES:
            self._drained.set()
        if self.is_over:
            return None
        if self._size_bytes > BODY_MAX_BYTES:
            self._refuse()
            return None
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._end()
        if not self.is_over:
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._end()
        self._inner.on_connection_close()

    def _end(self) -> None:
        self._drained.set()
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection)
        connection.close()

    def _refuse(self) -> None:
        self.is_over = True
        self._inner.finish()  # runs the handler, which sees `is_over` and answers 413

    @property
    def is_draining(self) -> bool:
        """Whether the body was refused and the rest of it still comes in."""
        return self.is_over and not self._drained.is_set()

    async def drained(self) -> None:
        """Return when the body has ended, or enough of it was thrown away."""
        try:
            async with asyncio.timeout(DRAIN_MAX_S):
                await self._drained.wait()
        except TimeoutError:
            self._drained.set()
