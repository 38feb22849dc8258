"""Open event streams: the queue of each reader, and the limits on their number."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Iterator

from helpdesk.domain.access import Actor
from helpdesk.errors import RateLimited, Unavailable
from helpdesk.live.events import Missed

BACKLOG_MAX = 256  # events that may wait for a reader, what is being sent included
BACKLOG_MAX_BYTES = 1024 * 1024  # likewise
PIECE_BYTES = 64 * 1024  # handed to the connection at once; until then waiting events are shared by all streams
STREAMS_OF_ACCOUNT = 20
STREAMS_MAX = 4_000
DESCRIPTORS_SHARE = 0.75  # of the process's descriptors: the rest is for requests, the database and health
RETRY_AFTER_S = 10


class Stream:
    """One reader: the events that wait for it, and the entries that it has missed.

    `abort` closes its connection without waiting for what is being sent. There are thousands: a deque and an
    asyncio.Event for each would take 1.5 KB more.
    """

    __slots__ = (
        "_abort",
        "_backlog",
        "_backlog_bytes",
        "_sending",
        "_sending_bytes",
        "_waker",
        "actor",
        "after",
        "is_open",
        "missed",
    )

    def __init__(self, actor: Actor, abort: Callable[[], None] = lambda: None) -> None:
        self.actor = actor
        self.is_open = True
        self.missed: Missed | None = None  # what is to be replayed; None while it is not known, and when it is done
        self.after: int | None = None  # the entry after which the hub hands events out; None while that is replayed
        self._abort = abort
        self._backlog: list[bytes] = []
        self._backlog_bytes = 0
        self._sending = 0
        self._sending_bytes = 0
        self._waker: asyncio.Future[None] | None = None

    def push(self, event: bytes) -> None:
        """Queue an event, or cut the reader off when too much waits for it already."""
        events = len(self._backlog) + self._sending
        size_bytes = self._backlog_bytes + self._sending_bytes + len(event)
        if events >= BACKLOG_MAX or (events and size_bytes > BACKLOG_MAX_BYTES):
            self.close()
            return
        self._backlog.append(event)
        self._backlog_bytes += len(event)
        self._wake()

    def close(self) -> None:
        """End the stream. An event that a reader takes its time over is cut off in the middle; it will ask again."""
        if not self.is_open:
            return
        self.is_open = False
        self._backlog.clear()
        self._backlog_bytes = 0
        self._wake()
        if self._sending:
            self._abort()

    def fall_back(self) -> None:
        """Replay the next events from the database instead of pushing them."""
        assert self.after is not None
        self.missed, self.after = Missed(self.after), None
        self._wake()

    def has_waiting(self) -> bool:
        """Return whether events are queued that are not being sent yet."""
        return bool(self._backlog)

    async def wait(self, timeout_s: float) -> None:
        """Return when events wait or the stream has closed, and after `timeout_s` at the latest."""
        if self._backlog or not self.is_open:
            return
        waker = self._waker = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await waker
        except TimeoutError:
            return
        finally:
            self._waker = None

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def take(self) -> bytes:
        """Return the next waiting events, a piece of bounded size; they count as waiting until `sent`."""
        events = size_bytes = 0
        for event in self._backlog:
            if events and size_bytes + len(event) > PIECE_BYTES:
                break
            events += 1
            size_bytes += len(event)
        piece = b"".join(self._backlog[:events])
        del self._backlog[:events]
        self._backlog_bytes -= size_bytes
        self._sending += events
        self._sending_bytes += size_bytes
        return piece

    def replaying(self, events: bytes) -> bytes:
        """Count `events` that were replayed as being sent, and return them."""
        self._sending, self._sending_bytes = 1, len(events)
        return events

    def sent(self) -> None:
        """Note that the connection has passed on all that was taken."""
        self._sending = self._sending_bytes = 0


class Streams:
    """All open streams of this process, within their limits."""

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self._of_account: Counter[int] = Counter()

    def add(self, stream: Stream) -> None:
        """Add the stream. Raise RateLimited for too many of one account, Unavailable for too many in total."""
        account = stream.actor.id
        if self._of_account[account] >= STREAMS_OF_ACCOUNT:
            raise RateLimited(
                f"This account has {STREAMS_OF_ACCOUNT} open event streams; close one and try again",
                retry_after_s=RETRY_AFTER_S,
            )
        if len(self._open) >= _most():
            raise Unavailable("The server has no room for another event stream", retry_after_s=RETRY_AFTER_S)
        self._open.add(stream)
        self._of_account[account] += 1

    def discard(self, stream: Stream) -> None:
        """Close and remove the stream. Do nothing if it was removed before."""
        stream.close()
        if stream not in self._open:
            return
        self._open.discard(stream)
        self._of_account[stream.actor.id] -= 1
        if not self._of_account[stream.actor.id]:
            del self._of_account[stream.actor.id]

    def __iter__(self) -> Iterator[Stream]:
        """Iterate over a snapshot, since streams may come and go meanwhile."""
        return iter(list(self._open))

    def __len__(self) -> int:
        return len(self._open)


def _most() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return STREAMS_MAX
    return min(STREAMS_MAX, int(descriptors * DESCRIPTORS_SHARE))
