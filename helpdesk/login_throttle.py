"""Failed logins: at most so many in a window for one name from one address. Runs on the monotonic clock."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from helpdesk.config import Rate
from helpdesk.errors import InvalidCredentials, RateLimited

_SWEEP_AT_LEAST = 1024  # keys that are kept before it is worth looking for idle ones


class _Attempts(Struct):
    failed_at: deque[float]
    running: int = 0


class LoginThrottle:
    """At most `rate.count` failed logins for one key (a name from one address) in `rate.window_s`.

    Attempts that are still being checked count as failed until they are known to be none, so that
    twenty at once do not all get through; they wait instead of being refused.
    """

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._attempts: dict[str, _Attempts] = {}
        self._settled = asyncio.Condition()
        self._sweep_at = _SWEEP_AT_LEAST

    @asynccontextmanager
    async def attempt(self, key: str) -> AsyncIterator[None]:
        """Around one check of a password; InvalidCredentials raised inside is a failure.

        Raises RateLimited, before anything is checked, when the window has no room.
        """
        if self._rate.count == 0:
            yield
            return
        await self._admit(key)
        failed = False
        try:
            yield
        except InvalidCredentials:
            failed = True
            raise
        finally:
            await self._settle(key, failed)

    async def _admit(self, key: str) -> None:
        async with self._settled:
            while True:
                attempts = self._attempts.setdefault(key, _Attempts(deque()))
                self._drop_old(attempts)
                if len(attempts.failed_at) >= self._rate.count:
                    raise self._refusal(attempts)
                if len(attempts.failed_at) + attempts.running < self._rate.count:
                    attempts.running += 1
                    return
                await self._settled.wait()

    async def _settle(self, key: str, failed: bool) -> None:
        async with self._settled:
            attempts = self._attempts[key]
            attempts.running -= 1
            if failed:
                attempts.failed_at.append(self._monotonic())
            if not attempts.failed_at and not attempts.running:
                del self._attempts[key]
            if len(self._attempts) >= self._sweep_at:
                self._forget_idle()
            self._settled.notify_all()

    def _drop_old(self, attempts: _Attempts) -> None:
        until = self._monotonic() - self._rate.window_s
        while attempts.failed_at and attempts.failed_at[0] <= until:
            attempts.failed_at.popleft()

    def _refusal(self, attempts: _Attempts) -> RateLimited:
        wait_s = attempts.failed_at[0] + self._rate.window_s - self._monotonic()
        return RateLimited(
            "Too many failed logins for this name; wait and try again", retry_after_s=max(1, math.ceil(wait_s))
        )

    def _forget_idle(self) -> None:
        for attempts in self._attempts.values():
            self._drop_old(attempts)
        self._attempts = {key: a for key, a in self._attempts.items() if a.failed_at or a.running}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._attempts))
