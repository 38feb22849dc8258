"""The lanes of a PostgreSQL database: threads with a connection each, and a limit on how long their callers wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from helpdesk.db.engines import postgres_connection
from helpdesk.db.engines.postgres_connection import STATEMENT_TIMEOUT_S
from helpdesk.db.engines.postgres_connector import Connector
from helpdesk.db.engines.postgres_faults import Faults
from helpdesk.db.row_locks import BRIEF_WAIT_S, limited
from helpdesk.errors import Overloaded, Unavailable
from helpdesk.lanes import WAIT_S, Lane

T = TypeVar("T")

WAITING_MAX = 1024  # pieces of work waiting in one lane; past that the answer is 503
# On top of a statement's own time: then the caller is answered, whatever the thread still waits for.
LATE_READ_S, LATE_WRITE_S = 1, 5


class Connections:
    """A lane of threads with a connection each, and a limit on how long their callers wait."""

    def __init__(
        self, name: str, connector: Connector, threads: int, *, answer_within_s: float, is_prompt: bool
    ) -> None:
        self._connector = connector
        self._answer_within_s = answer_within_s
        limits: dict[str, Any] = {} if is_prompt else {"length_max": WAITING_MAX, "refusal": Overloaded}
        self._lane: Lane[Connector] = Lane(name, [connector] * threads, **limits)

    async def do(self, work: Callable[[Connector], T], refusal: Callable[[], Unavailable]) -> T:
        """`work`'s result. Raises Unavailable when too much waits, and `refusal()` when it takes too long."""
        future = self._lane.submit(work)
        future.add_done_callback(_look_at)
        try:
            async with asyncio.timeout(self._answer_within_s):
                # Shielded: a caller who leaves does not undo what a thread is doing.
                return await asyncio.shield(future)
        except TimeoutError:
            raise refusal() from None

    def open_one(self) -> None:
        """Open a connection soon, and keep it: at the first use there may be none left. A failure is noted, no more."""
        self._lane.submit(_open).add_done_callback(_look_at)

    def close(self) -> None:
        """Finish what was handed over; blocks until it is done."""
        self._lane.stop()
        self._lane.join()
        self._connector.dispose()


def _open(connector: Connector) -> None:
    with connector.connection():
        pass


def _look_at(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # seen, or asyncio would log that nobody has


def that_read(
    url: str, faults: Faults, threads: int, within_s: float, *, is_prompt: bool = False, plan_by_values: bool = False
) -> Connections:
    """Return a lane for statements of at most `within_s`. A prompt one refuses nothing because too much waits."""
    engine = postgres_connection.open_engine(
        url, connections=threads, read_only=True, timeout_s=within_s, plan_by_values=plan_by_values
    )
    answer_within_s = WAIT_S + within_s + LATE_READ_S
    connector = Connector(engine, faults)
    return Connections("postgres-reader", connector, threads, answer_within_s=answer_within_s, is_prompt=is_prompt)


def that_write(url: str, faults: Faults, threads: int, *, is_prompt: bool = False) -> Connections:
    """Return a lane for transactions that write, likewise."""
    if is_prompt:
        engine = postgres_connection.open_engine(url, connections=threads)
    else:
        engine = limited(postgres_connection.open_engine(url, connections=threads, lock_timeout_s=BRIEF_WAIT_S))
    connector = Connector(engine, faults)
    answer_within_s = WAIT_S + STATEMENT_TIMEOUT_S + LATE_WRITE_S
    return Connections("postgres-writer", connector, threads, answer_within_s=answer_within_s, is_prompt=is_prompt)
