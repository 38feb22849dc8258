"""The `-wal` file beside a SQLite database: whether it belongs to the database that it stands beside.

SQLite does not ask. It replays the log of one database into a backup that was copied over it, which
undoes the restore or leaves a mixture of both. The formats are those of https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpdesk.db.engines.data_lock import real_path
from helpdesk.errors import StartError

_LOG_HEADER, _FRAME_HEADER, _FILE_HEADER = 32, 24, 100
_MAGIC = b"\x37\x7f\x06"  # and 0x82 or 0x83 for the order of bytes in its checksums

_SMALL_COOKIE = 2**24  # what SQLite counts up to by itself is below it
_SCHEMA_CHANGES_MAX = 100  # in one log


class _Header(NamedTuple):
    """What tells databases, and states of one, apart in the header of page 1."""

    page_size: int
    change_counter: int
    schema_cookie: int
    mark: int

    @classmethod
    def read(cls, header: bytes) -> _Header:
        """Return what the first 100 bytes of page 1 say."""
        number = int.from_bytes
        return cls(number(header[16:18]), number(header[24:28]), number(header[40:44]), number(header[60:64]))


def path_of(real: Path) -> Path:
    """Return the path of the log of a database."""
    return real.with_name(real.name + "-wal")


def paths_of(real: Path) -> tuple[Path, Path]:
    """Return the paths of the log and of its index, which SQLite makes again when it is missing."""
    return path_of(real), real.with_name(real.name + "-shm")


def is_left(database: Path) -> bool:
    """Return whether there is a log with something in it: the sign of an unclean end, while no process has it open."""
    try:
        return path_of(real_path(database)).stat().st_size > 0
    except FileNotFoundError:
        return False


def mark(header: bytes) -> int:
    """Return the digest of a file's header, small enough for `PRAGMA user_version`."""
    return zlib.crc32(header) >> 1


def write_mark(raw: sqlite3.Connection, header: bytes) -> None:
    """Write into page 1 which file the log belongs to; for the first transaction of a connection that is alone.

    A file whose schema has a small number gets a random one, since a backup that is made of it begins
    to count at 1.
    """
    raw.execute(f"PRAGMA user_version={mark(header)}")
    if _Header.read(header).schema_cookie < _SMALL_COOKIE:
        raw.execute(f"PRAGMA schema_version={_SMALL_COOKIE + secrets.randbelow(_SMALL_COOKIE)}")


def rewrite_page_1(raw: sqlite3.Connection) -> None:
    """Write page 1 as it is; a transaction that changes nothing writes nothing, whatever the disk is like."""
    (number,) = raw.execute("PRAGMA user_version").fetchone()
    raw.execute(f"PRAGMA user_version={number}")


def is_later_state(header: bytes, first: bytes) -> bool:
    """Return whether `header` is that of the file which began with `first` when this process had opened it.

    Nobody else gives the file a mark meanwhile. Another file that was written over it, as a backup, has another
    mark, or numbers its schema anew.
    """
    now, then = _Header.read(header), _Header.read(first)
    # A full disk may keep the mark and the number that were written at the start in the log for a while.
    is_marked = now.mark in (then.mark, mark(first))
    changes = now.schema_cookie - then.schema_cookie
    return (
        header[:18] == first[:18]
        and is_marked
        and (then.schema_cookie < _SMALL_COOKIE or 0 <= changes <= _SCHEMA_CHANGES_MAX)
    )


def size_of(header: bytes) -> int:
    """Return how many bytes the file with this header has, if it is whole."""
    return _Header.read(header).page_size * int.from_bytes(header[28:32])


def log_size_of(header: bytes, pages: int) -> int:
    """Return how many bytes the log of the file has at least, with so many pages in it."""
    return _LOG_HEADER + pages * (_FRAME_HEADER + _Header.read(header).page_size) if pages else 0


def require_own(database: Path, header: bytes) -> None:
    """Raise StartError when the log beside the database is of another one, or of another state of it.

    `header` is the beginning of the data file. SQLite copies pages from the log to the file whole, so
    page 1 of the file is one of those in the log, or the one from before the log began. The first one
    in the log follows on that: its change counter is equal or one more, and it either has the digest of
    that header for its mark (`write_mark`), or the same mark and (nearly) the same number of the schema. A backup
    differs: SQLite numbers its schema anew. The file as it was at another start has another mark.
    """
    headers = _headers_in(path_of(real_path(database)))
    first = next(headers, None)
    if first is None or first == header or header in headers:
        return
    ours, logged = _Header.read(header), _Header.read(first)
    # An index that somebody adds by hand raises the number of the schema by one.
    changes = logged.schema_cookie - ours.schema_cookie
    is_same = logged.mark == ours.mark and (
        changes == 0 or (ours.schema_cookie >= _SMALL_COOKIE and 0 < changes <= _SCHEMA_CHANGES_MAX)
    )
    follows = logged.page_size == ours.page_size and logged.change_counter - ours.change_counter in (0, 1)
    if not follows or not (is_same or logged.mark == mark(header)):
        name = path_of(database).name
        raise StartError(
            f"{name} does not belong to {database}, as when a backup was copied over the file beside an older {name}; "
            f"to go on with the backup remove {name} and {database.name}-shm, or put the former file back"
        )


def _headers_in(log: Path) -> Iterator[bytes]:
    """Yield the beginning of page 1 each time that it stands in the log, oldest first."""
    fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(fd, _LOG_HEADER, 0)
        if len(head) < _LOG_HEADER or head[:3] != _MAGIC:
            return  # SQLite ignores such a log
        page_size, salts = int.from_bytes(head[8:12]), head[16:24]
        place = _LOG_HEADER
        while len(frame := os.pread(fd, _FRAME_HEADER + _FILE_HEADER, place)) == _FRAME_HEADER + _FILE_HEADER:
            if frame[8:16] != salts:
                return  # left over from before the log was begun anew
            if int.from_bytes(frame[:4]) == 1:
                yield frame[_FRAME_HEADER:]
            place += _FRAME_HEADER + page_size
    finally:
        os.close(fd)
