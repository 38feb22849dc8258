"""What every answer of this server has, page or API: request id, security headers, one error shape."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from asyncio import Future
from types import TracebackType
from typing import Any, ClassVar

import msgspec
from tornado.web import HTTPError, RequestHandler

from helpdesk import errors
from helpdesk.config import LOOPBACK_NAMES
from helpdesk.desk import Desk
from helpdesk.errors import AppError
from helpdesk.handlers.addresses import client_address, is_secure
from helpdesk.handlers.body_limit import BODY_MAX_BYTES, BodyLimit
from helpdesk.hosts import is_served, name_in

log = logging.getLogger("helpdesk.http")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
API_HEADERS = {
    "Server": "HelpDeskMini",
    "X-Content-Type-Options": "nosniff",
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
}
PAGE_HEADERS = {
    "Server": "HelpDeskMini",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Probes ask for these by the address of a machine or container.
ANY_HOST = frozenset({"/api/health", "/api/ready", "/metrics"})
HSTS = "max-age=31536000"  # a year; no other host of the domain is bound by it
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _EveryMethod(tuple[str, ...]):
    """Tornado refuses methods it does not know before any code of ours; we refuse them ourselves."""

    def __contains__(self, _method: object) -> bool:
        return True


class HttpHandler(RequestHandler):
    """The common base. `write_error` is the only place that renders an error."""

    SUPPORTED_METHODS: ClassVar[Any] = _EveryMethod()  # type: ignore[misc]
    # Pages need all of the security headers; JSON that no browser shows gets by with fewer.
    fixed_headers: ClassVar[dict[str, str]] = PAGE_HEADERS
    desk: Desk

    def initialize(self, **kwargs: Any) -> None:
        desk: Desk = kwargs["desk"]
        self.desk = desk
        self._path_pattern: str = kwargs["path"]
        desk.in_hand += 1
        self.set_shared_headers()

    def on_finish(self) -> None:
        self.desk.in_hand -= 1

    def set_default_headers(self) -> None:
        # Tornado clears all headers before it renders an error; these are set again each time.
        for name, value in self.fixed_headers.items():
            self._headers[name] = value
        self._headers["X-Request-Id"] = self.request_id
        if "desk" in self.__dict__:  # not while Tornado's constructor runs, which calls this first
            self.set_shared_headers()

    def set_shared_headers(self) -> None:
        """Set the headers that every answer has and that the desk's state decides."""
        if self.is_secure:
            self._headers["Strict-Transport-Security"] = HSTS
        if self.desk.draining:
            self._headers["Connection"] = "close"

    @property
    def request_id(self) -> str:
        """The client's own id where it sent a usable one, else a new one."""
        found: str | None = self.__dict__.get("_request_id")
        if found is None:
            sent = self.request.headers.get("X-Request-Id", "")
            found = self._request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
        return found

    @property
    def client_address(self) -> str:
        """The client's own address, also behind proxies that are trusted."""
        found: str | None = self.__dict__.get("_client_address")
        if found is None:
            found = self._client_address = client_address(self.request, self.desk.config.trusted_proxies)
        return found

    @property
    def is_secure(self) -> bool:
        """Whether the client speaks TLS, to a proxy that is trusted to say so."""
        return is_secure(self.request, self.desk.config.trusted_proxies)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        # A path that is no UTF-8 is a path that does not exist, not a bad request.
        return value.decode("utf-8", "replace")

    def check_host(self) -> None:
        """Raise HostNotAllowed for a host that this server does not serve (stops DNS rebinding)."""
        config = self.desk.config
        name = name_in(self.request.host)
        if config.is_demo:
            served = name in LOOPBACK_NAMES
        else:
            served = not config.allowed_hosts or is_served(name, config.allowed_hosts)
        if not served and self.request.path not in ANY_HOST:
            raise errors.HostNotAllowed("This server does not serve that host name; use its own address", "Host")

    def check_trusted_origin(self, origin: str) -> bool:
        allowed = self.desk.config.cors_origins
        return origin.lower() in allowed or "*" in allowed

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, exception, _ = kwargs.get("exc_info", (None, None, None))
        error = self._as_app_error(status_code, exception)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        body = {"error": {"code": error.code, "message": error.message, "field": error.field}} | error.extra
        self.write(msgspec.json.encode(body))
        self.finish()

    def _as_app_error(self, status_code: int, exception: BaseException | None) -> AppError:
        if isinstance(exception, AppError):
            return exception
        if (unavailable := errors.as_unavailable(exception)) is not None:
            return unavailable
        if isinstance(exception, HTTPError) and status_code == 404:
            return errors.NotFound()
        if isinstance(exception, HTTPError) and status_code == 403:
            return errors.Forbidden("A page of another site may not do this", "Origin")
        if isinstance(exception, HTTPError) and status_code == 400:
            return self.unreadable_body()
        if isinstance(exception, HTTPError) and status_code == 405:
            return errors.MethodNotAllowed(str(self.request.method)[:20], "GET, HEAD, OPTIONS")
        return errors.Internal("Something went wrong here; the request id finds it in the server's log")

    def unreadable_body(self) -> AppError:
        """What a body is that Tornado itself could not take apart; it looks into forms only."""
        return errors.UnsupportedMediaType("Send the body as Content-Type: application/json", "Content-Type")

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """End the answer; while a refused body still comes in, send it but hold the connection.

        A connection that is closed with unread data is reset, and the client may never see the
        answer; so it goes out now, and the rest of the body is read and thrown away.
        """
        limit = BodyLimit.of(self.request)
        if limit is None or not limit.is_draining:
            return super().finish(chunk)
        if not self._headers_written:
            self.write(chunk or b"")
            self.set_header("Connection", "close")
            self.set_header("Content-Length", str(sum(len(part) for part in self._write_buffer)))
            self.flush()
            task = asyncio.ensure_future(limit.drained())
            task.add_done_callback(lambda _: None if self._finished else RequestHandler.finish(self))
        return Future()

    def check_size(self) -> None:
        """Raise PayloadTooLarge for a body over the limit."""
        limit = BodyLimit.of(self.request)
        if limit is not None and limit.is_over:
            raise errors.PayloadTooLarge(f"The body is over {BODY_MAX_BYTES:,} bytes; send less")

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        unavailable = errors.as_unavailable(value)
        if isinstance(unavailable, errors.TooSlow):
            self.log_unavailable(f"{self.request.method} {self._path_pattern} took longer than it may and was stopped")
        elif unavailable is not None:
            self.log_unavailable(unavailable.cause)
        elif not isinstance(value, AppError | HTTPError):
            log.error("request_id=%s an error that nobody foresaw", self.request_id, exc_info=(typ, value, tb))  # type: ignore[arg-type]

    def log_unavailable(self, cause: str) -> None:
        """Log why this request is answered with 503; of many with the same cause, one line a minute."""
        log.warning("status=503 request_id=%s %s", self.request_id, cause, extra={"cause": f"503, {cause}"})

    def compute_etag(self) -> str | None:
        return None  # hashing every answer helps nobody who must not keep it
