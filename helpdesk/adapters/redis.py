"""Redis 7 or Valkey: scripts that run at once or not at all, and messages between processes.

Everything here may be lost at any moment; whoever asks has something to fall back on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from helpdesk.errors import StartError
from helpdesk.problems import Problems

log = logging.getLogger("helpdesk.redis")

PART = "redis"  # under which health names it
# For an answer; past it nobody waits for Redis until it has answered in the background. A busy machine takes
# half a second for the first questions, which open connections.
ANSWER_S = 1.0
LOOK_EVERY_S = 1.0  # how often it is asked in the background, whether it is away or not
CLOSE_S = 2.0  # for letting go of the connections
CONNECTIONS_MAX = 32
# It writes, as the scripts of the limits do: a Redis that is full or a replica answers a PING.
_PROBE = "redis.call('SET', KEYS[1], '1', 'PX', 10000) return {}"
_PROBE_KEY = "helpdesk:probe"


class RedisAway(Exception):
    """Redis does not answer now."""


class Redis:
    """One Redis, asked on the event loop. Connections are opened when needed, and again after a failure.

    One failure is enough: from then on every question is refused at once, until a probe in the background
    is answered. A Redis that hangs so costs each process one wait, not each request.
    """

    def __init__(self, url: str, problems: Problems | None = None) -> None:
        """Prepare a client without connecting. Raise StartError if the package is missing or the address is wrong."""
        try:
            from redis.asyncio import BlockingConnectionPool
            from redis.asyncio import Redis as Client
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import ConnectionError as ConnectionLost
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            raise StartError("Redis needs the redis package; run pip install -r requirements-cluster.txt") from None
        self._errors = (RedisError, OSError, TimeoutError)
        self._problems = problems or Problems()
        self._is_away = False
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=ANSWER_S,
                socket_timeout=ANSWER_S,
                socket_connect_timeout=ANSWER_S,
                # Once: a connection may have died while nobody used it. Not after a timeout, which would double it.
                retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
            )
        except ValueError as error:
            raise StartError(f"--redis-url cannot be read ({error}); write redis://host:6379/0") from None
        self._client = Client.from_pool(pool)
        self._scripts: dict[str, Any] = {}
        self._asked: set[asyncio.Future[Any]] = set()

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[bytes]:
        """Run a Lua script atomically and return its result. Raise RedisAway."""
        if self._is_away:
            raise RedisAway()
        return await self._run(script, keys, arguments)

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[bytes]:
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        answer: list[bytes] = await self._ask(lambda: registered(keys=keys, args=arguments))
        return answer

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message to all subscribers. Raise RedisAway; a published message may still reach nobody."""
        if self._is_away:
            raise RedisAway()
        await self._ask(lambda: self._client.publish(channel, message))

    async def _ask(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """Return the answer. Raises RedisAway, after ANSWER_S at the latest.

        The question runs as a task of its own: a cancellation that meets the client while it connects can be
        lost in there, and a caller that was told to end must end.
        """
        asked = asyncio.ensure_future(question())
        self._asked.add(asked)
        asked.add_done_callback(self._forget)
        done, _ = await asyncio.wait({asked}, timeout=ANSWER_S)
        if not done:
            self._note_away("it took too long")
            raise RedisAway()
        if asked.cancelled():
            raise RedisAway()
        error = asked.exception()
        if isinstance(error, self._errors):
            self._note_away(str(error))
            raise RedisAway() from error
        return asked.result()

    def _forget(self, asked: asyncio.Future[Any]) -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()  # seen, or asyncio would log that nobody has

    def _note_away(self, reason: str) -> None:
        if not self._is_away:  # or a reason that alternates would fill the log
            self._is_away = True
            log.warning("a Redis command failed: %s", reason)
            # Anybody may read this: no word of the address.
            self._problems.report(PART, "Redis does not answer; each process keeps its own limits meanwhile.")

    async def watch(self, worked: Callable[[], None] = lambda: None) -> None:
        """Ask Redis from time to time, until cancelled, so that nobody else has to find out that it is away, or back.

        Calls `worked` after each time, whatever Redis says.
        """
        while True:
            with suppress(RedisAway):
                await self._run(_PROBE, [_PROBE_KEY], [])
                self._is_away = False
                self._problems.clear(PART)
            worked()
            await asyncio.sleep(LOOK_EVERY_S)

    async def follow(self, channel: str, hear: Callable[[bytes | None], None]) -> None:
        """Call `hear` with every message, and with None when some may have been missed; until cancelled."""
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    await subscription.subscribe(channel)
                    while True:
                        # Not without end: a cancellation that meets a message can be lost in there.
                        _stop_if_cancelled()
                        message = await subscription.get_message(timeout=LOOK_EVERY_S)
                        if message is not None:
                            # The confirmation of the subscription comes first; what was before it was missed.
                            hear(message["data"] if message["type"] == "message" else None)
            except self._errors as error:
                _stop_if_cancelled()
                log.debug("Redis gives no signs (%s)", error)
                await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Close the connections, within CLOSE_S for each step."""
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(set(self._asked), timeout=CLOSE_S)
        with suppress(*self._errors):
            async with asyncio.timeout(CLOSE_S):
                await self._client.aclose()


def _stop_if_cancelled() -> None:
    """Raise CancelledError in a task that was told to end: an error while a connection was let go of hides that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
