"""Turns on the event loop: only a few requests start in each of its rounds.

A round does one step of all that is ready, and a request takes four or five rounds. With 800 clients at once a round
takes so long that health answers late, or finds that the store does. What waits for its turn here costs a round
nothing, and health and the jobs need none.
"""

from __future__ import annotations

import asyncio
from collections import deque

from helpdesk.errors import Overloaded
from helpdesk.lanes import Queue, Queued

PER_ROUND = 8  # measured with 800 clients: health costs the loop 0.08 s of CPU, 0.3 s with 32, 0.9 s without a limit
WAITING_MAX = 8192  # more than there may be connections, each of which waits for one answer


class Turns:
    """Used on the event loop only."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = PER_ROUND
        self._has_begun = False  # whether this round has begun a request, or must
        self._queue = Queue(WAITING_MAX, Overloaded)
        self._line: deque[Queued] = deque()

    async def wait(self) -> None:
        """Return when the caller may go on: at once, but for an overload. Raises Unavailable after two seconds."""
        self._count_round()
        if self._left > 0:
            self._left -= 1
            return
        turn = Queued(self._loop.create_future())
        self._queue.add(turn)
        self._line.append(turn)
        await turn.future

    def _count_round(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._loop.call_soon(self._next_round)

    def _next_round(self) -> None:
        self._has_begun = False
        self._left = PER_ROUND
        while self._line and self._left:
            turn = self._line.popleft()
            if turn.start():
                turn.settle(None, None)
                self._left -= 1
        if self._left < PER_ROUND:
            self._count_round()
