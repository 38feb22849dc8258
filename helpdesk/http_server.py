"""Tornado's HTTP server with our error shape and an orderly end; nothing about paths."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from helpdesk.app import make_app, unparsable_message
from helpdesk.desk import Desk

log = logging.getLogger("helpdesk")

IDLE_TIMEOUT_S = 75.0  # for the next request on a connection that is kept open
MAX_HEADER_BYTES = 64 * 1024
_TORNADO_400 = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Server(HTTPServer):
    """Tornado's server, with our error shape where Tornado answers by itself."""

    def __init__(self, desk: Desk) -> None:
        """Tornado configures a server in `initialize`, with these arguments."""

    def initialize(self, desk: Desk) -> None:  # type: ignore[override]
        self._desk = desk
        super().initialize(
            make_app(desk),
            idle_connection_timeout=IDLE_TIMEOUT_S,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=2**60,  # BodyLimit does this, with an answer in our shape
        )

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        # A message that Tornado cannot parse never reaches a handler: its connection writes a bare
        # status line. Here is the one place to put an answer in its stead.
        write = stream.write
        stream.write = lambda data: write(unparsable_message() if data == _TORNADO_400 else data)  # type: ignore[method-assign]
        super().handle_stream(stream, address)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let the requests in hand finish, close what is idle."""
        self.stop()
        try:
            async with asyncio.timeout(timeout_s):
                while self._busy():  # noqa: ASYNC110 (idle sockets tell nobody that they are idle)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("requests still ran after %s s and were cut off", timeout_s)
        await self.close_all_connections()

    def _busy(self) -> bool:
        return self._desk.in_hand > 0 or any(conn.stream.writing() for conn in self._connections)
