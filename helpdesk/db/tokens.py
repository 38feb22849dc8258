"""Queries on sign-in tokens. Only their SHA-256 digests are ever here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import bindparam, func, select

from helpdesk.db.engine import Connection, is_sqlite, row_as, touch
from helpdesk.db.prepared import Prepared
from helpdesk.db.row_locks import RowLock
from helpdesk.db.schema import tokens, users
from helpdesk.terms import Role


class TokenOwner(msgspec.Struct, frozen=True):
    """Whom a token speaks for, and until when."""

    user_id: int
    username: str
    name: str | None
    role: Role
    expires_at: int


_INSERT = tokens.insert()
_OWNER = (
    select(users.c.id, users.c.username, users.c.name, users.c.role, tokens.c.expires_at)
    .join(users, users.c.id == tokens.c.user_id)
    .where(tokens.c.digest == bindparam("digest"), users.c.active)
)
_PREPARED_OWNER = Prepared(_OWNER)
_KEPT_OWNER = RowLock(_OWNER, read=True, of=users)
_LIVING = (
    select(tokens.c.digest, users.c.role)
    .join(users, users.c.id == tokens.c.user_id)
    .where(
        tokens.c.digest.in_(bindparam("digests", expanding=True)),
        users.c.active,
        tokens.c.expires_at > bindparam("now"),
    )
)
_DELETE_OTHERS = (
    tokens.delete()
    .where(tokens.c.user_id == bindparam("row_user"), tokens.c.digest != bindparam("but"))
    .returning(tokens.c.digest)
)
_KEPT = (
    select(tokens.c.digest)
    .where(tokens.c.user_id == bindparam("row_user"))
    .order_by(
        (tokens.c.expires_at > bindparam("now")).desc(),
        func.coalesce(tokens.c.last_used_at, tokens.c.created_at).desc(),
        tokens.c.created_at.desc(),
        tokens.c.digest,
    )
    .limit(bindparam("keep"))
)
_DELETE_UNUSED = (
    tokens.delete()
    .where(tokens.c.user_id == bindparam("row_user"), tokens.c.digest.not_in(_KEPT))
    .returning(tokens.c.digest)
)
_RECORD_USE = (
    tokens.update()
    .where(
        tokens.c.digest == bindparam("row_digest"),
        func.coalesce(tokens.c.last_used_at, 0) < bindparam("used_at"),
    )
    .values(last_used_at=bindparam("used_at"))
)
_DELETE = tokens.delete().where(tokens.c.digest == bindparam("row_digest"))
_DELETE_EXPIRED = tokens.delete().where(
    tokens.c.digest.in_(
        select(tokens.c.digest)
        .where(tokens.c.expires_at <= bindparam("now"))
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)  # one that ends now in another way is ended by that
    )
)


def insert(conn: Connection, *, digest: bytes, user_id: int, created_at: int, expires_at: int) -> None:
    """Keep a new token's digest."""
    conn.execute(
        _INSERT,
        {"digest": digest, "user_id": user_id, "created_at": created_at, "expires_at": expires_at},
    )


def owner(conn: Connection, digest: bytes) -> TokenOwner | None:
    """Whom the token speaks for; None when it is unknown or its account is deactivated."""
    row = conn.execute(_OWNER, {"digest": digest}).first()
    return row_as(TokenOwner, row) if row else None


def kept_owner(conn: Connection, digest: bytes) -> TokenOwner | None:
    """As `owner`; nobody changes the account until this transaction ends."""
    values = {"digest": digest}
    row = _PREPARED_OWNER.first(conn, values) if is_sqlite(conn) else _KEPT_OWNER.take(conn, values)
    return TokenOwner(*row) if row else None


def living(conn: Connection, digests: Collection[bytes], now: int) -> dict[bytes, Role]:
    """Those of the tokens that still work at `now`, each with its owner's role."""
    rows = conn.execute(_LIVING, {"digests": list(digests), "now": now})
    return {row[0]: row[1] for row in rows}


def delete(conn: Connection, digest: bytes) -> None:
    """End one token."""
    conn.execute(_DELETE, {"row_digest": digest})
    touch(conn, "token", digest)


def delete_others(conn: Connection, user_id: int, but: bytes) -> None:
    """End every token of a user but one."""
    for digest in conn.execute(_DELETE_OTHERS, {"row_user": user_id, "but": but}).scalars():
        touch(conn, "token", digest)


def record_uses(conn: Connection, uses: Mapping[bytes, int]) -> None:
    """Note when tokens were last used, by their digests; leave those that were used later still."""
    if uses:  # in one order, so that two who record at once do not wait for each other
        conn.execute(_RECORD_USE, [{"row_digest": digest, "used_at": uses[digest]} for digest in sorted(uses)])


def delete_unused(conn: Connection, user_id: int, now: int, *, keep: int) -> None:
    """End a user's tokens but the `keep` that were used last, those that expired by `now` first."""
    for digest in conn.execute(_DELETE_UNUSED, {"row_user": user_id, "now": now, "keep": keep}).scalars():
        touch(conn, "token", digest)


def delete_expired(conn: Connection, now: int, *, limit: int) -> int:
    """Forget at most `limit` tokens that expired by `now`; the number of them."""
    return conn.execute(_DELETE_EXPIRED, {"now": now, "limit": limit}).rowcount
