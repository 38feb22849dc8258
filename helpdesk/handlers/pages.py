"""The browser app's files. Every page of it is index.html; the app reads the address itself."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path

from msgspec import Struct

from helpdesk import errors
from helpdesk.web.handler import HttpHandler
from helpdesk.web.negotiation import first_named, takes_gzip

STATIC = Path(__file__).resolve().parents[2] / "static"
GZIP_MIN_BYTES = 1000  # below a packet it saves nothing

# Always asked for anew, answered with 304 while unchanged: no page ever mixes two versions.
_CACHE_CONTROL = "no-cache"
_ALLOW = "GET, HEAD, OPTIONS"


class StaticFile(Struct, frozen=True):
    """A file as it is sent; `changed` tells whether it is still that one."""

    changed: tuple[int, int]
    content_type: str
    etag: str
    body: bytes
    gzipped: bytes | None

    @property
    def gzipped_etag(self) -> str:
        """Return the entity tag of the gzipped bytes: a strong tag must differ per encoding (RFC 9110, 8.8.3.3)."""
        return f'{self.etag[:-1]}-gzip"'


_kept: dict[Path, StaticFile] = {}


def static_file(name: str) -> StaticFile:
    """Return the file of that name below static/, cached until it changes. Raise NotFound."""
    path = _find(name)
    stat = path.stat()
    changed = (stat.st_mtime_ns, stat.st_size)
    kept = _kept.get(path)
    if kept is None or kept.changed != changed:
        kept = _kept[path] = _read(path, changed)
    return kept


def _find(name: str) -> Path:
    try:
        path = (STATIC / name).resolve()
        if path.is_relative_to(STATIC) and path.is_file():
            return path
    except (OSError, ValueError):
        pass  # a name too long for any file, or with a NUL in it
    raise errors.NotFound("file")


def _read(path: Path, changed: tuple[int, int]) -> StaticFile:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = kind.startswith("text/") or kind in ("application/javascript", "image/svg+xml", "application/json")
    return StaticFile(
        changed,
        f"{kind}; charset=utf-8" if is_text else kind,
        f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        body,
        gzip.compress(body, mtime=0) if is_text and len(body) >= GZIP_MIN_BYTES else None,
    )


class FilesHandler(HttpHandler):
    """What pages and files share: GET and HEAD only, an entity tag, gzip where it is taken."""

    async def check_head(self) -> None:
        self.check_door()
        self.check_origin()
        if self.request.method not in ("GET", "HEAD", "OPTIONS"):
            raise errors.MethodNotAllowed(str(self.request.method)[:20], _ALLOW)
        self.check_size(takes_body=False)

    def options(self, *_args: str) -> None:
        """OPTIONS of a page or file"""
        self.set_header("Allow", _ALLOW)
        self.set_status(204)

    def send_file(self, file: StaticFile) -> None:
        """Send the file, or 304 to who has it already."""
        self.set_header("Content-Type", file.content_type)
        self.set_header("Cache-Control", _CACHE_CONTROL)
        self.set_header("Vary", "Accept-Encoding")
        headers = self.request.headers
        packed = file.gzipped if takes_gzip(headers.get("Accept-Encoding")) else None
        # Who has the plain bytes may go on using them; packed ones are for those only who take them.
        tags = (file.etag,) if packed is None else (file.gzipped_etag, file.etag)
        named = first_named(headers.get("If-None-Match"), *tags)
        self.set_header("ETag", named or tags[0])
        if named is not None:
            self.set_status(304)
            self.finish()
            return
        if packed is not None:
            self.set_header("Content-Encoding", "gzip")
        self.finish(packed or file.body)


class PageHandler(FilesHandler):
    def get(self) -> None:
        """GET / and every other page"""
        if "." in self.request.path.rsplit("/", 1)[-1]:
            raise errors.NotFound  # a file, which no page of the app is
        self.send_file(static_file("index.html"))

    head = get


class FileHandler(FilesHandler):
    def get(self, name: str) -> None:
        """GET /static/…"""
        self.send_file(static_file(name))

    head = get
