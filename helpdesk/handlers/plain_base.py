"""What the plain pages share: signed in by cookie, forms with a token, errors as pages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from tornado.escape import parse_qs_bytes
from tornado.web import HTTPError, RequestHandler

from helpdesk import errors
from helpdesk.errors import AppError
from helpdesk.handlers.base import KEY
from helpdesk.handlers.http import PAGE_HEADERS
from helpdesk.handlers.negotiation import is_of_type, is_unencoded
from helpdesk.handlers.password_checks import PasswordChecks

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
COOKIE = "helpdesk_plain"  # never looked at by the API, which wants an Authorization header

# Application settings: Tornado's form tokens, which `PlainHandler.prepare` demands of every post.
SETTINGS: dict[str, Any] = {
    "template_path": str(TEMPLATES),
    "xsrf_cookie_name": "helpdesk_plain_form",
    "xsrf_cookie_kwargs": {"httponly": True, "samesite": "Strict", "path": "/plain"},
}


FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 50  # of a form; parsing costs by the field


# What one may be led to after signing in.
_PAGE = re.compile(r"/plain(?:/|/tickets/(?:new|[0-9]{1,15}))?(?:[?#][!-~]{0,1000})?")


class SignInFirst(AppError):
    """Shown as the way to the sign-in page."""


class PlainHandler(PasswordChecks):
    """The base of the plain pages: signed in by cookie, counted by the same buckets."""

    fixed_headers: ClassVar[dict[str, str]] = PAGE_HEADERS | {"Cache-Control": "no-store"}
    needs_actor = True

    def sent_token(self) -> str | None:
        """The token in the pages' own cookie."""
        return self.get_cookie(COOKIE)

    async def check_head(self) -> None:
        self.check_door()
        await self.identify()
        self.check_origin()
        method = str(self.request.method)
        if method not in self._verbs:
            raise errors.MethodNotAllowed(method[:20], ", ".join(self._verbs))
        if method != "OPTIONS" and self.needs_actor and self._actor is None:
            raise SignInFirst("Sign in first")
        self.check_size(takes_body=method == "POST")
        if method == "POST":
            self._check_form_type()

    def prepare(self) -> None:
        super().prepare()
        if self.request.method == "POST":
            self._parse_form()
            self.check_xsrf_cookie()

    def _check_form_type(self) -> None:
        headers = self.request.headers
        if not is_unencoded(headers.get("Content-Encoding")):
            raise errors.UnsupportedMediaType("Send the form without a Content-Encoding", "Content-Encoding")
        if not is_of_type(headers.get("Content-Type", ""), FORM):
            raise errors.UnsupportedMediaType(f"Send the form as Content-Type: {FORM}, in UTF-8", "Content-Type")

    def _parse_form(self) -> None:
        try:
            fields = parse_qs_bytes(self.request.body, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            raise errors.InvalidField(f"A form has at most {FIELDS_MAX} fields") from None
        self.request.body_arguments = fields
        for name, values in fields.items():
            self.request.arguments.setdefault(name, []).extend(values)

    @property
    def _verbs(self) -> list[str]:
        """The methods of this page."""
        kind = type(self)
        reads = ["GET", "HEAD"] if kind.get is not RequestHandler.get else []
        writes = ["POST"] if kind.post is not RequestHandler.post else []
        return [*reads, *writes, "OPTIONS"]

    def options(self, *_args: str) -> None:
        """OPTIONS of a page"""
        self.set_header("Allow", ", ".join(self._verbs))
        self.set_status(204)

    async def head(self, *args: Any) -> None:
        result = self.get(*args)
        if result is not None:
            await result

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **options: Any) -> None:
        """Set a cookie, Tornado's form token too; behind TLS it is sent over TLS only."""
        super().set_cookie(name, value, *args, **(options | {"secure": self.is_secure}))

    def form(self, *names: str) -> dict[str, str]:
        """Return those fields of the form that were filled in, as they were sent.

        Raises InvalidField for one that stands twice or is not UTF-8. Tornado's own reading would
        replace what it cannot decode, and control characters in passwords too.
        """
        sent = {name: self.request.body_arguments.get(name, []) for name in names}
        return {name: text for name, values in sent.items() if (text := _only_text(name, values))}

    def typed(self, *names: str) -> dict[str, str]:
        """Return the fields for showing the form again, also those that `form` refuses."""
        sent = {name: self.request.body_arguments.get(name, [b""])[0] for name in names}
        return {name: value.decode("utf-8", "replace") for name, value in sent.items() if value}

    def read_form_key(self) -> None:
        """Take the form's own key as its Idempotency-Key. Raises InvalidField for one that is none."""
        key = self.form("form_key").get("form_key")
        if key is not None and not KEY.fullmatch(key):
            raise errors.InvalidField("form_key must be 1 to 255 printable ASCII characters", "form_key")
        self.idempotency_key = key

    def show(self, template: str, **values: Any) -> None:
        """Render a page; every value in it is escaped."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        shared: dict[str, Any] = {
            "actor": self._actor,
            "error": None,
            "sent": {},
            "form_key": secrets.token_urlsafe(16),
        }
        self.render(template, **(shared | values))

    async def attempt(self, act: Callable[[], Awaitable[None]], retry: Callable[[AppError], Awaitable[None]]) -> None:
        """Do what a form asks; when it is refused, `retry` shows the form again with what was typed."""
        try:
            await act()
        except AppError as error:
            self.log_exception(type(error), error, error.__traceback__)
            self._set_refusal(error)
            await retry(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, exception, _ = kwargs.get("exc_info", (None, None, None))
        if isinstance(exception, SignInFirst):
            self.redirect(sign_in_page(str(self.request.uri)), status=303 if self.request.method == "POST" else 302)
            return
        error = self._as_app_error(status_code, exception)
        if isinstance(exception, HTTPError) and exception.status_code == 403:
            error = errors.Forbidden("The form is too old or came from another site; load the page again and resend it")
        self._set_refusal(error)
        self.show("error.html", error=error)

    def _set_refusal(self, error: AppError) -> None:
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)


def _only_text(name: str, values: list[bytes]) -> str:
    if len(values) > 1:
        raise errors.InvalidField(f"{name} may be sent only once", name)
    try:
        return values[0].decode("utf-8") if values else ""
    except UnicodeDecodeError:
        raise errors.InvalidField(f"{name} must be UTF-8", name) from None


def sign_in_page(wanted: str) -> str:
    """The way to sign in and on to the wanted page; the list of tickets is where one goes anyway."""
    return "/plain/login" if plain_page(wanted) == "/plain" else f"/plain/login?{urlencode({'next': wanted})}"


def plain_page(wanted: str) -> str:
    """The page that an address names, which anybody may have written; the list for what is no page, or a door."""
    return wanted if _PAGE.fullmatch(wanted) else "/plain"
