"""Who hears of a commit: the caches, the live hub and the jobs of this process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from helpdesk.db.engine import CommitListener, Touched

log = logging.getLogger("helpdesk.db")


class CommitListeners:
    """Used on the event loop only.

    One that raises may keep what the commit has changed, so the process must end: `on_failure` is called, after all
    listeners and once. Nothing is raised, for whoever waits for the commit must be answered.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._listeners: list[CommitListener] = []
        self._has_failed = False

    def add(self, listener: CommitListener) -> None:
        """Call `listener` after each commit from now on."""
        self._listeners.append(listener)

    def tell(self, changes: Touched) -> None:
        """Call all listeners with what a commit touched."""
        has_failed = False
        for listener in self._listeners:
            try:
                listener(changes)
            except Exception:
                has_failed = True
                log.critical("a listener of commits failed and memory may be stale; the server stops", exc_info=True)
        if has_failed and not self._has_failed:
            self._has_failed = True
            self._on_failure()
