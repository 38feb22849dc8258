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
from helpdesk.db.engine import Connection
from helpdesk.domain.idempotency import Answer
from helpdesk.errors import AppError
from helpdesk.handlers import plain_words as words
from helpdesk.handlers.plain_stored import STORED, with_key
from helpdesk.web.api import KEY
from helpdesk.web.caller import always_visible
from helpdesk.web.handler import PAGE_HEADERS
from helpdesk.web.negotiation import is_of_type, is_unencoded
from helpdesk.web.password_checks import PasswordChecks

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
_PAGE = re.compile(
    r"/plain(?:/|/tickets/(?:new|[0-9]{1,15}(?:/(?:edit|history))?)"
    r"|/people(?:/new|/[0-9]{1,15})?|/account|/figures)?(?:[?#][!-~]{0,1000})?"
)
_BREAKS = re.compile(r"\r\n|[\t\n\v\f\r\x85\u2028\u2029]")

PROSE = frozenset({"description", "body"})
LINES = frozenset({"title", "tags", "name", "email"})
SECRETS = frozenset({"password", "current_password"})
# The fields that people type in, for showing them again outside their own form.
LABELS = {
    "title": "Title",
    "description": "Description",
    "body": "Reply",
    "tags": "Tags",
    "name": "Name",
    "email": "E-mail",
    "username": "Username",
}
_FIELD_KINDS = {"LABELS": LABELS, "PROSE": PROSE, "SECRETS": SECRETS}
SHOWN_BY = {name: getattr(words, name) for name in words.__all__} | _FIELD_KINDS


class SignInFirst(AppError):
    """Shown as the way to the sign-in page."""

    status = 401


class PlainHandler(PasswordChecks):
    """The base of the plain pages: signed in by cookie, counted by the same buckets.

    No refusal costs what was typed: a handler shows its own form again (`attempt`), and what is refused before
    that comes back in a form of its own (`write_error`).
    """

    fixed_headers: ClassVar[dict[str, str]] = PAGE_HEADERS | {"Cache-Control": "no-store"}
    needs_actor = True
    _held: AppError | None = None  # refused from the head on, but what was typed is read first

    def sent_token(self) -> str | None:
        """The token in the pages' own cookie."""
        return self.get_cookie(COOKIE)

    async def check_head(self) -> None:
        self.check_door()
        method = str(self.request.method)
        try:
            await self.identify()
        except errors.RateLimited as error:
            # A stranger's body stays unread: it would cost the server what the limit is there to save.
            if self._actor is None or method != "POST":
                raise
            self._held = error
        self.check_origin()
        if method not in self._verbs:
            raise self._held or errors.MethodNotAllowed(method[:20], ", ".join(self._verbs))
        if self._held is None and method != "OPTIONS":
            self._held = self._role_refusal()
        if self._held is not None and method != "POST":
            raise self._held
        self.check_size(takes_body=method == "POST")
        if method == "POST":
            self._check_form_type()

    def _role_refusal(self) -> AppError | None:
        if self.needs_actor and self._actor is None:
            return SignInFirst("Sign in first")
        try:
            self.check_role()
        except errors.Forbidden as error:
            return error
        return None

    def prepare(self) -> None:
        super().prepare()
        if self.request.method != "POST":
            return
        self._parse_form()
        if self._held is not None:
            raise self._held
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
        if (result := self.get(*args)) is not None:
            await result

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **options: Any) -> None:
        """Set a cookie, Tornado's form token too; behind TLS it is sent over TLS only."""
        super().set_cookie(name, value, *args, **(options | {"secure": self.is_secure}))

    def form(self, *names: str) -> dict[str, str]:
        """Return those fields of the form that were filled in, as they are stored.

        Raises InvalidField for one that stands twice or is not UTF-8. Tornado's own reading would
        replace what it cannot decode, and control characters in passwords too.
        """
        sent = {name: self.request.body_arguments.get(name, []) for name in names}
        return {name: text for name, values in sent.items() if (text := as_typed(name, _only_text(name, values)))}

    def typed(self, *names: str) -> dict[str, str]:
        """Return the fields for showing the form again, also those that `form` refuses."""
        sent = {name: self.request.body_arguments.get(name, [b""])[0] for name in names}
        return {name: as_typed(name, value.decode("utf-8", "replace")) for name, value in sent.items() if value}

    def typed_as(self, sent_name: str, name: str) -> str:
        """Return a field for showing it again as the field `name` of another form."""
        return as_typed(name, self.request.body_arguments[sent_name][0].decode("utf-8", "replace"))

    def read_form_key(self) -> None:
        """Take the form's own key as its Idempotency-Key. Raises InvalidField for one that is none."""
        key = self.form("form_key").get("form_key")
        if key is not None and not KEY.fullmatch(key):
            raise errors.InvalidField("form_key must be 1 to 255 printable ASCII characters", "form_key")
        self.idempotency_key = key

    async def once(self, work: Callable[[Connection], Answer], fields: dict[str, str]) -> Answer:
        """Do what a form asks for, once for each form that was given out."""
        self.fields = dict(fields)
        self.read_form_key()
        done = await self.perform(work, still_visible=always_visible)
        self.mark_stored()
        return done

    def mark_stored(self) -> None:
        """Name the form's key in a cookie that the pages' script reads: what it kept of that form is dropped."""
        value = with_key(self.get_cookie(STORED), self.idempotency_key)
        if value is not None:
            self.set_cookie(STORED, value, path="/plain", samesite="Strict")

    def get_template_namespace(self) -> dict[str, Any]:
        return super().get_template_namespace() | SHOWN_BY

    def show(self, template: str, **values: Any) -> None:
        """Render a page; every value in it is escaped."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        shared: dict[str, Any] = {
            "actor": self._actor,
            "error": None,
            "kept": [],
            "kept_action": "",
            "sent": {},
            "form_key": secrets.token_urlsafe(16),
        }
        self.render(template, **(shared | values))

    async def attempt(self, act: Callable[[], Awaitable[None]], retry: Callable[[AppError], Awaitable[None]]) -> None:
        """Do what a form asks; when it is refused, `retry` shows the form again with what was typed."""
        try:
            await act()
        except (errors.InvalidToken, SignInFirst):
            raise  # the form can be shown to nobody now
        except errors.IdempotencyKeyReused:
            again = errors.IdempotencyKeyReused(
                "This form was sent before, with other words, and is stored; press Send to send these as well", None
            )
            self.set_refusal(again)
            await retry(again)
        except AppError as error:
            self.log_exception(type(error), error, error.__traceback__)
            self.set_refusal(error)
            await retry(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, exception, _ = kwargs.get("exc_info", (None, None, None))
        if isinstance(exception, SignInFirst | errors.InvalidToken):
            self._ask_to_sign_in()
            return
        error = self._as_app_error(status_code, exception)
        if isinstance(exception, HTTPError) and exception.status_code == 403:
            error = errors.Forbidden(self._without_token())
        self.set_refusal(error)
        self.show("error.html", error=error, kept=self._kept(), kept_action=str(self.request.uri))

    def _without_token(self) -> str:
        if not self.request.cookies:
            return "Your browser sent no cookie. These pages need cookies: allow them for this site, then send again"
        return "The form is too old, or came from another site; look it over and send it again"

    def _ask_to_sign_in(self) -> None:
        """Lead to the sign-in page; what was typed goes along, inside its form."""
        kept = [(name, text) for name, text in self._kept() if name not in SECRETS]
        if not any(text for name, text in kept if name in LABELS):
            self.redirect(sign_in_page(str(self.request.uri)), status=303 if self.request.method == "POST" else 302)
            return
        self._actor = None
        self.set_status(401)
        self.show("sign_in.html", action=sign_in_page(self.request.path), kept=kept, kept_action=self.request.path)

    def _kept(self) -> list[tuple[str, str]]:
        """Return what was typed, by the names of the fields; passwords come back empty."""
        if self.request.method != "POST":
            return []
        names = [name for name in self.request.body_arguments if name != "_xsrf"]
        sent = self.typed(*names)
        return [(name, "" if name in SECRETS else sent.get(name, "")) for name in names]

    def set_refusal(self, error: AppError) -> None:
        """Answer with the status and the headers of a refusal."""
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)


def as_typed(name: str, text: str) -> str:
    """Return what a person typed into a field of that name.

    Browsers send every line end as CRLF, whatever was typed; a tab or a line break in a one-line field is a space.
    """
    if name in LINES:
        return _BREAKS.sub(" ", text)
    return text.replace("\r\n", "\n") if name in PROSE else text


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
