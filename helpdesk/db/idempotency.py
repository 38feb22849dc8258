"""Queries on the answers kept for repeated requests."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql

from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.prepared import Prepared
from helpdesk.db.row_locks import may_wait
from helpdesk.db.schema import idempotency


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
_VALUES: dict[str, Any] = {c.name: bindparam(c.name) for c in idempotency.c}
_INSERT = Prepared(idempotency.insert().values(_VALUES))
# Its rowcount tells nothing (psycopg gives -1); the row that comes back, or does not, does. Whoever claims a
# key holds an advisory lock on it: an INSERT alone would wait, without a limit, for a rival's transaction.
_LOCK = bindparam("lock", type_=BigInteger)
_CLAIM = (
    insert_on_postgresql(idempotency)
    .from_select(
        [c.name for c in idempotency.c],
        select(*(bindparam(c.name, type_=c.type) for c in idempotency.c)).where(func.pg_try_advisory_xact_lock(_LOCK)),
    )
    .on_conflict_do_nothing()
    .returning(idempotency.c.status)
)
_WAIT = select(func.pg_advisory_xact_lock(_LOCK))
_OURS = 18501 << 48  # marks these locks; 18500 are those of timeline.horizon
_THIS_KEY = (idempotency.c.scope == bindparam("row_scope"), idempotency.c.key == bindparam("row_key"))
_FILL = idempotency.update().where(*_THIS_KEY)
# Not a newer answer, which another process may have put in the place of the one that was read.
_DELETE = idempotency.delete().where(*_THIS_KEY, idempotency.c.created_at <= bindparam("until"))
_OLD = (
    select(idempotency.c.scope, idempotency.c.key)
    .where(idempotency.c.created_at <= bindparam("until"))
    .limit(bindparam("limit"))
)
_UNANSWERED: dict[str, Any] = {"fingerprint": b"", "by_staff": False, "status": 0, "headers": "{}", "body": b""}


def claim(conn: Connection, scope: str, key: str, *, now: int) -> KeptAnswer | None:
    """What is kept under the key; None when there is nothing and the key is this transaction's to `fill`.

    Where others write at the same time, it waits for one that has the key: either that one commits, and
    its answer is given, or it fails, and the key is free.
    """
    names = {"scope": scope, "key": key}
    if is_sqlite(conn):
        row = _FIND.first(conn, names)
        return KeptAnswer(*row) if row else None
    lock = {"lock": _lock(scope, key)}
    while True:
        if conn.execute(_CLAIM, _UNANSWERED | names | lock | {"created_at": now}).first() is not None:
            return None
        row = _FIND.first(conn, names)
        if row is not None:
            return KeptAnswer(*row)
        # A rival has the key, or it was forgotten in between by another process: claim it again.
        with may_wait(conn):
            conn.execute(_WAIT, lock)


def _lock(scope: str, key: str) -> int:
    """Return the number of the advisory lock on a key. Two that share one wait for each other, no more."""
    digest = hashlib.sha256(f"{scope}\n{key}".encode()).digest()
    return _OURS | int.from_bytes(digest[:6])


def fill(conn: Connection, scope: str, key: str, answer: KeptAnswer) -> None:
    """Keep an answer under a key that this transaction has claimed."""
    values = msgspec.structs.asdict(answer)
    if is_sqlite(conn):
        _INSERT.run(conn, {"scope": scope, "key": key} | values)
    else:
        conn.execute(_FILL, {"row_scope": scope, "row_key": key} | values)


def delete(conn: Connection, scope: str, key: str, *, until: int) -> None:
    """Forget the answer under one key, if it was kept at or before `until`; others claim the key only after this."""
    if not is_sqlite(conn):
        with may_wait(conn):  # a rival that claims it: it would wait for us in turn
            conn.execute(_WAIT, {"lock": _lock(scope, key)})
    conn.execute(_DELETE, {"row_scope": scope, "row_key": key, "until": until})


def delete_older(conn: Connection, until: int, *, limit: int) -> int:
    """Forget at most `limit` answers kept at or before `until`; the number of them."""
    rows = conn.execute(_OLD, {"until": until, "limit": limit}).all()
    if rows:
        conn.execute(_DELETE, [{"row_scope": scope, "row_key": key, "until": until} for scope, key in rows])
    return len(rows)
