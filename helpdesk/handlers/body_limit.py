"""Bodies over the limit: answered with 413 at once, and never kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine

BODY_MAX_BYTES = 1024 * 1024  # the contract's limit
# What is still read of a body that was refused, so that its sender sees the answer.
DRAIN_MAX_BYTES = 16 * 1024 * 1024
DRAIN_MAX_S = 2.0


class BodyLimit(HTTPMessageDelegate):
    """Stands before Tornado's own delegate, counts the body, and cuts it off at the limit.

    Tornado's own limit answers with a bare 400 and resets the connection.
    """

    def __init__(self, inner: HTTPMessageDelegate, request: HTTPServerRequest) -> None:
        self._inner = inner
        self._size_bytes = 0
        self._drained = asyncio.Event()
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
        self._drained.set()
        if not self.is_over:
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._drained.set()
        self._inner.on_connection_close()

    def _refuse(self) -> None:
        self.is_over = True
        self._inner.finish()  # runs the handler, which sees `is_over` and answers 413

    async def drained(self) -> None:
        """Return when the body has ended, or enough of it was thrown away."""
        try:
            async with asyncio.timeout(DRAIN_MAX_S):
                await self._drained.wait()
        except TimeoutError:
            return
