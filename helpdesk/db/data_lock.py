"""The lock that keeps a second process off a SQLite database."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from helpdesk.errors import StartError


class DataLock:
    """Holds `<database>.lock` for this process; it is released when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        real = database.resolve()  # a second name for the file is no second database
        self._path = real.with_name(real.name + ".lock")
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise StartError(
                f"another server is using {database}; stop it, or start this one with another --data-dir"
            ) from None

    def release(self) -> None:
        """Give the lock up."""
        os.close(self._fd)
