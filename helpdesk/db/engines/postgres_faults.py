"""What PostgreSQL's errors mean: to the caller who is refused, to the log, and to health."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from helpdesk.db.engines.parts import Parts
from helpdesk.db.engines.postgres_connection import is_store_fault, is_timed_out, reason, sqlstate
from helpdesk.errors import DatabaseAway, TooSlow, Unavailable
from helpdesk.problems import Problems

log = logging.getLogger("helpdesk.db")

CLEAR_AFTER_S = 1.0
CLEAR_READS_AFTER_S = 300.0  # a damaged page or a wrong statement fails among many reads that do not

# SQLSTATEs (PostgreSQL's manual, appendix A).
_DISK_FULL, _OUT_OF_MEMORY, _READ_ONLY = "53100", "53200", "25006"
_DAMAGED = frozenset({"XX001", "XX002"})
_IO_ERRORS = frozenset({"58030", "58P01"})
_WRONG_STATEMENT = "42"  # the class: a table or column that is not there, a right that is missing


class Faults:
    """Logs the faults of one PostgreSQL database, and reports to `problems` those that leave part of it working.

    Of a database that is away altogether health says so by itself. For any thread.
    """

    def __init__(self, problems: Problems, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._problems = problems
        self._parts = Parts(problems, monotonic)

    def refusal(self, error: DBAPIError, *, is_write: bool) -> Exception:
        """Note the fault; what its caller gets: Unavailable, or `error` itself where the statement is at fault."""
        if is_timed_out(error):
            return TooSlow()
        self._note(sqlstate(error), "writes" if is_write else "reads")
        if not is_store_fault(error):
            return error
        cause = f"{sqlstate(error) or type(error.orig).__name__}: {reason(error)}"
        log.warning(
            "the database does not answer: %s", cause, extra={"cause": f"the database does not answer, {cause}"}
        )
        if sqlstate(error) == _DISK_FULL:
            return Unavailable("The database's disk has no room; nothing was changed", cause=cause)
        return DatabaseAway(cause=cause)

    def _note(self, state: str, part: str) -> None:
        if state in _DAMAGED:
            self._problems.report("data", f"PostgreSQL finds damaged data ({state}); its log names the table")
        elif state == _DISK_FULL:
            self._parts.failed(part, "The disk of PostgreSQL is full; writes go on when there is room")
        elif state == _OUT_OF_MEMORY:
            self._parts.failed(part, "PostgreSQL is out of memory")
        elif state.startswith(_WRONG_STATEMENT):  # other writes say nothing about the one that does not work
            self._parts.failed("statements", "A statement fails, as when a table was changed; the log has it")
        elif state in _IO_ERRORS or state == _READ_ONLY:
            self._parts.failed(part, f"{part.capitalize()} fail ({state}); the log has the cause")

    def wrote(self) -> None:
        """Note that a transaction has changed something."""
        self._parts.works("writes", after_s=CLEAR_AFTER_S)

    def has_read(self) -> None:
        """Note that a read has succeeded."""
        self._parts.works("reads", after_s=CLEAR_READS_AFTER_S)
        self._parts.works("statements", after_s=CLEAR_READS_AFTER_S)

    def connected(self) -> None:
        """Note that a connection was there to be used."""
        self._parts.works("connections", after_s=CLEAR_AFTER_S)

    def not_connected(self, error: DBAPIError) -> Unavailable:
        """Note that PostgreSQL gave no connection; the refusal of who does not wait for one."""
        self._parts.failed("connections", "PostgreSQL accepts too few connections, or none; the log has its reason")
        cause = f"no connection to the database: {reason(error)}"
        log.warning("%s", cause, extra={"cause": cause})
        return DatabaseAway(cause=cause)
