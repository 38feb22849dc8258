"""Passwords: bcrypt in a small bounded pool, never on the event loop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from helpdesk.errors import Unavailable

THREADS = 2  # one check takes 0.3 s of a core; more threads would starve the rest
QUEUE_MAX = 200  # checks waiting: half a minute's work; past that the answer is 503

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
    """The pool. Both calls raise Unavailable when too many wait already."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="bcrypt")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        return str(await self._run(hash_password, password, self._cost))

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the password; with no hash (nobody of that name) False after the same time."""
        nobody = f"$2b${self._cost:02}${_NOBODY_SALT_AND_HASH}"
        matches = await self._run(check_password, password, password_hash or nobody)
        return password_hash is not None and bool(matches)

    async def _run(self, fn: object, *args: object) -> object:
        if self._waiting >= QUEUE_MAX:
            raise Unavailable("Too many people are signing in; try again in a moment", retry_after_s=10)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, fn, *args)  # type: ignore[arg-type]
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
