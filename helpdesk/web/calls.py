"""What a verb of a route is: who may call it, what it takes and gives. Checked and published from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import msgspec

from helpdesk.errors import AppError

F = TypeVar("F", bound=Callable[..., Awaitable[None]])


class Access(Enum):
    """Who may call a verb. A verb that a route does not name is not there."""

    FREE = "anyone; not counted by the rate limit"
    PUBLIC = "anyone"
    SIGNED_IN = "anyone signed in"
    STAFF = "agents and admins"
    ADMIN = "admins"

    @property
    def needs_actor(self) -> bool:
        return self not in (Access.FREE, Access.PUBLIC)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No fields, or no parameters."""


@dataclass(frozen=True)
class Call:
    """One verb. `body` is None where none is needed; `answer` is None where none is given."""

    summary: str
    params: type[msgspec.Struct]
    body: type[msgspec.Struct] | None
    answer: type[Any] | None
    status: int
    errors: tuple[type[AppError], ...]
    headers: tuple[str, ...]  # of the request, beside those that every call of its kind has
    returns_headers: tuple[str, ...]
    media_type: str
    answers_503: bool  # with `answer` too, as health does: not with an error


def call(
    summary: str,
    *,
    params: type[msgspec.Struct] = Nothing,
    body: type[msgspec.Struct] | None = None,
    answer: type[Any] | None = None,
    status: int = 200,
    errors: tuple[type[AppError], ...] = (),
    headers: tuple[str, ...] = (),
    returns_headers: tuple[str, ...] = (),
    media_type: str = "application/json",
    answers_503: bool = False,
) -> Callable[[F], F]:
    """Describe a handler's verb; the base handler parses `params` and `body` before it runs."""

    def describe(method: F) -> F:
        method.call = Call(  # type: ignore[attr-defined]
            summary, params, body, answer, status, errors, headers, returns_headers, media_type, answers_503
        )
        return method

    return describe
