"""The shared base of the API: who is calling, how often, with what, and doing a thing once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec

from helpdesk import errors
from helpdesk.db.engine import Connection
from helpdesk.domain.idempotency import Answer
from helpdesk.messages.encoding import encode
from helpdesk.messages.parsing import parse_body, parse_json_object, parse_query, printable
from helpdesk.web.body_limit import Body
from helpdesk.web.caller import CallerHandler
from helpdesk.web.calls import Access, Call
from helpdesk.web.cors import cors_headers, is_preflight, preflight_headers
from helpdesk.web.handler import API_HEADERS
from helpdesk.web.negotiation import is_of_type, is_unencoded

S = TypeVar("S", bound=msgspec.Struct)

_TOKEN = re.compile(r"[!-~]+")
ID = re.compile(r"[1-9][0-9]{0,14}")
KEY = re.compile(r"[ -~]{1,255}")


class ApiHandler(CallerHandler):
    """Closed by default: a verb is there only where its route says who may call it."""

    fixed_headers: ClassVar[dict[str, str]] = API_HEADERS
    _is_of_wrong_type = False

    def initialize(self, **kwargs: Any) -> None:
        super().initialize(**kwargs)
        self._who: dict[str, Access] = kwargs["who"]

    def set_shared_headers(self) -> None:
        super().set_shared_headers()
        origins = self.desk.config.cors_origins
        if origins:
            for name, value in cors_headers(origins, self.request.headers.get("Origin")).items():
                self._headers[name] = value

    async def check_head(self) -> None:
        self.check_door()
        method = str(self.request.method)
        access = self._who.get("GET" if method == "HEAD" else method)
        self._is_preflight = is_preflight(self.request, self.desk.config.cors_origins)
        if access is not Access.FREE and not self._is_preflight:
            await self.identify()
        self.check_origin()
        if method == "OPTIONS":
            return self.check_size(takes_body=False)
        if access is None:
            raise errors.MethodNotAllowed(method[:20], self._allow)
        self._access = access
        self.check_role()
        self._ids = self._parse_path()
        self._check_call(self._call)
        return None

    def prepare(self) -> None:
        super().prepare()
        if self.request.method == "OPTIONS":
            return self._answer_options(preflight=self._is_preflight)
        self.path_args = self._ids  # type: ignore[assignment]
        self._parse_body(self._call)
        return None

    @property
    def _allow(self) -> str:
        verbs = [*self._who, "OPTIONS"]
        if "GET" in verbs:
            verbs.insert(verbs.index("GET") + 1, "HEAD")
        return ", ".join(verbs)

    def _answer_options(self, *, preflight: bool) -> None:
        self.set_header("Allow", self._allow)
        if preflight:
            for name, value in preflight_headers(self._allow).items():
                self.set_header(name, value)
        self.set_status(204)
        self.finish()

    def sent_token(self) -> str | None:
        """The token that the request came with; None for none, or for another scheme.

        Raises InvalidHeader for a malformed Authorization.
        """
        values = self.request.headers.get_list("Authorization")
        if not values or not values[0].strip():
            return None
        scheme, _, token = values[0].strip().partition(" ")
        if scheme.lower() not in ("bearer", "token"):
            return None
        token = token.strip()
        if len(values) > 1 or not _TOKEN.fullmatch(token):
            raise errors.InvalidHeader("Send one Authorization header: 'Bearer <token>'", "Authorization")
        return token

    def check_role(self) -> None:
        """Raise Unauthenticated or Forbidden for a caller who may not do this."""
        access = self._access
        if not access.needs_actor:
            return
        role = self.actor.role
        if access is Access.ADMIN and role != "admin":
            raise errors.Forbidden("Only admins may do this")
        if access is Access.STAFF and role == "user":
            raise errors.Forbidden("Only agents and admins may do this")

    # With what.

    @property
    def _call(self) -> Call:
        method = str(self.request.method).lower()
        call: Call = getattr(self, "get" if method == "head" else method).call
        return call

    def _parse_path(self) -> list[int]:
        for text in self.path_args:
            if not ID.fullmatch(text):
                raise errors.NotFound()
        return [int(text) for text in self.path_args]

    def _check_call(self, call: Call) -> None:
        """Raise what the call's own headers and parameters are refused for."""
        if self.request.method in ("POST", "PATCH"):
            self.idempotency_key = self._parse_key()
        self._check_media_type(call)
        self._params = parse_query(call.params, self.request.query_arguments)
        self.check_own_headers()

    def check_own_headers(self) -> None:
        """Raise what the headers that only this handler's calls have are refused for."""

    def _check_media_type(self, call: Call) -> None:
        self.check_size(takes_body=call.body is not None)
        body, headers = Body.of(self.request), self.request.headers
        if body.has_ended:  # there is none
            if call.body is not None:
                raise errors.BadJson("Send a JSON object as the body of this request")
            return
        if not is_unencoded(headers.get("Content-Encoding")):
            raise errors.UnsupportedMediaType("Send the body without a Content-Encoding", "Content-Encoding")
        content_type = headers.get("Content-Type", "")
        if is_of_type(content_type, "application/json"):
            return
        if body.declared_bytes is not None or (content_type and call.body is not None):
            raise _not_json()
        # Some clients send an empty chunked body, of any type, for none; the first byte is one too many.
        self._is_of_wrong_type = True
        self.body_max_bytes = 0

    def too_large(self, size_bytes: int) -> errors.AppError:
        return _not_json() if self._is_of_wrong_type else super().too_large(size_bytes)

    def _parse_body(self, call: Call) -> None:
        if not self.request.body and call.body is None:
            return
        self.fields = parse_json_object(self.request.body)
        if call.body is None and self.fields:
            raise errors.UnknownField("This request takes no fields", printable(next(iter(self.fields))))
        if call.body is not None:
            self._body = parse_body(call.body, self.fields)

    def body_as(self, kind: type[S]) -> S:
        """The parsed body, which the verb's `call` declares to be of this kind."""
        assert isinstance(self._body, kind)
        return self._body

    def params_as(self, kind: type[S]) -> S:
        """The parsed query parameters, likewise."""
        assert isinstance(self._params, kind)
        return self._params

    def _parse_key(self) -> str | None:
        """The Idempotency-Key, bare or as a quoted string (RFC 8941, section 3.3.3); None without one."""
        values = self.request.headers.get_list("Idempotency-Key")
        if not values:
            return None
        key = values[0].strip()
        if key.startswith('"'):
            match = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', key)
            key = re.sub(r"\\(.)", r"\1", match[1]) if match else ""
        if len(values) > 1 or not KEY.fullmatch(key):
            raise errors.InvalidHeader(
                "Send one Idempotency-Key of 1 to 255 printable ASCII characters", "Idempotency-Key"
            )
        return key

    # Acting and answering.

    async def transact(self, work: Callable[[Connection], Answer], **options: Any) -> None:
        """`perform`, and send the answer."""
        self.send(await self.perform(work, **options))

    def send(self, answer: Answer) -> None:
        """Write a success."""
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        if answer.replayed:
            self.set_header("Idempotent-Replayed", "true")
        self.finish(answer.body or None)

    def send_json(self, value: Any, status: int = 200, **headers: str) -> None:
        """Write `value` as JSON. Underscores in the names of headers become dashes."""
        self.send(answer(value, status, **headers))

    async def head(self, *args: Any) -> None:
        result = self.get(*args)
        if result is not None:
            await result


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """A success with `value` as JSON, or without a body when it is None."""
    body = b"" if value is None else encode(value)
    return Answer(status, body, {name.replace("_", "-"): text for name, text in headers.items()})


def _not_json() -> errors.UnsupportedMediaType:
    return errors.UnsupportedMediaType("Send the body as Content-Type: application/json", "Content-Type")
