"""The locks that keep a second process off a SQLite database."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from helpdesk.errors import StartError


class InUse(StartError):
    """Another process has the database."""

    def __init__(self, database: Path) -> None:
        super().__init__(
            f"another server is using {database}", server_advice="stop it, or start this one with another --data-dir"
        )


class DataLock:
    """Holds the data file and `<database>.lock` for this process, until `release` or the end of the process.

    The data file is locked itself, so that neither a deleted lock file nor another name of the file
    (a hard link) lets a second process in. The lock file holds off a server on a file that was put
    in the place of this one, and the releases that lock nothing else.

    `flock` and the `fcntl` locks that SQLite takes do not see each other on a local file system. But
    closing any descriptor of a file drops the `fcntl` locks that its process holds on it: the data
    file must not be opened and closed beside SQLite, which is why `header` reads by this descriptor.
    """

    def __init__(self, database: Path) -> None:
        """Raise InUse when another process holds one of them, OSError when the database cannot be opened."""
        self._held: list[int] = []
        real = real_path(database)
        try:
            # The data file first: who is refused by it has made no lock file.
            self._data = self._hold(real, os.O_RDONLY | os.O_NONBLOCK, database)
            if not stat.S_ISREG(os.fstat(self._data).st_mode):
                raise StartError(f"{database} is no file", server_advice="remove it or choose another --data-dir")
            self._hold(lock_path(real), os.O_RDWR | os.O_CREAT, database)
        except BaseException:
            self.release()
            raise

    def _hold(self, path: Path, flags: int, database: Path) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        self._held.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(database) from None
        return fd

    def header(self) -> bytes:
        """Return the 100 bytes at the beginning of the data file."""
        return os.pread(self._data, 100, 0)

    def release(self) -> None:
        """Release both; call it after the last connection of this process is closed."""
        while self._held:
            os.close(self._held.pop())


def real_path(database: Path) -> Path:
    """Return the one path that all symbolic links to the database lead to."""
    return Path(os.path.realpath(database))


def lock_path(real: Path) -> Path:
    """Return the path of the lock file of a database, which stands beside the real file."""
    return real.with_name(real.name + ".lock")
