"""Redis 7 or Valkey: scripts that run at once or not at all, and messages between processes.

Everything here may be lost at any moment; whoever asks has something to fall back on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from helpdesk.errors import StartError

log = logging.getLogger("helpdesk.redis")

TIMEOUT_S = 0.5  # for an answer; a request waits at most twice as long for a Redis that is going away
PAUSE_S = 1.0  # after a failure nobody asks again for so long, so that not every request waits
SAY_EVERY_S = 60.0  # how often the log says that it is away
CONNECTIONS_MAX = 32


class RedisAway(Exception):
    """Redis does not answer now."""


class Redis:
    """One Redis, asked on the event loop. Connections are opened when needed, and again after a failure."""

    def __init__(self, url: str, monotonic: Callable[[], float]) -> None:
        """Connects to nothing yet. Raises StartError when the package is missing or the address is wrong."""
        try:
            from redis.asyncio import BlockingConnectionPool
            from redis.asyncio import Redis as Client
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            raise StartError("Redis needs the redis package; run pip install -r requirements-cluster.txt") from None
        self._errors = (RedisError, OSError, TimeoutError)
        self._monotonic = monotonic
        self._paused_until = 0.0
        self._say_at = 0.0
        self._is_away = False
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 1),  # once: a connection may have died while nobody used it
            )
        except ValueError as error:
            raise StartError(f"--redis-url cannot be read ({error}); write redis://host:6379/0") from None
        self._client = Client.from_pool(pool)
        self._scripts: dict[str, Any] = {}

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[bytes]:
        """What a Lua script answers. It sees and changes everything at one moment. Raises RedisAway."""
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        answer: list[bytes] = await self._ask(lambda: registered(keys=keys, args=arguments))
        return answer

    async def publish(self, channel: str) -> None:
        """Give a sign to all who listen. Raises RedisAway; one that is given may still reach nobody."""
        await self._ask(lambda: self._client.publish(channel, b""))

    async def _ask(self, question: Callable[[], Any]) -> Any:
        if self._monotonic() < self._paused_until:
            raise RedisAway
        try:
            answer = await question()
        except self._errors as error:
            _stop_if_cancelled()
            self._note_failure(error)
            raise RedisAway from error
        self._note_answer()
        return answer

    def _note_failure(self, error: BaseException) -> None:
        now = self._monotonic()
        self._paused_until = now + PAUSE_S
        self._is_away = True
        if now >= self._say_at:
            self._say_at = now + SAY_EVERY_S
            log.warning("Redis does not answer (%s); each process keeps its own limits meanwhile", error)

    def _note_answer(self) -> None:
        if self._is_away:
            self._is_away = False
            log.warning("Redis answers again; the limits are shared")

    async def follow(self, channel: str, hear: Callable[[], None]) -> None:
        """Call `hear` at every sign, and when signs may have been missed; until cancelled."""
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    await subscription.subscribe(channel)
                    while True:
                        # The confirmation of the subscription comes first; what was before it was missed.
                        # Not without end: a cancellation that meets a message can be lost in there.
                        if await subscription.get_message(timeout=PAUSE_S) is not None:
                            hear()
                        _stop_if_cancelled()
            except self._errors as error:
                _stop_if_cancelled()
                log.debug("Redis gives no signs (%s)", error)
                await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def _stop_if_cancelled() -> None:
    """Raise CancelledError in a task that was told to end: an error while a connection was let go of hides that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
