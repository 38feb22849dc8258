"""What SQLite's errors mean: to the caller who is refused, to the log, and to health."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from enum import Enum

from sqlalchemy.exc import DBAPIError

from helpdesk.db.engines.parts import Parts
from helpdesk.errors import OutcomeUnknown, Unavailable
from helpdesk.problems import Problems

log = logging.getLogger("helpdesk.db")

CLEAR_WRITES_AFTER_S = 1.0
# A damaged page or a wrong statement fails for those who ask for it, between many reads that do not.
CLEAR_READS_AFTER_S = 300.0

# Python's words for bytes that are no text; it gives them no code, and quotes what is stored.
_NO_TEXT = "Could not decode to UTF-8"

# Some commits more. The page that health writes may still find its place where an ordinary change does not.
ROOM_BYTES = 512 * 1024

_NOTHING_WRITTEN = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CONSTRAINT,
    }
)
_NOTHING_WRITTEN_IO = frozenset(
    {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}
)
_SYNC = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_NO_ROOM = _FULL | {sqlite3.SQLITE_IOERR_WRITE}  # the last also when a quota or a limit of the process is reached
_NOT_WRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class WriteRefused(Unavailable):
    """The store takes no writes; reads may go on."""


class CommitOutcome(Enum):
    """What a COMMIT that raised has left behind in the write-ahead log."""

    NOTHING = "nothing"
    """It failed before the last frame of the transaction was whole: SQLite has rolled back."""
    UNKNOWN = "unknown"
    """The transaction may be whole in the log. This process goes on without it and writes over it with its next
    commit; after a crash before that, it is there."""
    SYNC_FAILED = "sync failed"
    """Likewise, and the system may have dropped what it could not sync, and report it as clean from now on."""


def commit_outcome(error: BaseException) -> CommitOutcome:
    """Tell what the error of a COMMIT in WAL mode says about its outcome.

    SQLite writes the frames, syncs them, then enters them in the index in shared memory: an error of the index
    (SQLITE_IOERR_SHMSIZE, SQLITE_NOMEM, SQLITE_CORRUPT) comes after the transaction is whole and durable.
    """
    code = _code(error)
    if code in _SYNC:
        return CommitOutcome.SYNC_FAILED
    if code in _NOTHING_WRITTEN_IO or _primary(code) in _NOTHING_WRITTEN:
        return CommitOutcome.NOTHING
    return CommitOutcome.UNKNOWN


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error, where SQLAlchemy has wrapped it."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def is_interrupted(error: BaseException) -> bool:
    """Return whether a statement was stopped at its deadline."""
    return _code(error) == sqlite3.SQLITE_INTERRUPT


def is_store_fault(error: BaseException) -> bool:
    """Whether the store is at fault (disk full, I/O error, file locked or damaged), not our statement."""
    cause = driver_error(error)
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(
        cause, sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def is_no_room(error: BaseException) -> bool:
    """Return whether the disk is full, or a quota or limit of the process is reached; that may pass by itself."""
    return _code(error) in _NO_ROOM


def describe(error: BaseException) -> str:
    """Return the error in one line, without the values of its statement, and without what is stored."""
    if _is_no_text(error):
        return f"{error_name(error)}: a stored text is no UTF-8"  # in the same words for all: one cause
    return f"{error_name(error)}: {driver_error(error)}".partition("\n")[0]


def error_name(error: BaseException) -> str:
    """Return SQLite's name of the error, as SQLITE_IOERR_WRITE."""
    cause = driver_error(error)
    return getattr(cause, "sqlite_errorname", None) or type(cause).__name__


def _is_no_text(error: BaseException) -> bool:
    return str(driver_error(error)).startswith(_NO_TEXT)


def _code(error: BaseException) -> int:
    return int(getattr(driver_error(error), "sqlite_errorcode", None) or 0)


def _primary(code: int) -> int:
    return code & 0xFF


class Faults:
    """Logs the faults of one SQLite database, and keeps the parts of it that `problems` shows. For any thread."""

    def __init__(self, problems: Problems, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._problems = problems
        self._parts = Parts(problems, monotonic)

    def write_failed(self, error: BaseException) -> WriteRefused:
        """Note that a write failed and wrote nothing; the refusal of its caller."""
        return WriteRefused(f"{_for_callers(error)}; nothing was changed", cause=self._note("writes", "a write", error))

    def commit_unknown(self, error: BaseException) -> Unavailable:
        """Note that a COMMIT failed, and may have happened; the refusal of its callers."""
        return OutcomeUnknown(cause=self._note("writes", "a commit", error))

    def wrote(self) -> None:
        """Note that a commit has written something."""
        self._parts.works("writes", after_s=CLEAR_WRITES_AFTER_S)

    def note_room(self, free_bytes: int) -> None:
        """Note how much room the disk of the data file has."""
        if free_bytes < ROOM_BYTES:
            self._problems.report("disk", f"The disk of the data file has less than {ROOM_BYTES // 1024} KiB left")
        else:
            self._problems.clear("disk")

    def read_failed(self, error: BaseException) -> Unavailable:
        """Note that a read failed; the refusal of its caller."""
        return Unavailable(
            "The database cannot answer now; try again in a moment", cause=self._note("reads", "a read", error)
        )

    def has_read(self) -> None:
        """Note that a read has succeeded."""
        self._parts.works("reads", after_s=CLEAR_READS_AFTER_S)
        self._parts.works("statements", after_s=CLEAR_READS_AFTER_S)

    def _note(self, part: str, what: str, error: BaseException) -> str:
        cause = f"{what} failed ({describe(error)})"
        is_no_text = _is_no_text(error)
        # The traceback would quote the text.
        log.error("%s", cause, exc_info=None if is_no_text else error, extra={"cause": cause})
        code = _primary(_code(error))
        if code in _DAMAGED or is_no_text:
            self._problems.report(
                "data file", "The data file is damaged; stop the server and restore a backup (README)"
            )
        elif code == sqlite3.SQLITE_ERROR:  # other writes say nothing about the one that does not work
            self._parts.failed("statements", "A statement fails, as when a table was changed; the log has it")
        else:
            self._parts.failed(part, _for_operators(part, error))
        return cause


def _for_callers(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "The server is short of memory"
    if _code(error) in _FULL:
        return "The server's disk has no room"
    if is_no_room(error):
        return "The server's disk takes no writes"
    return "The database cannot be written now"


def _for_operators(part: str, error: BaseException) -> str:
    code, name = _code(error), error_name(error)
    if code in _FULL:
        return f"The disk of the data file has no room ({name}); writes go on when there is some"
    if is_no_room(error):
        return f"The disk of the data file takes no writes, for a quota or a fault ({name}); they go on when it does"
    if _primary(code) in _NOT_WRITABLE:
        return f"The data file cannot be opened for writing ({name}); check its owner, its mode and its file system"
    if _primary(code) == sqlite3.SQLITE_BUSY:
        return f"Another program holds the data file locked ({name}); end it"
    return f"{part.capitalize()} fail ({name}); the log has the cause"
