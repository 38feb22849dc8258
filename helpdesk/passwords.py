"""Passwords: bcrypt in a small bounded pool, never on the event loop."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import TypeVar

import bcrypt

from helpdesk.errors import TooManySignIns
from helpdesk.lanes import Lane

T = TypeVar("T")

THREADS = 2  # one check takes 0.3 s of a core; more threads would starve the rest
QUEUE_MAX = 200  # checks waiting; past that, and after two seconds of waiting, the answer is 503

# A bcrypt hash of nothing in particular: checking against it takes the time of a real one.
_NOBODY_SALT_AND_HASH = "abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def prehashed(password: str) -> bytes:
    """44 ASCII bytes that stand for the whole password.

    bcrypt 5 raises above 72 bytes and older ones cut there; HMAC with a fixed key, rather than plain
    SHA-256, keeps a list of leaked SHA-256 digests from being tried as passwords.
    """
    digest = hmac.digest(b"helpdesk-mini:password", password.encode(), hashlib.sha256)
    return base64.b64encode(digest)


def hash_password(password: str, cost: int) -> str:
    """The hash to keep; takes about 0.3 s at cost 12."""
    return bcrypt.hashpw(prehashed(password), bcrypt.gensalt(cost)).decode()


def check_password(password: str, password_hash: str) -> bool:
    """Whether the hash is that password's; takes as long as hashing did."""
    return bcrypt.checkpw(prehashed(password), password_hash.encode())


class Passwords:
    """The pool. Both calls raise Unavailable when too many wait already, and after two seconds of waiting."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._lane: Lane[None] = Lane("bcrypt", [None] * THREADS, length_max=QUEUE_MAX, refusal=TooManySignIns)

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        return await self._run(lambda: hash_password(password, self._cost))

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the password; with no hash (nobody of that name) False after the same time."""
        nobody = f"$2b${self._cost:02}${_NOBODY_SALT_AND_HASH}"
        matches = await self._run(lambda: check_password(password, password_hash or nobody))
        return password_hash is not None and matches

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._lane.do(lambda _: work())

    def close(self) -> None:
        self._lane.stop()
