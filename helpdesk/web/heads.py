"""The head of a request before Tornado makes a request object of it: what Tornado would close the connection for."""

from __future__ import annotations

import re
from collections.abc import Awaitable

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine, ResponseStartLine
from tornado.routing import _RoutingDelegate

# Tornado parses no more; no call takes as many.
PARAMS_MAX = 1000
_LONG_PORT = re.compile(r":[0-9]{6,}\Z")


class HeadDelegate(_RoutingDelegate):
    """Routes a request by its head, as Tornado's does."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Find the handler. Raises HTTPInputError for a Host that Tornado would fail over."""
        assert isinstance(start_line, RequestStartLine)
        if _LONG_PORT.search(headers.get("Host", "")):
            raise HTTPInputError("The port in Host is too long")
        return super().headers_received(start_line._replace(path=_with_fewer_params(start_line.path)), headers)


def _with_fewer_params(target: str) -> str:
    """Return the target with PARAMS_MAX parameters at most: no call takes as many, so that these alone are refused."""
    path, _, query = target.partition("?")
    if query.count("&") < PARAMS_MAX:
        return target
    params = [param for param in query.split("&") if param]
    return f"{path}?{'&'.join(params[:PARAMS_MAX])}"
