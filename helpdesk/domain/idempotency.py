"""Idempotency keys: a request's effect and its stored response are committed in one transaction.

Follows the IETF draft "The Idempotency-Key HTTP Header Field", and the contract's section 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from helpdesk.clock import HOUR_MS
from helpdesk.db import idempotency as store
from helpdesk.db.engine import Connection
from helpdesk.db.idempotency import KeptAnswer
from helpdesk.errors import IdempotencyKeyReused, NotFound
from helpdesk.messages.encoding import encode

FORGET_STEP = 100  # keys deleted in one transaction; their responses may be large


class Answer(msgspec.Struct, frozen=True):
    """A successful response. `replayed` is true if an earlier request with the same key did the work."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}
    replayed: bool = False


class Claim(msgspec.Struct, frozen=True):
    """A request with an idempotency key. `scope` is the key's owner; `fingerprint` identifies the request."""

    scope: str
    key: str
    fingerprint: bytes
    by_staff: bool
    now: int
    keep_hours: int


def fingerprint(method: str, path: str, body: dict[str, Any], *, secrets: tuple[str, ...] = ()) -> bytes:
    """Return the SHA-256 of what identifies a request: method, path and parsed body.

    The fields named in `secrets` are left out, because a stored digest of a password can be used to guess it.
    The caller must compare those fields in another way.
    """
    shown = {name: value for name, value in body.items() if name not in secrets}
    return hashlib.sha256(msgspec.json.encode([method, path, shown], order="sorted")).digest()


def once(
    conn: Connection,
    claim: Claim | None,
    work: Callable[[Connection], Answer],
    replay: Callable[[Connection, Answer], Answer] | None = None,
    keep: Callable[[Answer], Answer] = lambda answer: answer,
    *,
    still_visible: Callable[[Connection, Answer], bool] = lambda conn, answer: False,
) -> Answer:
    """Run `work`, or return the stored response if the key was used for this request before.

    `keep` turns a response into the one that is stored (without its secrets), `replay` turns the stored one into
    the one that is returned. `still_visible` says whether a caller who was an agent then may still see it as a
    requester. Raise NotFound if not, and IdempotencyKeyReused if the key belongs to another request.
    """
    if claim is None:
        return work(conn)
    expired = claim.now - claim.keep_hours * HOUR_MS
    while (kept := store.claim(conn, claim.scope, claim.key, now=claim.now)) is not None:
        if kept.created_at > expired:
            answer = _kept_answer(claim, kept)
            if kept.by_staff and not claim.by_staff and not still_visible(conn, answer):
                raise NotFound("ticket")
            return replace(replay(conn, answer), replayed=True) if replay else answer
        store.delete(conn, claim.scope, claim.key, until=expired)
    answer = work(conn)
    stored = keep(answer)
    store.fill(
        conn,
        claim.scope,
        claim.key,
        KeptAnswer(
            fingerprint=claim.fingerprint,
            by_staff=claim.by_staff,
            status=stored.status,
            headers=encode(stored.headers).decode(),
            body=stored.body,
            created_at=claim.now,
        ),
    )
    return answer


def _kept_answer(claim: Claim, kept: KeptAnswer) -> Answer:
    if kept.fingerprint != claim.fingerprint:
        raise IdempotencyKeyReused()
    return Answer(kept.status, kept.body, msgspec.json.decode(kept.headers), replayed=True)


def forget(conn: Connection, *, now: int, keep_hours: int) -> int:
    """Delete up to FORGET_STEP expired responses and return how many were deleted. Call again until it returns 0."""
    return store.delete_older(conn, now - keep_hours * HOUR_MS, limit=FORGET_STEP)
