"""Tornado's HTTP server with our error shape and an orderly end; nothing about paths."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from tornado.httpserver import HTTPServer

from helpdesk.app import make_app, unparsable_message
from helpdesk.client_stream import ClientStream
from helpdesk.desk import Desk

log = logging.getLogger("helpdesk")

IDLE_TIMEOUT_S = 75.0  # for the next request on a connection that is kept open
MAX_HEADER_BYTES = 64 * 1024


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

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        self.handle_stream(ClientStream(connection, unparsable_message), address)

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
