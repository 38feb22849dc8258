"""What every answer of this server has, page or API: request id, security headers, one error shape."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
from asyncio import Future
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, ClassVar

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from helpdesk import errors
from helpdesk.config import LOOPBACK_NAMES
from helpdesk.desk import Desk
from helpdesk.errors import AppError
from helpdesk.hosts import is_served, name_in
from helpdesk.messages.encoding import encode
from helpdesk.web.addresses import client_address, is_secure, limit_key
from helpdesk.web.body_limit import BODY_MAX_BYTES, NO_BODY_MAX_BYTES, Body
from helpdesk.web.client_stream import ClientStream
from helpdesk.web.cors import is_foreign_write

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
SEND_TIMEOUT_S = 30.0  # for a client to read its answer
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _EveryMethod(tuple[str, ...]):
    """Tornado refuses methods it does not know before any code of ours; we refuse them ourselves."""

    def __contains__(self, _method: object) -> bool:
        return True


@stream_request_body  # or Tornado parses every form, before any check
class HttpHandler(RequestHandler):
    """The common base. `write_error` is the only place that renders an error.

    A request passes through in two steps: `check_head`, with the body unread, and `prepare`.
    """

    SUPPORTED_METHODS: ClassVar[Any] = _EveryMethod()  # type: ignore[misc]
    # Pages need all of the security headers; JSON that no browser shows gets by with fewer.
    fixed_headers: ClassVar[dict[str, str]] = PAGE_HEADERS
    desk: Desk
    refusal: Exception | None = None  # why the request is refused; its body is not read
    body_max_bytes = NO_BODY_MAX_BYTES
    _is_initialized = False  # Tornado's constructor sets headers before it calls `initialize`
    _request_id: str | None = None
    _client_address: str | None = None

    def initialize(self, **kwargs: Any) -> None:
        desk: Desk = kwargs["desk"]
        self.desk = desk
        self._path_pattern: str = kwargs["path"]
        desk.in_hand += 1
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection) and isinstance(connection.stream, ClientStream)
        self.client = connection.stream
        self.client.is_busy = True
        self._is_initialized = True
        self.set_shared_headers()

    def on_finish(self) -> None:
        self.desk.in_hand -= 1
        self.client.is_busy = False

    def set_default_headers(self) -> None:
        # Tornado clears all headers before it renders an error; these are set again each time.
        for name, value in self.fixed_headers.items():
            self._headers[name] = value
        self._headers["X-Request-Id"] = self.request_id
        if self._is_initialized:
            self.set_shared_headers()

    def set_shared_headers(self) -> None:
        """Set the headers that every answer has and that the desk's state decides."""
        if self.is_secure:
            self._headers["Strict-Transport-Security"] = HSTS

    @property
    def request_id(self) -> str:
        """The client's own id where it sent a usable one, else a new one."""
        if self._request_id is None:
            sent = self.request.headers.get("X-Request-Id", "")
            self._request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
        return self._request_id

    @property
    def client_address(self) -> str:
        """The client's own address, also behind proxies that are trusted."""
        if self._client_address is None:
            self._client_address = client_address(self.request, self.desk.config.trusted_proxies)
        return self._client_address

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

    async def receive_head(self, path_args: list[bytes]) -> None:
        """Run `check_head`, and keep what it raises: it is answered like any other error, by `prepare`."""
        self.path_args = [self.decode_argument(arg) for arg in path_args]
        try:
            await self.check_head()
        except Exception as error:  # noqa: BLE001 (raised again in `prepare`, and answered there)
            self.refusal = error

    async def check_head(self) -> None:
        """Raise what path, method or headers alone refuse. The body has not been read."""
        raise NotImplementedError

    def check_door(self) -> None:
        """Raise what is refused to whoever calls, and before any other refusal."""
        self.check_host()
        if self.client.refusal is not None and self.request.path not in ANY_HOST:
            raise self.client.refusal

    def check_origin(self) -> None:
        """Raise Forbidden for a write that a page of another site sends. Where requests are counted, it was."""
        if is_foreign_write(self.request, self.desk.config.cors_origins):
            raise errors.Forbidden("A page of another site may not do this", "Origin")

    def check_size(self, *, takes_body: bool) -> None:
        """Raise PayloadTooLarge, or BadJson where no body belongs, for a body that is declared too large."""
        if takes_body:
            self.body_max_bytes = BODY_MAX_BYTES
        declared = Body.of(self.request).declared_bytes
        if declared is not None and declared > self.body_max_bytes:
            raise self.too_large(declared)

    def too_large(self, size_bytes: int) -> AppError:
        """Return what a body of over `body_max_bytes` is refused with."""
        if self.body_max_bytes == BODY_MAX_BYTES or size_bytes > BODY_MAX_BYTES:
            return errors.PayloadTooLarge(f"The body is over {BODY_MAX_BYTES:,} bytes; send less")
        return errors.BadJson("This request takes no body; send it without one")

    def prepare(self) -> Awaitable[None] | None:
        """Raise what was found while the request arrived."""
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # or the traceback keeps itself alive until the next collection
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, exception, _ = kwargs.get("exc_info", (None, None, None))
        error = self._as_app_error(status_code, exception)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        body = {"error": {"code": error.code, "message": error.message, "field": error.field}} | error.extra
        self.write(encode(body))
        self.finish()

    def _as_app_error(self, status_code: int, exception: BaseException | None) -> AppError:
        if isinstance(exception, AppError):
            return exception
        if (unavailable := errors.as_unavailable(exception)) is not None:
            return unavailable
        if isinstance(exception, HTTPError) and status_code == 404:
            return errors.NotFound()
        if isinstance(exception, HTTPError) and status_code == 405:
            return errors.MethodNotAllowed(str(self.request.method)[:20], "GET, HEAD, OPTIONS")
        return errors.Internal("Something went wrong here; the request id finds it in the server's log")

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """End the answer; while the request's body still comes in, send it but hold the connection.

        A connection that is closed with unread data is reset, and the client may never see the
        answer; so it goes out now, and the rest of the body is read and thrown away.
        """
        body = Body.of(self.request)
        if body.has_ended:
            return self._finish_at_once(chunk)
        if not self._headers_written:
            self.write(chunk or b"")
            self.set_header("Connection", "close")
            self.set_header("Content-Length", str(sum(len(part) for part in self._write_buffer)))
            ending = asyncio.ensure_future(self._end_slowly(body, self.flush()))
            ending.add_done_callback(lambda task: task.cancelled() or task.exception())
        return Future()

    def _finish_at_once(self, chunk: str | bytes | dict[str, Any] | None) -> Future[None]:
        is_last = self.desk.draining
        if is_last and not self._headers_written:
            self.set_header("Connection", "close")
        finished = super().finish(chunk)
        if self.client.writing():
            self._hold_unread()
        if is_last:
            self.client.close_when_written()
        return finished

    def _hold_unread(self) -> None:
        """Give the client SEND_TIMEOUT_S to read its answer, as long as unread ones do not take too much memory."""
        client, unread = self.client, self.desk.unread
        address, size_bytes = limit_key(self.client_address), client.unsent_bytes
        try:
            unread.reserve(address, size_bytes)
        except AppError:
            log.warning("a connection is closed: too many answers are unread", extra={"cause": "unread"})
            client.close()
            return
        timer = asyncio.get_running_loop().call_later(SEND_TIMEOUT_S, client.close)

        def release(_: Future[None]) -> None:
            timer.cancel()
            unread.release(address, size_bytes)

        client.written().add_done_callback(release)

    async def _end_slowly(self, body: Body, flushed: Future[None]) -> None:
        """Close as RFC 9112, section 9.6, has it: our side first, the other when the client has seen that."""
        try:
            await flushed
            self.client.socket.shutdown(socket.SHUT_WR)
            await body.drained()
        except (StreamClosedError, OSError):
            pass  # the client closed it
        if not self._finished:
            super().finish()
        self.client.close()

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
            log.error("request_id=%s unhandled exception", self.request_id, exc_info=(typ, value, tb))  # type: ignore[arg-type]

    def log_unavailable(self, cause: str) -> None:
        """Log why this request is answered with 503; of many with the same cause, one line a minute."""
        log.warning("status=503 request_id=%s %s", self.request_id, cause, extra={"cause": f"503, {cause}"})

    def compute_etag(self) -> str | None:
        return None  # hashing every answer helps nobody who must not keep it
