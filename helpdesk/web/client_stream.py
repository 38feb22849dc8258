"""The byte stream of one client's connection, for HTTP that proxies and small devices send and Tornado does not take.

Tornado's stream closes a connection whose client has closed its sending side, with the answer unsent
(RFC 9112, section 9.6), and its HTTP knows neither chunk extensions nor trailers (section 7.1) nor
several empty lines before a request (section 2.2). All of it is put right here, below Tornado's HTTP.
"""

from __future__ import annotations

import asyncio
import re
import socket
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from helpdesk.errors import AppError
from helpdesk.limits.admission import HeldMemory

SHORT_HEAD_BYTES = 8 * 1024  # is not counted
LONG_HEAD_BYTES = 64 * 1024  # the longest, which is what a longer one counts as
CHUNK_LINE_MAX_BYTES = 1024  # a chunk's size and its extensions
CHUNKS_MAX = 4_096  # of a body: each costs 33 µs, so that 1 MiB in single bytes took 30 s
EXTENSIONS_MAX_BYTES = 16 * 1024  # of all chunks of a body together
TRAILERS_MAX_BYTES = 8 * 1024

_TORNADO_400 = b"HTTP/1.1 400 Bad Request\r\n\r\n"
# The end of a head, but not the empty lines before its first line.
_END_OF_HEAD = re.compile(rb"(?<=[^\r\n])\r?\n\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*))?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")
_BAD_LINE = b"?\r\n"  # neither a chunk's size nor the end of a body: Tornado answers 400


class ClientStream(IOStream):
    """A connection that a client opened.

    `unparsable` gives the answer to a message that is no HTTP, and `refused` to one that is refused
    before it can be read; heads that are long and not there yet take their memory from `unfinished`.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        unparsable: Callable[[], bytes],
        refused: Callable[[AppError], bytes],
        unfinished: HeldMemory,
    ) -> None:
        super().__init__(connection)
        self._unparsable = unparsable
        self._refused = refused
        self._unfinished = unfinished
        self._has_long_head = False
        self._is_half_closed = False
        self._is_after_last_chunk = False
        self._chunks = 0
        self._extensions_bytes = 0
        self.ends_with_client = False  # whether a client that has closed its sending side wants no answer
        self.is_busy = False  # whether a request of it is being received or answered
        self.opened_at = asyncio.get_running_loop().time()
        self.address_key: str | None = None  # what limits count it as; None for a trusted proxy
        self.refusal: AppError | None = None  # what its requests get: it is one connection too many

    def write(self, data: bytes | memoryview) -> Future[None]:
        # A message that Tornado cannot parse never reaches a handler: its connection writes a bare
        # status line. Here is the one place to put an answer in its stead.
        return super().write(self._unparsable() if data == _TORNADO_400 else data)

    def written(self) -> Future[None]:
        """Return what is done when everything that was given to `write` is written, or the connection closed."""
        return super().write(b"")

    @property
    def unsent_bytes(self) -> int:
        """How much the client has not taken of what was written."""
        return len(self._write_buffer) if self.writing() else 0

    def close_when_written(self) -> None:
        """Close once everything is written that was given to `write`."""
        if not self.closed():
            self.written().add_done_callback(lambda _: self.close())

    # A client that has closed its sending side.

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        if count == 0 and not self.reading() and not self.ends_with_client:
            # Nobody waits for more of this request; the next read finds the end again, and closes.
            self._is_half_closed = True
            return None
        is_in_head = self._read_regex is not None  # which Tornado's HTTP reads heads by, and nothing else
        if count and is_in_head and not self._has_long_head and self._read_buffer_size + count > SHORT_HEAD_BYTES:
            return count if self._hold_long_head() else 0
        return count

    def _check_max_bytes(self, delimiter: Any, size: int) -> None:
        """Tornado closes the connection over a head that is too long; it is answered first."""
        is_too_long = self._read_max_bytes is not None and size > self._read_max_bytes
        if is_too_long and self._read_regex is not None:
            super().write(self._unparsable())
        super()._check_max_bytes(delimiter, size)

    def _hold_long_head(self) -> bool:
        """Reserve memory until the head has been read; without it say so, and whether there was any."""
        address = self.address_key or "trusted proxies"
        try:
            self._unfinished.reserve(address, LONG_HEAD_BYTES)
        except AppError as refusal:
            super().write(self._refused(refusal))
            return False
        self._has_long_head = True

        def release(_: Future[bytes]) -> None:
            self._has_long_head = False
            self._unfinished.release(address, LONG_HEAD_BYTES)

        assert self._read_future is not None
        self._read_future.add_done_callback(release)
        return True

    def _handle_events(self, fd: Any, events: int) -> None:
        super()._handle_events(fd, events)
        if self._is_half_closed and not self.closed() and self._state is not None and not self.reading():
            # The end of what is sent stays readable: the loop would spin until the answer is ready.
            self._state &= ~IOLoop.READ
            self.io_loop.update_handler(self.fileno(), self._state)

    def _maybe_add_error_listener(self) -> None:
        if not self._is_half_closed:
            super()._maybe_add_error_listener()

    # A body in chunks.

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the head of a request, which is all that Tornado's HTTP uses this for.

        Nobody gets an answer on a closed connection: requests that came before it was closed are left alone. Tornado
        would begin them all at once.
        """
        if self.closed():
            raise StreamClosedError(real_error=self.error)
        self._is_after_last_chunk = False
        self._chunks = self._extensions_bytes = 0
        return super().read_until_regex(_END_OF_HEAD, max_bytes)  # type: ignore[arg-type]

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the line before a chunk, which is all that Tornado's HTTP uses this for, without its extensions."""
        line = super().read_until(delimiter, CHUNK_LINE_MAX_BYTES)
        return _mapped(line, self._without_extensions)

    def _without_extensions(self, line: bytes) -> bytes:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            return _BAD_LINE
        self._chunks += 1
        self._extensions_bytes += len(match[2] or b"")
        if self._chunks > CHUNKS_MAX or self._extensions_bytes > EXTENSIONS_MAX_BYTES:
            return _BAD_LINE
        self._is_after_last_chunk = not match[1].strip(b"0")
        return match[1] + b"\r\n"

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Read a part of a body; after the last chunk, where Tornado expects an empty line, the trailers with it."""
        read = super().read_bytes(num_bytes, partial)
        if not self._is_after_last_chunk or (isinstance(read, Future) and _is_empty_line(read)):
            return read
        self._is_after_last_chunk = False
        return asyncio.ensure_future(self._end_of_trailers(read))

    async def _end_of_trailers(self, start: Awaitable[bytes]) -> bytes:
        """Throw the trailers away: none means anything here."""
        line = await start
        size_bytes = 0
        while line != b"\r\n" and size_bytes <= TRAILERS_MAX_BYTES:
            if not line.endswith(b"\r\n"):
                line += await super().read_until(b"\r\n", TRAILERS_MAX_BYTES)
            if not _TRAILER.fullmatch(line):
                return _BAD_LINE[:2]
            size_bytes += len(line)
            line = await super().read_bytes(2)
        return line


def _is_empty_line(read: Future[bytes]) -> bool:
    return read.done() and read.exception() is None and read.result() == b"\r\n"


def _mapped(source: Awaitable[bytes], change: Callable[[bytes], bytes]) -> Future[bytes]:
    """What `source` gives, changed; done at once where that is done, since Tornado gathers small chunks by it."""
    assert isinstance(source, Future)
    given: Future[bytes] = asyncio.get_running_loop().create_future()

    def pass_on(read: Future[bytes]) -> None:
        if given.cancelled():
            return
        error = read.exception()
        if error is not None:
            given.set_exception(error)
            given.exception()  # whoever waits gets it; nobody may
        else:
            given.set_result(change(read.result()))

    if source.done():
        pass_on(source)
    else:
        source.add_done_callback(pass_on)
    return given
