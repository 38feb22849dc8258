"""The files of the SQLite database that this process has open: whether their paths still lead to them.

On Unix a file that is deleted, renamed or replaced goes on taking what is written to it, and nobody
finds it there any more. One that was cut, or has another file's bytes, as after a `cp` over it, takes
what is written to it as well, until the log is copied into it: then it is neither the one nor the other.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from helpdesk.db.engine import Connection
from helpdesk.db.engines import write_ahead_log
from helpdesk.db.engines.data_lock import real_path
from helpdesk.errors import Unavailable
from helpdesk.problems import Problems

T = TypeVar("T")
log = logging.getLogger("helpdesk.db")

LOOK_EVERY_S = 1.0
_PLACE, _ACCESS = "data file place", "data file access"  # what `problems` calls them


class Content(NamedTuple):
    """How to read, past SQLite, what is in the files; in the thread that writes, which alone changes them."""

    header: Callable[[], bytes]
    """The first 100 bytes of the data file."""
    log_pages: Callable[[], int]


class OpenFiles:
    """Refuses work while a path does not lead to the file that was opened. For any thread.

    Once other bytes are in a file it refuses for good: nothing may be copied from the log any more.

    `on_lost_log` is called once when the log alone is gone: what is in it is lost unless the process
    ends in good order, for then SQLite copies it into the data file.
    """

    def __init__(
        self,
        database: Path,
        problems: Problems,
        *,
        on_lost_log: Callable[[], None],
        content: Content | None = None,
    ) -> None:
        """Note what is there; connections must have been opened just before."""
        self._data = os.fspath(database)  # as configured: a link that leads elsewhere is another file too
        self._others = tuple(os.fspath(path) for path in write_ahead_log.paths_of(real_path(database)))
        self._problems = problems
        self._on_lost_log = on_lost_log
        self._opened = {path: _identity(path) for path in (self._data, *self._others)}
        self._is_lost = False
        self._content = content
        self._first = content.header() if content else b""
        self._first_size = os.stat(self._data).st_size  # noqa: PTH116
        self.is_overwritten = False

    def look(self) -> None:
        """Compare all files with those that were opened, and whether they can be written; report what is wrong."""
        gone = [path for path in self._opened if self._is_gone(path)]
        if not gone and self._is_lost and not self.is_overwritten:
            self._is_lost = False
            self._problems.clear(_PLACE)
        if gone and not self._is_lost:
            self._is_lost = True
            self._report(gone)
        self._look_at_access()

    def _is_gone(self, path: str) -> bool:
        return _identity(path) != self._opened[path]

    def _report(self, gone: list[str]) -> None:
        """Say what is wrong: to the log with paths, to `problems`, which every client may read, without."""
        names = ", ".join(gone)
        if self._data in gone:
            log.critical(
                "%s no longer lead to the files that were opened; every request is refused until they do. While this "
                "process (%d) runs, files that were deleted can be copied from /proc/%d/fd",
                names,
                os.getpid(),
                os.getpid(),
            )
            message = (
                "The data file was deleted, moved or replaced; put it back, or stop the server and restore a backup"
            )
        else:
            log.critical("%s was deleted or replaced; the server stops, which saves what is in the log", names)
            message = "The write-ahead log was deleted or replaced; the server stops, which saves what is in it"
            self._on_lost_log()
        self._problems.report(_PLACE, message)

    def is_intact(self) -> bool:
        """Return whether each file is there and has what SQLite put into it; in the thread that writes."""
        if not self._is_lost and self._is_gone(self._data):
            self.look()
        if not self._is_lost and self._content is not None and self._has_other_bytes(self._content):
            self.is_overwritten = self._is_lost = True
            log.critical(
                "%s or its log was cut, or written over, as by a backup that was copied over it; every request is "
                "refused. Stop the server: it leaves the files as they are now",
                self._data,
            )
            self._problems.report(
                _PLACE, "The data file or its log was cut or written over; stop the server and restore a backup"
            )
        return not self._is_lost

    def _has_other_bytes(self, content: Content) -> bool:
        header = content.header()
        if len(header) < len(self._first) or not write_ahead_log.is_later_state(header, self._first):
            return True
        # It shrinks when somebody vacuums it, and says so then.
        size = os.stat(self._data).st_size  # noqa: PTH116
        is_cut = size < self._first_size and size < write_ahead_log.size_of(header)
        log_size = os.stat(self._others[0]).st_size  # noqa: PTH116
        return is_cut or log_size < write_ahead_log.log_size_of(header, content.log_pages())

    def _look_at_access(self) -> None:
        directory = os.fspath(Path(self._others[0]).parent)
        refused = [path for path in (self._data, *self._others, directory) if not os.access(path, os.W_OK)]
        if refused and not self._is_lost:
            self._problems.report(
                _ACCESS, "The data file, or a file beside it, cannot be written by the server's user; make it writable"
            )
        else:
            self._problems.clear(_ACCESS)

    def require(self) -> None:
        """Raise Unavailable when the last look found that the files are not those that were opened."""
        if self._is_lost:
            raise Unavailable("The database is not where it was; nothing was changed", retry_after_s=30)

    def guarded(self, fn: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """Return `fn` with a look at the data file before it, so that nothing is acknowledged that nobody can find."""

        def work(conn: Connection) -> T:
            if not self.is_intact():
                self.require()
            return fn(conn)

        return work


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (a path object costs as much as the call, and this is in every write)
    except OSError:
        return None
    return found.st_dev, found.st_ino
