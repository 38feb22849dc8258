"""The parts of a database that fail and work again, as health shows them."""

from __future__ import annotations

import time
from collections.abc import Callable

from helpdesk.problems import Problems


class Parts:
    """Reports to `problems`; for any thread. `works` costs nothing while nothing has failed.

    One success does not clear a part at once: it may fail now and then, as big writes do on a disk that is nearly full.
    """

    def __init__(self, problems: Problems, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._problems = problems
        self._monotonic = monotonic
        self._failed_at: dict[str, float] = {}

    def failed(self, part: str, message: str) -> None:
        """Note that `part` has failed now."""
        self._failed_at[part] = self._monotonic()
        self._problems.report(part, message)

    def works(self, part: str, *, after_s: float) -> None:
        """Note that `part` works; it is clear when it has not failed for `after_s`."""
        if not self._failed_at:
            return  # nearly always
        failed_at = self._failed_at.get(part)
        if failed_at is not None and self._monotonic() - failed_at >= after_s:
            self._failed_at.pop(part, None)
            self._problems.clear(part)
