"""The body of one request while it arrives: how large it may be, how long it may take, and when it ends."""

from __future__ import annotations

import asyncio

from tornado.httputil import HTTPHeaders, HTTPServerRequest

BODY_MAX_BYTES = 1024 * 1024  # the contract's limit
# A call that takes no body is sent `{}` by some clients; what is longer is refused unread.
NO_BODY_MAX_BYTES = 4 * 1024
# What is still read of a body that was refused, so that its sender sees the answer.
DRAIN_MAX_BYTES = 16 * 1024 * 1024
DRAIN_MAX_S = 2.0
STEP_BYTES = (
    64 * 1024
)  # in which memory is reserved for a body that does not tell its size; Tornado reads as much at once
BODY_TIMEOUT_S = 30.0  # for a body to arrive in full; then the connection is closed


class Body:
    """Counts what arrives. `declared_bytes` is None where the headers do not tell the size."""

    def __init__(self, request: HTTPServerRequest, headers: HTTPHeaders) -> None:
        declared = headers.get("Content-Length", "0")
        # Tornado has not read these headers yet; it refuses by itself what is no number.
        is_number = declared.isascii() and declared.isdigit() and "Transfer-Encoding" not in headers
        self.declared_bytes = int(declared[:20]) if is_number else None
        self.size_bytes = 0
        self.has_ended = self.declared_bytes == 0
        self._gone: asyncio.Event | None = None
        request.incoming_body = self  # type: ignore[attr-defined]

    @classmethod
    def of(cls, request: HTTPServerRequest) -> Body:
        """Return the body of that request."""
        body: Body = request.incoming_body  # type: ignore[attr-defined]
        return body

    def count(self, chunk: bytes) -> None:
        """Note that `chunk` arrived."""
        self.size_bytes += len(chunk)
        if self._gone is not None and self.size_bytes > DRAIN_MAX_BYTES:
            self._gone.set()

    def end(self) -> None:
        """Note that nothing more will come."""
        self.has_ended = True
        if self._gone is not None:
            self._gone.set()

    async def drained(self) -> None:
        """Return when the body has ended, or enough of it was thrown away."""
        if self.has_ended:
            return
        self._gone = asyncio.Event()
        try:
            async with asyncio.timeout(DRAIN_MAX_S):
                await self._gone.wait()
        except TimeoutError:
            return
