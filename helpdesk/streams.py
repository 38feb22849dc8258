"""Open event streams: each reader's queue of encoded events."""

from __future__ import annotations

import asyncio
from collections import deque

from helpdesk.domain.access import Actor

BACKLOG_MAX = 256  # events that a stream may lag behind before it is cut off


class Stream:
    """One reader's queue of encoded events. `is_open` turns False when the hub is done with it."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.is_open = True
        self._backlog: deque[bytes] = deque()
        self._changed = asyncio.Event()

    def push(self, event: bytes) -> None:
        """Queue an event, or close the stream when it lags too far behind."""
        if len(self._backlog) >= BACKLOG_MAX:
            self.close()
            return
        self._backlog.append(event)
        self._changed.set()

    def close(self) -> None:
        """End the stream after what it is sending now."""
        self.is_open = False
        self._backlog.clear()
        self._changed.set()

    async def next(self, timeout_s: float) -> bytes:
        """What is queued, or nothing after `timeout_s` or when the stream has closed."""
        if not self._backlog and self.is_open:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return b""
        queued = b"".join(self._backlog)
        self._backlog.clear()
        return queued
