"""The target of a request in its absolute form, as proxies send it (RFC 9112, section 3.2.2)."""

from __future__ import annotations

import re

from tornado.httputil import HTTPInputError, HTTPServerRequest

# A host with a port, as Tornado takes them in a Host header; no user and password.
_ABSOLUTE = re.compile(r"https?://([^/?#@\\,\s]+)(/[^?]*)?", re.IGNORECASE)


def make_origin_form(request: HTTPServerRequest) -> None:
    """Turn `GET http://host/path` into `GET /path` of that host, whatever the Host header says.

    Raises HTTPInputError for an address that is none.
    """
    if request.path.startswith("/") or "://" not in request.path:
        return
    match = _ABSOLUTE.fullmatch(request.path)
    if match is None:
        raise HTTPInputError("The target is no address")
    request.host = match[1]
    request.path = match[2] or "/"
    request.uri = request.path + ("?" + request.query if request.query else "")
