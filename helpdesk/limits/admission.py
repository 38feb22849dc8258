"""Limits on connections and on memory held by clients, in total and for one address."""

from __future__ import annotations

import os
import resource
from collections import Counter

from helpdesk.errors import AppError, RateLimited, StartError, Unavailable

CONNECTIONS_MAX = 6_000  # event streams included; about 12 KB each while idle
ADDRESS_SHARE = 0.75  # of all connections, so that one address leaves room for others
OVERFLOW_MAX = 16  # connections past the limit, to say so and to answer health
DESCRIPTORS_KEPT = 64  # for the database, Redis and files
DESCRIPTORS_MIN = DESCRIPTORS_KEPT + OVERFLOW_MAX
DESCRIPTORS_WANTED = CONNECTIONS_MAX + OVERFLOW_MAX + DESCRIPTORS_KEPT

UNFINISHED_MAX_BYTES = 32 * 1024 * 1024  # of requests
UNFINISHED_OF_ADDRESS_MAX_BYTES = 8 * 1024 * 1024
UNREAD_MAX_BYTES = 64 * 1024 * 1024  # of answers
UNREAD_OF_ADDRESS_MAX_BYTES = 16 * 1024 * 1024
BODY_MIN_BYTES = 4 * 1024  # what a short one counts as: its connection costs memory too

RETRY_AFTER_S = 5


def claim_descriptors() -> None:
    """Raise the soft limit of descriptors to what the connections need, as far as the hard one allows.

    Raises StartError when too few can be had to answer anybody, also because others have them all.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    opened: list[int] = []
    try:
        while len(opened) < DESCRIPTORS_MIN:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise StartError(
            f"only {len(opened)} more files can be opened ({error.strerror}), and the server needs {DESCRIPTORS_MIN}; "
            "raise the limit of open files (ulimit -n, or LimitNOFILE of a systemd unit)"
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def connection_limit() -> int:
    """Return how many connections there may be under the present limit of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return min(CONNECTIONS_MAX, max(OVERFLOW_MAX, soft - DESCRIPTORS_KEPT - OVERFLOW_MAX))


class Connections:
    """Counts connections. The address of a trusted proxy is None: its connections are many clients'."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.limit_of_address = max(1, int(limit * ADDRESS_SHARE))
        self._count = 0
        self._of_address: Counter[str] = Counter()

    def refusal(self, address: str | None) -> AppError | None:
        """Return the error that refuses one more connection from `address`; None when there is room."""
        if self._count >= self.limit:
            return Unavailable("Too many connections are open; try again soon", retry_after_s=RETRY_AFTER_S)
        if address is not None and self._of_address[address] >= self.limit_of_address:
            message = "Too many connections are open from this address; close some"
            return RateLimited(message, retry_after_s=RETRY_AFTER_S)
        return None

    def enter(self, address: str | None) -> None:
        """Count a connection."""
        self._count += 1
        if address is not None:
            self._of_address[address] += 1

    def leave(self, address: str | None) -> None:
        """Stop counting a connection."""
        self._count -= 1
        if address is not None:
            _subtract(self._of_address, address, 1)

    @property
    def is_full(self) -> bool:
        """Return whether there is no room for any address."""
        return self._count >= self.limit


class HeldMemory:
    """Counts memory that is held until clients go on: unfinished requests, or unread answers."""

    def __init__(self, limit_bytes: int, limit_of_address_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._limit_of_address_bytes = limit_of_address_bytes
        self._bytes = 0
        self._of_address: Counter[str] = Counter()

    def reserve(self, address: str, size_bytes: int) -> None:
        """Reserve memory. Raise RateLimited or Unavailable when there is none left."""
        if self._of_address[address] + size_bytes > self._limit_of_address_bytes:
            message = "Too many requests from this address are unfinished; send one after the other"
            raise RateLimited(message, retry_after_s=RETRY_AFTER_S)
        if self._bytes + size_bytes > self._limit_bytes:
            raise Unavailable("Too many requests are unfinished; try again soon", retry_after_s=RETRY_AFTER_S)
        self._bytes += size_bytes
        self._of_address[address] += size_bytes

    def release(self, address: str, size_bytes: int) -> None:
        """Release reserved memory."""
        self._bytes -= size_bytes
        _subtract(self._of_address, address, size_bytes)


def _subtract(counter: Counter[str], key: str, count: int) -> None:
    counter[key] -= count
    if counter[key] <= 0:
        del counter[key]
