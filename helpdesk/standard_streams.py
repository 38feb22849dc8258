"""Standard input, output and error, which whoever starts a program may have closed, or filled, or left."""

from __future__ import annotations

import os
import sys
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
