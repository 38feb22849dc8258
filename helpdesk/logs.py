"""Logs on standard error: one line a request, as key=value or JSON; no token, password or body."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from tornado.web import RequestHandler

from helpdesk.clock import rfc3339

access = logging.getLogger("helpdesk.access")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = rfc3339(int(record.created * 1000))
        line = f"{stamp} {record.levelname.lower()} {_escaped(record.getMessage())}"
        fields = getattr(record, "fields", None)
        if fields:
            line = f"{stamp} " + " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line |= getattr(record, "fields", None) or {"message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _escaped(text: str) -> str:
    """No control character: a client's words must not write a line of their own."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _quoted(value: object) -> str:
    text = _escaped(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text


def set_up(log_format: str) -> None:
    """Send all logs to standard error, in `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Tornado tells of every malformed message in words of its own; ours has its line already.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def log_request(handler: RequestHandler, request_id: str) -> None:
    """The one line of a finished request. The query string is left out: it holds what people look for."""
    request = handler.request
    status = handler.get_status()
    access.log(
        logging.ERROR if status >= 500 else logging.INFO,
        "request",
        extra={
            "fields": {
                "method": request.method,
                "path": request.path,
                "status": status,
                "ms": round(1000 * request.request_time(), 1),
                "address": request.remote_ip,
                "request_id": request_id,
            }
        },
    )
