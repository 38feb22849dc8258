"""Standard input, output and error, which whoever starts a program may have closed, or filled, or left."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TextIO

_missing: set[int] = set()


def set_up() -> None:
    """Open what is closed on the null device, and let no character of a path be one that cannot be printed.

    Otherwise the next file to be opened, the database say, would be standard error, and be written to as such.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            _missing.add(fd)
            _silence(fd)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 (for as long as the process lives)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test has put something else in its place
            stream.reconfigure(errors="backslashreplace")


def write_line(stream: TextIO, line: str) -> bool:
    """Write a line as `write` does."""
    return write(stream, line + "\n")


def write(stream: TextIO, text: str) -> bool:
    """Write at once; return whether somebody may have read it. Raise nothing."""
    try:
        stream.write(text)
        stream.flush()
        return stream.fileno() not in _missing
    except (OSError, ValueError):
        return False


class PromptErrors:
    """Standard error for a log: what would have to wait for a reader is dropped and counted.

    A pipe whose reader has stopped would stop the whole server at the first line that it has no room for. The
    descriptor stays as it is: O_NONBLOCK belongs to the open pipe, and would reach all who write to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = ""  # whole lines, until `flush`
        self._dropped = 0
        self._is_cut = False  # whether the last line written lacks its end

    def write(self, text: str) -> None:
        """Keep whole lines for `flush`, which writes many at once."""
        with self._lock:
            self._kept += text

    def flush(self) -> None:
        """Write what was kept, as far as there is room for it. Raise nothing."""
        with self._lock:
            text, self._kept = self._kept, ""
            fd = _descriptor()
            if fd is None:
                write(sys.stderr, text)
            else:
                self._write(fd, text.encode(errors="backslashreplace"))

    def report_dropped(self, say: Callable[[int], None]) -> None:
        """Call `say` with how many lines were dropped, once there is room to say it."""
        fd = _descriptor()
        dropped = self._dropped
        if not dropped or fd is None or not _has_room(fd):
            return
        self._dropped = 0
        say(dropped)
        if self._dropped:  # that line as well
            self._dropped += dropped - 1

    def _write(self, fd: int, data: bytes) -> None:
        if self._is_cut and _write_some(fd, b"\n"):
            self._is_cut = False
        is_within_line = False
        while data:
            # A pipe that has room takes so much without waiting.
            end = data.rfind(b"\n", 0, select.PIPE_BUF) + 1 or select.PIPE_BUF
            count = 0 if self._is_cut else _write_some(fd, data[:end])
            if count < len(data[:end]):
                self._is_cut |= count > 0 or is_within_line
                self._dropped += data[count:].count(b"\n")
                return
            is_within_line = not data[:end].endswith(b"\n")
            data = data[end:]


def _descriptor() -> int | None:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # something else stands in its place, as in a test
        return None


def _write_some(fd: int, data: bytes) -> int:
    """Return how much of it was written without waiting."""
    try:
        return os.write(fd, data) if _has_room(fd) else 0
    except OSError:  # a disk that takes no log must not end a request
        return 0


def _has_room(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))


def finish() -> None:
    """Write what is still buffered, or drop it: Python would end with the status 120 for it."""
    for stream, fd in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(fd)


def _silence(fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)
