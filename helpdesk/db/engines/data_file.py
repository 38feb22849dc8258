"""The SQLite file at the start: locked, made when there is none, checked, and brought up to date.

A desk that is there is never taken for a new one: an empty file, or a file that is missing beside
what belongs to it, is refused.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from helpdesk.db.engines import integrity, write_ahead_log
from helpdesk.db.engines.data_lock import DataLock, InUse, lock_path, real_path
from helpdesk.db.engines.sqlite_connection import driver, open_engine
from helpdesk.db.engines.sqlite_faults import is_no_room
from helpdesk.db.migrations.run import prepare_sqlite, require_newest_sqlite
from helpdesk.errors import StartError

log = logging.getLogger("helpdesk.db")

_MAGIC = b"SQLite format 3\0"


def open_data_file(path: Path, *, by_copy: bool = False) -> DataLock:
    """Return the lock of the database at `path`, which is at the newest revision then and can be written.

    `by_copy`: for the copy that fills it (see prepare_sqlite). Raises StartError, with nothing changed.
    """
    real = real_path(path)
    with _system_errors_as_refusals(path):
        _require_writable(path, real)
        if not real.exists():
            _require_nothing_left(path, real, by_copy=by_copy)
            _make(path, real, by_copy=by_copy)
        lock = hold(path)
        try:
            prepare_sqlite(path, by_copy=by_copy)
            _write(path, lock)
            _make_private(real)  # not before it is known to be a desk
        except BaseException:
            lock.release()
            raise
    return lock


@contextmanager
def _system_errors_as_refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(
            f"cannot open the database {path} ({error.strerror})",
            server_advice="make it and its directory readable and writable, or choose another --data-dir",
        ) from None


def _require_writable(path: Path, real: Path) -> None:
    """Raise StartError unless the directory is there, and can be written as the files in it that are."""
    if real.is_symlink():
        raise StartError(
            f"{path} is a link that leads round in a circle", server_advice="remove it or choose another --data-dir"
        )
    directory = real.parent
    if not directory.is_dir():
        raise StartError(f"there is no directory {directory} for the database {path}; make it, or name another one")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StartError(f"cannot write in {directory}", server_advice="make it writable or choose another --data-dir")
    for file in (real, *write_ahead_log.paths_of(real)):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise StartError(
                f"cannot write {file}", server_advice="make it writable for this user or choose another --data-dir"
            )


def _make_private(real: Path) -> None:
    """Take the rights of all others from the files that are there; SQLite gives `-wal` and `-shm` those of the file.

    An earlier release made them for all to read. Where that cannot be mended, as on some network drives, say so.
    """
    for file in (real, *write_ahead_log.paths_of(real), lock_path(real)):
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if not mode & 0o077:
                continue
            try:
                file.chmod(mode & 0o700)
            except OSError as error:
                log.warning("others may read %s (mode %03o, %s); make it private", file, mode, error.strerror)
            else:
                log.warning("others could read %s (mode %03o); it is private now", file, mode)


def _write(path: Path, lock: DataLock) -> None:
    """Write to the database. Raises StartError when that fails for another reason than a full disk.

    A desk on a full disk can be read; its health says that it cannot be written, until there is room.
    """
    engine = open_engine(real_path(path), read_only=False)
    try:
        with engine.connect() as conn:
            raw = driver(conn)
            raw.execute("BEGIN IMMEDIATE")
            write_ahead_log.write_mark(raw, lock.header())
            raw.execute("COMMIT")
    except (sqlite3.Error, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        if is_no_room(error):
            log.error("there is no room to write to %s", path)
            return
        raise StartError(
            f"cannot write to the database {path} ({reason})",
            server_advice="make it and the files beside it that begin with its name writable, "
            "or choose another --data-dir",
        ) from None


def open_source_file(path: Path) -> DataLock:
    """Return the lock of a database that is only read. Raises StartError unless it is of this release."""
    with _system_errors_as_refusals(path):
        lock = hold(path)
        try:
            require_newest_sqlite(path)
        except BaseException:
            lock.release()
            raise
    return lock


def hold(path: Path) -> DataLock:
    """Return the lock of a database that is there.

    Raises StartError when it is in use, empty, damaged, or beside a foreign log; OSError when it cannot be opened.
    """
    lock = DataLock(path)
    try:
        header = lock.header()
        if not header:
            raise StartError(
                f"{path} is empty, which no desk is; put it back or restore a backup, "
                "or remove it with all files beside it that begin with its name to begin anew"
            )
        after_crash = write_ahead_log.is_left(path)
        if after_crash:
            write_ahead_log.require_own(path, header)
        else:
            _require_end(path, header)
        integrity.require_whole(path, after_crash=after_crash)
    except BaseException:
        lock.release()
        raise
    return lock


def _require_end(path: Path, header: bytes) -> None:
    """Raise StartError when the file is shorter than its header says; SQLite sees that only where it reads."""
    page_size, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    if header.startswith(_MAGIC) and path.stat().st_size < pages * (page_size if page_size > 1 else 65536):
        raise StartError(f"{path} is damaged: its end is missing; restore a backup, as the README says")


def _require_nothing_left(path: Path, real: Path, *, by_copy: bool) -> None:
    """Raise StartError when the database is gone and not new: what belonged to it is still there."""
    left = []
    if write_ahead_log.is_left(path):
        left.append(write_ahead_log.path_of(real))
    # A copy names its target as a new one; only what would be mixed into it stands in its way.
    if lock_path(real).exists() and not by_copy:
        left.append(lock_path(real))
    if left:
        names = " and ".join(file.name for file in left)
        raise StartError(
            f"{path} is missing, but {names} beside it shows that there was a desk; put it back or restore a backup, "
            f"or remove {names} to begin anew"
        )


def _make(path: Path, real: Path, *, by_copy: bool) -> None:
    """Make the database under another name and rename it, so that a start that is killed leaves no half of one."""
    new = real.with_name(real.name + ".new")
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if real.exists() or not _is_open_at(new, fd):
            return  # another start has just made it; it is in use
        os.ftruncate(fd, 0)
        _remove_beside(new)
        try:
            prepare_sqlite(new, by_copy=by_copy)
        except BaseException:
            _remove_made(new)
            raise
        new.rename(real)
        _sync_directory(real.parent)
    except BlockingIOError:
        raise InUse(path) from None
    finally:
        os.close(fd)


def _is_open_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _remove_made(new: Path) -> None:
    new.unlink(missing_ok=True)
    _remove_beside(new)


def _remove_beside(new: Path) -> None:
    for ending in ("-wal", "-shm", "-journal"):
        new.with_name(new.name + ending).unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
