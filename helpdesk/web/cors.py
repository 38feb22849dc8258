"""Requests of pages of other origins: refused to write, unless configured (the Fetch standard, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from tornado.httputil import HTTPServerRequest

_EXPOSED = (
    "ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotent-Replayed, Allow, "
    "WWW-Authenticate"
)
_TAKEN = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id, "
    "Accept, Cache-Control"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PREFLIGHT_KEPT_S = 7200  # the longest that Chromium honours


def cors_headers(allowed: Sequence[str], origin: str | None) -> dict[str, str]:
    """The fields that let a page of `origin` read an answer; none when CORS is off."""
    if not allowed:
        return {}
    if "*" in allowed:
        return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
    if origin is None or origin.lower() not in allowed:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED,
    }


def is_preflight(request: HTTPServerRequest, allowed: Sequence[str]) -> bool:
    """Whether a browser asks if it may: such a request cannot carry a token, and is not counted."""
    return bool(
        allowed
        and request.method == "OPTIONS"
        and request.headers.get("Origin")
        and request.headers.get("Access-Control-Request-Method")
    )


def is_foreign_write(request: HTTPServerRequest, allowed: Sequence[str]) -> bool:
    """Whether a page of another origin, and none of those `allowed`, sent a request that may change something.

    Browsers name the page's origin, and say in Sec-Fetch-Site how it stands to ours; older ones, and those that speak
    without TLS, send Origin alone. Programs send neither. The request is refused where one of the two is foreign.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is not None and ("*" in allowed or origin.lower() in allowed):
        return False
    is_own_site = site in ("same-origin", "none")
    if origin == "null":
        return not is_own_site  # also sent by our own pages, where somebody has turned Referer off
    if origin is not None and not _is_own(origin, request.host):
        return True
    return site is not None and not is_own_site


def _is_own(origin: str, host: str) -> bool:
    """Whether the origin is that of `host`, with TLS or without: a proxy may end it. Default ports may be left out."""
    scheme, _, name = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and name.removesuffix(port) == host.lower().removesuffix(port)


def preflight_headers(allow: str) -> dict[str, str]:
    """The answer to a preflight for a route with these methods."""
    return {
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": _TAKEN,
        "Access-Control-Max-Age": str(_PREFLIGHT_KEPT_S),
    }
