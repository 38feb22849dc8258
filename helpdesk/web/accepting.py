"""Accepting connections, also when descriptors run out: a few are kept, to say so and to answer health."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

log = logging.getLogger("helpdesk.http")

ACCEPT_AT_ONCE = 128  # in one turn of the loop, so that open connections have theirs
PAUSE_S = 0.1
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Spares:
    """Descriptors held open, so that closing one makes room for a connection when there is none."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._held: list[int] = []
        self._refill()

    def _refill(self) -> None:
        try:
            while len(self._held) + self._taken < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return  # once more when the next is given back

    def take(self) -> bool:
        """Make room for one descriptor; False when all spares are taken."""
        if not self._held:
            self._refill()
        if not self._held:
            return False
        os.close(self._held.pop())
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Hold a descriptor again in the place of one that was closed."""
        self._taken -= 1
        self._refill()

    def close(self) -> None:
        """Let all go."""
        self._count = 0
        while self._held:
            os.close(self._held.pop())


class Acceptor:
    """Accepts from listening sockets and hands each connection to `handle`.

    `take_spare` frees a descriptor for a connection for which there is none, and `is_ready` is asked
    before each one; while either says no, accepting pauses and clients wait in the queue of the
    kernel. Without the pause the loop would spin: a socket stays readable while its queue is not empty.
    """

    def __init__(
        self,
        handle: Callable[[socket.socket, Any, bool], None],
        *,
        is_ready: Callable[[], bool],
        take_spare: Callable[[], bool],
        give_back_spare: Callable[[], None],
    ) -> None:
        self._handle = handle  # its last argument: whether a spare descriptor was taken for this connection
        self._is_ready = is_ready
        self._take_spare = take_spare
        self._give_back_spare = give_back_spare
        self._listening: set[socket.socket] = set()
        self._resuming: asyncio.TimerHandle | None = None

    def add(self, listening: socket.socket) -> Callable[[], None]:
        """Accept from that socket until the function that this returns is called."""
        self._listening.add(listening)
        asyncio.get_running_loop().add_reader(listening, self._accept_some, listening)
        return lambda: self._remove(listening)

    def _remove(self, listening: socket.socket) -> None:
        self._listening.discard(listening)
        asyncio.get_running_loop().remove_reader(listening)
        if not self._listening and self._resuming is not None:
            self._resuming.cancel()

    def accept_rest(self) -> None:
        """Accept what waits in the queues: closing a socket resets those connections."""
        for listening in self._listening:
            self._accept_some(listening)

    def _accept_some(self, listening: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            if not self._is_ready():
                return self._pause()
            try:
                connection, address, has_spare = self._accept(listening)
            except (BlockingIOError, ConnectionAbortedError):
                return None
            except OSError as error:
                log.warning("accepting pauses: %s", error.strerror, extra={"cause": "accept"})
                return self._pause()
            self._handle(connection, address, has_spare)
        return None

    def _accept(self, listening: socket.socket) -> tuple[socket.socket, Any, bool]:
        """Accept a connection, with a spare descriptor if there is no other."""
        try:
            return *listening.accept(), False
        except OSError as error:
            if error.errno not in SHORTAGES or not self._take_spare():
                raise
        try:
            return *listening.accept(), True
        except OSError:
            self._give_back_spare()
            raise

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            loop.remove_reader(listening)
        if self._resuming is None:
            self._resuming = loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            loop.add_reader(listening, self._accept_some, listening)
