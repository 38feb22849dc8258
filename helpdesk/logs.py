"""Logs on standard error: one line a request, as key=value or JSON; no token, password or body."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from tornado.web import RequestHandler

from helpdesk.clock import rfc3339
from helpdesk.standard_streams import PromptErrors

WRITE_WITHIN_S = 0.05  # how long a request's line may wait for others
REPEAT_S = 60.0  # between two lines of the same cause
OUT_OF_MEMORY = "out of memory"


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = rfc3339(int(record.created * 1000))
        line = f"{stamp} {record.levelname.lower()} {_escaped(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Repeats(logging.Filter):
    """Lets one record of each cause through in REPEAT_S, and counts the others.

    A record names its cause by `extra={"cause": "…"}`; one without is not held back. A MemoryError is a cause by
    itself, wherever it is logged, and loses its traceback: thousands come at once, and each has hundreds of lines.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, int]] = {}  # cause: when its last line was written, how many were held back

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write `record`."""
        cause = _cause(record)
        if cause is None:
            return True
        with self._lock:
            now = self._monotonic()
            since, held = self._seen.get(cause, (now - REPEAT_S, 0))
            if now - since < REPEAT_S:
                self._seen[cause] = (since, held + 1)
                return False
            self._seen[cause] = (now, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} ({held} more since the last such line)", ()
        return True

    def counts(self, *, at_once: bool = False) -> list[str]:
        """Return a line for each cause held back for REPEAT_S, or `at_once`; forget the causes that were not."""
        lines = []
        with self._lock:
            now = self._monotonic()
            for cause, (since, held) in list(self._seen.items()):
                if now - since < REPEAT_S and not at_once:
                    continue
                if held:
                    lines.append(f"{held} more: {cause}")
                    self._seen[cause] = (now, 0)
                else:
                    del self._seen[cause]
        return lines


REPEATS = Repeats()
OUTPUT = PromptErrors()
log = logging.getLogger("helpdesk.logs")


def _cause(record: logging.LogRecord) -> str | None:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, MemoryError):
        record.msg, record.args = f"{OUT_OF_MEMORY}: {record.getMessage()}", ()
        record.exc_info = record.exc_text = None
        return OUT_OF_MEMORY
    cause: str | None = getattr(record, "cause", None)
    return cause


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Return False for a task's own end, which Tornado logs as an uncaught exception when a drain is cut off."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _escaped(text: str) -> str:
    """No control character: a client's words must not write a line of their own."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _quoted(value: object) -> str:
    text = _escaped(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text


def set_up(log_format: str) -> None:
    """Send all logs to standard error, in `text` or `json`."""
    handler = logging.StreamHandler(OUTPUT)
    handler.addFilter(_is_no_cancellation)
    handler.addFilter(REPEATS)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Tornado tells of every malformed message in words of its own; ours has its line already.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class AccessLog:
    """The line of each finished request, written a few at a time: one system call for all of a moment.

    Past the logging module, which costs a request a tenth of its time. The query string is left out:
    it holds what people look for.
    """

    def __init__(self, log_format: str) -> None:
        self._as_json = log_format == "json"
        self._lines: list[str] = []

    def note(self, handler: RequestHandler, request_id: str, address: str) -> None:
        """Write the request's line soon."""
        request = handler.request
        fields: dict[str, object] = {
            "method": request.method,
            "path": request.path,
            "status": handler.get_status(),
            "ms": round(1000 * request.request_time(), 1),
            "address": address,
            "request_id": request_id,
        }
        moment = rfc3339(time.time_ns() // 1_000_000)
        if self._as_json:
            line = json.dumps({"time": moment, "level": "info", "logger": "helpdesk.access"} | fields)
        else:
            line = f"{moment} " + " ".join([f"{name}={_quoted(value)}" for name, value in fields.items()])
        if not self._lines:
            asyncio.get_running_loop().call_later(WRITE_WITHIN_S, self.write)
        self._lines.append(line)

    def close(self) -> None:
        """Write what waits, and how often each cause was held back since its line."""
        self.write()
        _write_counts(at_once=True)

    def write(self) -> None:
        """Write what waits."""
        _write_counts()
        lines, self._lines = self._lines, []
        if lines:
            OUTPUT.write("\n".join(lines) + "\n")
            OUTPUT.flush()


def _write_counts(*, at_once: bool = False) -> None:
    for line in REPEATS.counts(at_once=at_once):
        log.warning("%s", line)
    OUTPUT.report_dropped(lambda dropped: log.warning("%s lines that standard error did not take are missing", dropped))
