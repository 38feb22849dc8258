"""What can go wrong, as a client sees it. Raised anywhere, rendered once (web/api.py).

Codes and statuses are those of the contract's error table. This module imports nothing of ours.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class StartError(Exception):
    """The server cannot start; the message is one sentence that says what to do.

    `server_advice` ends the sentence where that names options which a server has and other commands have not.
    """

    def __init__(self, what: str, *, server_advice: str = "") -> None:
        super().__init__(f"{what}; {server_advice}" if server_advice else what)
        self.what = what
        self.server_advice = server_advice


@contextmanager
def unforeseen_at_start() -> Iterator[None]:
    """Turn an unhandled exception into a StartError, so that a failed start prints one sentence and no traceback."""
    try:
        yield
    except StartError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise StartError(f"the server cannot start ({type(error).__name__}: {reason}); nothing was served") from error


class AppError(Exception):
    """An answer that is not a success.

    `message` is one plain sentence for the caller. `field` names the body field, query parameter
    or header at fault. `extra` stands beside `error` in the body; `headers` go out with it.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        field: str | None = None,
        *,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.extra = extra or {}
        self.headers = headers or {}


class Internal(AppError):
    pass


class BadJson(AppError):
    status, code = 400, "BAD_JSON"


class FieldRequired(AppError):
    status, code = 400, "FIELD_REQUIRED"


class InvalidField(AppError):
    status, code = 400, "INVALID_FIELD"


class UnknownField(AppError):
    status, code = 400, "UNKNOWN_FIELD"


class InvalidParam(AppError):
    status, code = 400, "INVALID_PARAM"


class InvalidHeader(AppError):
    status, code = 400, "INVALID_HEADER"


class Unauthenticated(AppError):
    status, code = 401, "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__(
            "Sign in first: send your token as 'Authorization: Bearer <token>'",
            headers={"WWW-Authenticate": "Bearer"},
        )


class InvalidToken(AppError):
    status, code = 401, "INVALID_TOKEN"

    def __init__(self) -> None:
        super().__init__(
            "The token is unknown, expired or revoked; sign in again",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class InvalidCredentials(AppError):
    status, code = 401, "INVALID_CREDENTIALS"

    def __init__(self) -> None:
        super().__init__("Incorrect username or password")


class Forbidden(AppError):
    status, code = 403, "FORBIDDEN"


class NotFound(AppError):
    status, code = 404, "NOT_FOUND"

    def __init__(self, what: str = "page") -> None:
        super().__init__(f"There is no such {what}, or you may not see it")


class MethodNotAllowed(AppError):
    status, code = 405, "METHOD_NOT_ALLOWED"

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed here; use one of {allow}", headers={"Allow": allow})


class VersionMismatch(AppError):
    status, code = 409, "VERSION_MISMATCH"


class UsernameTaken(AppError):
    status, code = 409, "USERNAME_TAKEN"

    def __init__(self, username: str) -> None:
        super().__init__(f"The username {username} is taken; choose another", "username")


class LastAdmin(AppError):
    status, code = 409, "LAST_ADMIN"


class TicketClosed(AppError):
    status, code = 409, "TICKET_CLOSED"


class PreconditionFailed(AppError):
    status, code = 412, "PRECONDITION_FAILED"


class PayloadTooLarge(AppError):
    status, code = 413, "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(AppError):
    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class HostNotAllowed(AppError):
    status, code = 421, "HOST_NOT_ALLOWED"


class IdempotencyKeyReused(AppError):
    status, code = 422, "IDEMPOTENCY_KEY_REUSED"

    def __init__(
        self,
        message: str = "This Idempotency-Key was used for another request; create a new key for each request",
        field: str | None = "Idempotency-Key",
    ) -> None:
        super().__init__(message, field)


class RateLimited(AppError):
    status, code = 429, "RATE_LIMIT"

    def __init__(self, message: str, *, retry_after_s: int, field: str | None = None) -> None:
        super().__init__(message, field, headers={"Retry-After": str(retry_after_s)})


class Unavailable(AppError):
    """The database cannot answer now. Nothing was partly done; the caller may retry.

    `cause` is for the log, which shows one line a minute for each; it is never sent.
    """

    status, code = 503, "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_s: int = 2, cause: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_s)})
        self.cause = cause or message


_RESOURCE_ERRNOS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})


def as_unavailable(error: BaseException | None) -> Unavailable | None:
    """Return the Unavailable for an error caused by a lack of memory, descriptors or threads; None for any other."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, MemoryError):
        return Unavailable("The server is short of memory; try again in a moment", cause="out of memory")
    if isinstance(error, OSError) and error.errno in _RESOURCE_ERRNOS:
        return Unavailable("The server is short of resources; try again in a moment", cause=os.strerror(error.errno))
    return None


class Overloaded(Unavailable):
    """Too much work waits already."""

    def __init__(self) -> None:
        super().__init__("The server is overloaded; try again in a moment")


class TooManySignIns(Unavailable):
    """Too many passwords wait to be checked already."""

    def __init__(self) -> None:
        super().__init__("Too many people are signing in; try again in a moment", retry_after_s=10)


class DatabaseAway(Unavailable):
    """The database does not answer, or gives no connection."""

    def __init__(self, *, cause: str | None = None) -> None:
        super().__init__("The database cannot answer now; nothing was changed, try again in a moment", cause=cause)


class RowsHeld(Unavailable):
    """Other transactions held for too long the rows that this one must lock."""

    def __init__(self) -> None:
        super().__init__(
            "Others are changing the same thing; nothing was changed, try again in a moment",
            cause="others held for too long what a transaction needs",
        )


class OutcomeUnknown(Unavailable):
    """The outcome of a commit is unknown."""

    def __init__(self, *, cause: str | None = None) -> None:
        super().__init__(
            "The server could not confirm whether this was stored; repeat the request with the same Idempotency-Key",
            retry_after_s=5,
            cause=cause,
        )


class WriterStopped(Unavailable):
    """The server stops after a fault, and writes no more."""

    def __init__(self) -> None:
        super().__init__(
            "The server stops after a fault and has not done this; repeat the request with the same Idempotency-Key",
            retry_after_s=5,
        )


class TooSlow(Unavailable):
    """What was asked for took longer than one call may."""

    def __init__(self) -> None:
        super().__init__("This took too long and was stopped; ask for less, or try again in a moment", retry_after_s=5)


ALL: tuple[type[AppError], ...] = tuple(AppError.__subclasses__())
