"""The browser app's files. Every page of it is index.html; the app reads the address itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler

from helpdesk import errors
from helpdesk.handlers.http import HttpHandler

STATIC = Path(__file__).resolve().parents[2] / "static"

# Always asked for anew, answered with 304 while unchanged: no page ever mixes two versions.
_CACHE_CONTROL = "no-cache"


class PageHandler(HttpHandler):
    def prepare(self) -> None:
        self.check_host()
        self.check_size()
        if self.request.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed(str(self.request.method)[:20], "GET, HEAD")
        if "." in self.request.path.rsplit("/", 1)[-1]:
            raise errors.NotFound  # a file, which no page of the app is

    async def get(self) -> None:
        """GET / and every other page"""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", _CACHE_CONTROL)
        self.finish((STATIC / "index.html").read_bytes())

    async def head(self) -> None:
        await self.get()


class FileHandler(HttpHandler, StaticFileHandler):
    """GET /static/…, with ETag and Last-Modified."""

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        HttpHandler.initialize(self, **kwargs)
        StaticFileHandler.initialize(self, path=str(STATIC))

    def prepare(self) -> None:
        self.check_host()
        self.check_size()
        if self.request.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed(str(self.request.method)[:20], "GET, HEAD")

    def compute_etag(self) -> str | None:
        return StaticFileHandler.compute_etag(self)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", _CACHE_CONTROL)
