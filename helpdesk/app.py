"""Wires the desk into a Tornado Application. Nothing here is decided; the table is in routes.py."""

from __future__ import annotations

import json
import logging
import secrets
from http import HTTPStatus
from typing import Any

from tornado.httputil import HTTPConnection, HTTPServerRequest
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from helpdesk import openapi
from helpdesk.desk import Desk
from helpdesk.errors import AppError, InvalidHeader
from helpdesk.handlers import plain, plain_base
from helpdesk.handlers.meta import UnknownPathHandler
from helpdesk.handlers.pages import FileHandler, PageHandler
from helpdesk.messages.meta import ManifestCall
from helpdesk.routes import ROUTES
from helpdesk.web.delegate import RequestDelegate
from helpdesk.web.handler import API_HEADERS, HttpHandler
from helpdesk.web.heads import HeadDelegate
from helpdesk.web.targets import make_origin_form

log = logging.getLogger("helpdesk.http")


class HelpDesk(Application):
    """The application; every request passes a RequestDelegate."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HeadDelegate:
        """Return what receives the next request of a connection."""
        return HeadDelegate(self, server_conn, request_conn)

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """Find the handler of the path, also where the target is a whole address."""
        make_origin_form(request)
        return super().find_handler(request, **options)

    def get_handler_delegate(  # type: ignore[override]
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> RequestDelegate:
        assert issubclass(target_class, HttpHandler)
        return RequestDelegate(self, request, target_class, target_kwargs or {}, path_args or [])


def make_app(desk: Desk) -> HelpDesk:
    """Return the whole server as a Tornado application."""
    extras: dict[str, Any] = {
        "/api/openapi.json": {"document": openapi.document()},
        "/.well-known/hackathon.json": {"manifest_calls": _manifest_calls()},
    }
    handlers = [
        URLSpec(
            route.pattern,
            route.handler,
            {"desk": desk, "path": route.path, "who": route.who, **extras.get(route.path, {})},
        )
        for route in ROUTES
    ]
    handlers += [URLSpec(pattern, handler, {"desk": desk, "path": pattern}) for pattern, handler in plain.PLAIN_ROUTES]
    handlers += [
        URLSpec(r"/api(?:/.*)?", UnknownPathHandler, {"desk": desk, "path": "/api/*", "who": {}}),
        URLSpec(r"/static/(.*)", FileHandler, {"desk": desk, "path": "/static/*"}),
        URLSpec(r"/.*", PageHandler, {"desk": desk, "path": "/*"}),
    ]
    return HelpDesk(
        handlers,
        log_function=lambda handler: desk.access_log.note(handler, *_id_and_address(handler)),
        # A target that is no path (`OPTIONS *`) would get Tornado's own page, past the check of the host.
        default_handler_class=UnknownPathHandler,
        default_handler_args={"desk": desk, "path": "*", "who": {}},
        serve_traceback=False,
        **plain_base.SETTINGS,
    )


def _id_and_address(handler: RequestHandler) -> tuple[str, str]:
    if isinstance(handler, HttpHandler):
        return handler.request_id, handler.client_address
    return "-", str(handler.request.remote_ip)


def _manifest_calls() -> list[ManifestCall]:
    return [
        ManifestCall(verb, route.path, call.summary, access.value)
        for route in ROUTES
        for verb, access, call in route.calls()
    ]


def unparsable_message() -> bytes:
    """Return the full response to a message that is not HTTP, where Tornado would send a bare status line."""
    return refusal_message(InvalidHeader("The request is not valid HTTP/1.1, or its head is too long"))


def refusal_message(error: AppError) -> bytes:
    """Return the whole answer to a message that no handler sees."""
    request_id = secrets.token_hex(8)
    log.info("status=%s %s request_id=%s", error.status, error.message, request_id, extra={"cause": error.message})
    body = json.dumps({"error": {"code": error.code, "message": error.message, "field": error.field}}).encode()
    fields = API_HEADERS | {"X-Request-Id": request_id}
    fields |= {**error.headers, "Connection": "close", "Content-Length": str(len(body))}
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        *(f"{name}: {fields[name]}" for name in fields),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
