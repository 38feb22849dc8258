"""The database as the rest of the program sees it: `read(fn)`, `write(fn)`, and what a commit touched.

Both take a plain function of one connection and run it off the event loop in one transaction; domain
code stays synchronous and a request crosses a thread once, not once per statement.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Row

T = TypeVar("T")
# What a commit changed: the ids of each noun. A token's is its digest; "access" has the users whose role
# changed, or who were deactivated or activated.
Noun = Literal["ticket", "user", "token", "entry", "access"]
Touched = dict[Noun, set[object]]
CommitListener = Callable[[Touched], None]
# What runs without a request, until it is cancelled; it calls its argument each time that it has done its work.
Job = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
STRIPES = 64
# Statements that an engine keeps compiled, and half as many again before it drops some. A list's has about 60 KB, and
# clients make hundreds by combining filters: at SQLAlchemy's 500 they took 60 MB, each compiled again 1 to 2 ms.
COMPILED_MAX = 150
# What one read may take, whoever asks for what: a filter that no index serves must not hold a lane.
READ_WITHIN_S = 2.0
SLOW_READ_WITHIN_S = 10.0  # searches and reports

__all__ = [
    "COMPILED_MAX",
    "READ_WITHIN_S",
    "SLOW_READ_WITHIN_S",
    "CommitListener",
    "Connection",
    "Database",
    "Job",
    "Noun",
    "Touched",
    "forget",
    "is_sqlite",
    "new_id",
    "noted",
    "row_as",
    "stripe",
    "take_touched",
    "touch",
]


class Database(Protocol):
    is_shared: bool
    """Whether other processes write to it too: then nothing that was read may be kept in memory."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """`fn`'s result, from one consistent snapshot.

        Raises Unavailable when the store cannot answer, TooSlow after READ_WITHIN_S, and whatever `fn` raises.
        """
        ...

    async def read_slowly(self, fn: Callable[[Connection], T]) -> T:
        """As `read` within SLOW_READ_WITHIN_S, in a lane of its own, so that short reads never wait for it."""
        ...

    async def read_promptly(self, fn: Callable[[Connection], T]) -> T:
        """As `read`, for jobs and health: no overload refuses or delays it."""
        ...

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """`fn`'s result, once all that it wrote is durable.

        `fn` may run again after a conflict, so it must have no effect but on its connection. Raises
        Unavailable when the store cannot answer, and whatever `fn` raises, with nothing written.
        """
        ...

    async def write_promptly(self, fn: Callable[[Connection], T]) -> T:
        """As `write`, for jobs and health: no overload refuses or delays it."""
        ...

    def require_store(self) -> None:
        """Raise Unavailable when nothing may be answered, not even from memory: the store is not the one opened."""
        ...

    async def ping(self) -> None:
        """Return when both reading and writing work; raise Unavailable when they do not."""
        ...

    def on_commit(self, listener: CommitListener) -> None:
        """Call `listener`, on the event loop, after each commit and before its callers go on."""
        ...

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Run the body in one process at a time, for example to seed an empty database.

        Raises Unavailable when the store cannot answer, or another process does not come to an end.
        """
        ...

    def jobs(self) -> dict[str, Job]:
        """Return what must run in the background while the database is open, by name."""
        ...

    async def close(self) -> None:
        """Finish what was handed over, then let go of the database."""
        ...


def is_sqlite(conn: Connection) -> bool:
    """Whether this is the embedded database, where one thread of one process writes and nobody beside it."""
    return conn.dialect.name == "sqlite"


def stripe(conn: Connection) -> int:
    """A small number that connections which write at the same time seldom share; 0 where only one writes."""
    return 0 if is_sqlite(conn) else conn.connection.dbapi_connection.info.backend_pid % STRIPES  # type: ignore[union-attr]


def touch(conn: Connection, noun: Noun, key: object) -> None:
    """Note that this transaction changes `noun` `key`; listeners hear of it after the commit."""
    conn.info.setdefault("touched", {}).setdefault(noun, set()).add(key)


def take_touched(conn: Connection) -> Touched:
    """Return all that was noted since the last call, and note it no more."""
    noted: Touched = conn.info.pop("touched", {})
    return noted


def noted(conn: Connection) -> Touched:
    """What this transaction has changed so far."""
    return {noun: set(keys) for noun, keys in conn.info.get("touched", {}).items()}


def forget(conn: Connection, *, but: Touched | None = None) -> None:
    """Drop all that was noted in a transaction that is rolled back, or back to what it had changed `but`."""
    conn.info.clear()
    if but:
        conn.info["touched"] = but


def row_as(kind: type[T], row: Row[*tuple[Any, ...]]) -> T:
    """A row as a typed value whose fields stand in the order of the statement's columns."""
    return kind(*row)


def new_id(result: CursorResult[*tuple[Any, ...]]) -> int:
    """The id that an INSERT of one row was given."""
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])
