"""Tornado's HTTP server with limits on connections, our error shape and an orderly end; nothing about paths."""

from __future__ import annotations

import asyncio
import copy
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer

from helpdesk.app import make_app, refusal_message, unparsable_message
from helpdesk.desk import Desk
from helpdesk.errors import AppError, Unavailable
from helpdesk.limits.admission import OVERFLOW_MAX, Connections, connection_limit
from helpdesk.web.accepting import Acceptor, Spares
from helpdesk.web.addresses import connection_key
from helpdesk.web.client_stream import ClientStream

log = logging.getLogger("helpdesk")

IDLE_TIMEOUT_S = 75.0  # for the next request on a connection that is kept open
OVERFLOW_TIMEOUT_S = 1.0  # for the one request of a connection past the limit
OVERFLOW_PATIENCE_S = 0.1  # after which such a connection makes room for the next one, if it has sent nothing
MAX_HEADER_BYTES = 64 * 1024
IDLE_DRAIN_SHARE = 0.6  # of the time for draining, after which connections without a request are closed
DRAIN_STEP_S = 0.02
CLOSE_S = 1.0  # for connections to end that are closed
PART = "client_connections"  # of the server, as health names it


class Server(HTTPServer):
    """Tornado's server for one desk.

    A connection past the limits is accepted into an overflow of OVERFLOW_MAX, where it may ask one
    thing: health is answered, anything else is 503 or 429. Its descriptor is one of the spares.
    """

    def __init__(self, desk: Desk) -> None:
        """Tornado configures a server in `initialize`, with these arguments."""

    def initialize(self, desk: Desk) -> None:  # type: ignore[override]
        self._desk = desk
        self._places = Connections(connection_limit())
        self._spares = Spares(OVERFLOW_MAX)
        self._overflow: dict[ClientStream, None] = {}  # the longest open one first
        self._acceptor = Acceptor(
            self._handle_connection,
            is_ready=self._is_ready,
            take_spare=self._take_spare,
            give_back_spare=self._spares.give_back,
        )
        super().initialize(
            make_app(desk),
            idle_connection_timeout=IDLE_TIMEOUT_S,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=2**60,  # RequestDelegate does this, with an answer in our shape
        )
        self._overflow_params = copy.copy(self.conn_params)
        self._overflow_params.header_timeout = OVERFLOW_TIMEOUT_S
        self._overflow_params.no_keep_alive = True

    # Accepting.

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections from those sockets."""
        for listening in sockets:
            self._sockets[listening.fileno()] = listening
            self._handlers[listening.fileno()] = self._acceptor.add(listening)

    def stop(self) -> None:
        """Accept no more, once those are accepted that wait."""
        if not self._stopped:
            self._acceptor.accept_rest()
            super().stop()
            self._spares.close()

    def _is_ready(self) -> bool:
        return not self._places.is_full or len(self._overflow) < OVERFLOW_MAX or self._evictable() is not None

    def _take_spare(self) -> bool:
        """Free a descriptor for a connection past the limit, if need be by closing one that has sent nothing."""
        if self._spares.take():
            return True
        evicted = self._evictable()
        if evicted is None:
            return False
        del self._overflow[evicted]  # so that its spare is not given back, but passed on
        evicted.close()
        return True

    def _evictable(self) -> ClientStream | None:
        """The overflow's longest idle connection."""
        since = asyncio.get_running_loop().time() - OVERFLOW_PATIENCE_S
        return next((stream for stream in self._overflow if not stream.is_busy and stream.opened_at < since), None)

    def _handle_connection(self, connection: socket.socket, address: Any, has_spare: bool = False) -> None:
        key = connection_key(str(address[0]), self._desk.config.trusted_proxies)
        refusal = self._places.refusal(key)
        if has_spare:
            self._desk.problems.report(PART, "no descriptors are left for connections; raise the limit of open files")
            refusal = Unavailable("The server is short of descriptors; try again soon")
        if refusal is not None and not has_spare and not self._take_spare():
            connection.close()
            return
        stream = ClientStream(
            connection,
            unparsable=unparsable_message,
            refused=refusal_message,
            unfinished=self._desk.unfinished,
        )
        stream.address_key = key
        if refusal is None:
            self._places.enter(key)
            self.handle_stream(stream, address)
        else:
            self._handle_overflow(stream, address, refusal)

    def _handle_overflow(self, stream: ClientStream, address: Any, refusal: AppError) -> None:
        if self._places.is_full:
            self._desk.problems.report(PART, f"all {self._places.limit} connections are taken; more are refused")
        stream.refusal = refusal
        self._overflow[stream] = None
        params, self.conn_params = self.conn_params, self._overflow_params
        try:
            self.handle_stream(stream, address)
        finally:
            self.conn_params = params

    def on_close(self, server_conn: object) -> None:
        """Free the place of a connection that has ended."""
        super().on_close(server_conn)
        assert isinstance(server_conn, HTTP1ServerConnection)
        stream = server_conn.stream
        assert isinstance(stream, ClientStream)
        if stream.refusal is None:
            self._places.leave(stream.address_key)
            if not self._overflow and not self._places.is_full:
                self._desk.problems.clear(PART)
        elif stream in self._overflow:
            del self._overflow[stream]
            self._spares.give_back()

    # Stopping.

    async def drain(self, timeout_s: float) -> None:
        """Accept nothing new, answer what comes on open connections, and end when they are closed or time is over.

        Clients that keep connections may be sending a request on one that looks idle: it is answered,
        with `Connection: close`, and only in the last part of the time are idle ones closed.
        """
        self.stop()
        self.conn_params.no_keep_alive = True
        loop = asyncio.get_running_loop()
        started = loop.time()
        if self._connections:
            count = len(self._connections)
            log.info("stopping: %s open connections get their answers; a second signal ends it at once", count)
        while self._connections and (passed_s := loop.time() - started) < timeout_s:
            self._desk.hub.close_all()  # also streams that were being opened a moment ago
            if passed_s > IDLE_DRAIN_SHARE * timeout_s:
                self._close_connections(only_idle=True)
            await asyncio.sleep(DRAIN_STEP_S)
        if any(stream.is_busy for stream in self._streams()):
            log.warning("requests still ran after %s s and were cut off", timeout_s)
        self._close_connections(only_idle=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.close_all_connections()

    def _close_connections(self, *, only_idle: bool) -> None:
        """Close connections all in one step, so that none of them reads another request meanwhile."""
        for stream in self._streams():
            if not (only_idle and stream.is_busy):
                stream.close()

    def _streams(self) -> list[ClientStream]:
        streams = [connection.stream for connection in self._connections]
        return [stream for stream in streams if isinstance(stream, ClientStream)]
