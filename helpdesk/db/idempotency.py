"""Queries on the answers kept for repeated requests."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, select

from helpdesk.db.engine import Connection
from helpdesk.db.schema import idempotency
from helpdesk.db.sqlite_connection import Prepared


class KeptAnswer(msgspec.Struct, frozen=True):
    fingerprint: bytes
    by_staff: bool
    status: int
    headers: str
    body: bytes
    created_at: int


_FIND = Prepared(
    select(
        idempotency.c.fingerprint,
        idempotency.c.by_staff,
        idempotency.c.status,
        idempotency.c.headers,
        idempotency.c.body,
        idempotency.c.created_at,
    ).where(idempotency.c.scope == bindparam("scope"), idempotency.c.key == bindparam("key"))
)
_INSERT = Prepared(idempotency.insert().values({c.name: bindparam(c.name) for c in idempotency.c}))
_DELETE = idempotency.delete().where(
    idempotency.c.scope == bindparam("row_scope"), idempotency.c.key == bindparam("row_key")
)
_OLD = (
    select(idempotency.c.scope, idempotency.c.key)
    .where(idempotency.c.created_at <= bindparam("until"))
    .limit(bindparam("limit"))
)


def find(conn: Connection, scope: str, key: str) -> KeptAnswer | None:
    """What is kept under the key, or None."""
    row = _FIND.run(conn, {"scope": scope, "key": key}).fetchone()
    return KeptAnswer(*row) if row else None


def insert(conn: Connection, scope: str, key: str, answer: KeptAnswer) -> None:
    """Keep an answer under a key that has none."""
    _INSERT.run(conn, {"scope": scope, "key": key} | msgspec.structs.asdict(answer))


def delete(conn: Connection, scope: str, key: str) -> None:
    """Forget one key."""
    conn.execute(_DELETE, {"row_scope": scope, "row_key": key})


def delete_older(conn: Connection, until: int, *, limit: int) -> int:
    """Forget at most `limit` answers kept at or before `until`; the number of them."""
    rows = conn.execute(_OLD, {"until": until, "limit": limit}).all()
    if rows:
        conn.execute(_DELETE, [{"row_scope": scope, "row_key": key} for scope, key in rows])
    return len(rows)
