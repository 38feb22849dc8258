"""What is wrong with a running server that leaves most of it working.

Whatever notices a problem reports it under the name of its part; health reads all of them.
"""

from __future__ import annotations

import logging
import threading

log = logging.getLogger("helpdesk.problems")


class Problems:
    """Keeps the current problem of each part. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._lock = threading.Lock()

    def report(self, part: str, message: str) -> None:
        """Note that `part` has a problem; `message` is one sentence for the person who runs the server.

        Log it once, not at each repetition, until the message changes or the part recovers.
        """
        with self._lock:
            is_known = self._messages.get(part) == message
            self._messages[part] = message
        if not is_known:
            log.error("degraded: %s: %s", part, message, extra={"cause": f"degraded: {part}: {message}"})

    def clear(self, part: str) -> None:
        """Note that `part` works; log it if it did not work before."""
        with self._lock:
            before = self._messages.pop(part, None)
        if before is not None:
            log.warning("recovered: %s", part, extra={"cause": f"recovered: {part}"})

    def current(self) -> list[tuple[str, str]]:
        """Return (part, message) of each present problem, the one reported first coming first."""
        with self._lock:
            return list(self._messages.items())
