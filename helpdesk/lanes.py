"""Threads behind a queue that is bounded in length and in time.

What has waited WAIT_S is refused instead of being done late: by then its caller has given up, and doing
it would only delay those behind it.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from helpdesk.errors import AppError

T = TypeVar("T")
W = TypeVar("W")

WAIT_S = 2.0


class Queued:
    """One piece of work in a queue: a thread starts it, or the queue refuses it; never both."""

    __slots__ = ("_taken", "future", "start_by")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self.start_by = math.inf  # on the monotonic clock
        self._taken = threading.Lock()

    def take(self) -> bool:
        """Return True to the first who asks."""
        return self._taken.acquire(blocking=False)

    def start(self) -> bool:
        """Return whether the calling thread is to do it now: nobody has taken it, and it is not too late."""
        return time.monotonic() < self.start_by and self.take()

    @property
    def is_taken(self) -> bool:
        return self._taken.locked()

    def settle(self, outcome: Any, error: BaseException | None) -> None:
        """Answer the caller, on the event loop."""
        if self.future.done():
            return  # the caller was cancelled
        if isinstance(error, StopIteration):
            error = RuntimeError(f"the work raised {error!r}")  # a future takes none: its caller would wait for ever
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(outcome)


class Queue:
    """Holds what waits for threads; refuses what is too much or has waited too long. Used on the event loop only."""

    def __init__(self, length_max: int, refusal: Callable[[], AppError]) -> None:
        self._loop = asyncio.get_running_loop()
        self._length_max = length_max
        self._refusal = refusal
        self._waiting: deque[Queued] = deque()  # the oldest first; those already taken go when they come to the front
        self._is_timed = False

    def add(self, work: Queued) -> None:
        """Let `work` wait. Raises the refusal when too much waits already."""
        self._drop_taken()
        if len(self._waiting) >= self._length_max:
            raise self._refusal()
        work.start_by = time.monotonic() + WAIT_S
        self._waiting.append(work)
        self._set_timer()

    def _drop_taken(self) -> None:
        while self._waiting and self._waiting[0].is_taken:
            self._waiting.popleft()

    def _set_timer(self) -> None:
        # One for all that waits: a timer for each would cost a read a tenth of its time.
        if self._waiting and not self._is_timed:
            self._is_timed = True
            self._loop.call_at(self._waiting[0].start_by, self._refuse_late)

    def _refuse_late(self) -> None:
        self._is_timed = False
        self._drop_taken()
        now = time.monotonic()
        while self._waiting and self._waiting[0].start_by <= now:
            work = self._waiting.popleft()
            if work.take():
                work.settle(None, self._refusal())
        self._drop_taken()
        self._set_timer()


class _Job(Queued):
    __slots__ = ("work",)

    def __init__(self, work: Callable[[Any], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(future)
        self.work = work


class Lane(Generic[W]):
    """A thread for each of `workers`, which are what the work is done with: a connection, an engine, nothing.

    Not a ThreadPoolExecutor: its two futures for each call cost 18 µs of CPU, this 9 µs. With no
    `refusal`, work waits as long as it must.
    """

    def __init__(
        self,
        name: str,
        workers: Sequence[W],
        *,
        length_max: int = 0,
        refusal: Callable[[], AppError] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue = Queue(length_max, refusal) if refusal else None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(worker,), name=f"{name}-{number}", daemon=True)
            for number, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[W], T]) -> asyncio.Future[T]:
        """Hand `work` over to a thread. Raises the refusal when too much waits."""
        job = _Job(work, self._loop.create_future())
        if self._queue is not None:
            self._queue.add(job)
        self._jobs.put(job)
        return job.future

    async def do(self, work: Callable[[W], T]) -> T:
        """Return `work`'s result. Raises the refusal, and whatever `work` raises."""
        return await self.submit(work)

    def stop(self) -> None:
        """Let the threads end after what was handed over; nothing may be handed over any more."""
        for _ in self._threads:
            self._jobs.put(None)

    def join(self) -> None:
        """Wait until the threads have ended; blocks."""
        for thread in self._threads:
            thread.join()

    # In a thread.

    def _run(self, worker: W) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.start():
                continue
            outcome, error = None, None
            try:
                outcome = job.work(worker)
            except BaseException as raised:  # noqa: BLE001 (whatever it is, its caller gets it)
                error = raised
            if self._loop.is_closed():
                return  # the server ended without waiting
            self._loop.call_soon_threadsafe(job.settle, outcome, error)
            del job, outcome, error  # or the last answer stays in memory until the next request
