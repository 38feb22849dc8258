"""Queries on people."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import ColumnElement, bindparam, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk.db.engine import Connection, is_sqlite, row_as, touch
from helpdesk.db.row_locks import RowLock, may_wait
from helpdesk.db.schema import users
from helpdesk.folding import name_key
from helpdesk.terms import Role


class UserRow(msgspec.Struct, frozen=True):
    id: int
    username: str
    name: str | None
    email: str | None
    role: Role
    password_hash: str
    active: bool
    created_at: int


_COLUMNS = (
    users.c.id,
    users.c.username,
    users.c.name,
    users.c.email,
    users.c.role,
    users.c.password_hash,
    users.c.active,
    users.c.created_at,
)
_BY_ID = select(*_COLUMNS).where(users.c.id == bindparam("id"))
_BY_KEY = select(*_COLUMNS).where(users.c.username_key == bindparam("key"))
_STAFF_AMONG = select(users.c.id).where(
    users.c.id.in_(bindparam("ids", expanding=True)), users.c.role != "user", users.c.active
)
_IS_EMPTY = select(~exists(select(users.c.id)))
_LOCK = RowLock(select(users.c.id).where(users.c.id == bindparam("id")))
_KEPT_BY_ID = RowLock(_BY_ID, read=True)
_LOCK_ADMINS = select(users.c.id).where(users.c.role == "admin").order_by(users.c.id).with_for_update(key_share=True)
_INSERTS = {
    name: kind.insert(users).on_conflict_do_nothing(index_elements=["username_key"]).returning(users.c.id)
    for name, kind in (("sqlite", sqlite), ("postgresql", postgresql))
}
_UPDATE = (
    users.update()
    .where(users.c.id == bindparam("row_id"))
    .values({c: bindparam(c) for c in ("name", "name_key", "email", "role", "password_hash", "active")})
)
_LAST = "\U0010ffff"  # after every other character
_OTHER_ADMINS = select(func.count()).where(users.c.role == "admin", users.c.active, users.c.id != bindparam("id"))


def username_key(username: str) -> str:
    """Return a username as it is compared everywhere: without the case of ASCII letters, the only ones it may have.

    `casefold` would make ASCII letters of others, so that `uſer` would be `user`.
    """
    return username.lower() if username.isascii() else username


def lock(conn: Connection, user_id: int) -> None:
    """Until this transaction ends, nobody else changes the user: what is read next stays true."""
    if not is_sqlite(conn):
        _LOCK.take(conn, {"id": user_id})


def lock_admins(conn: Connection) -> None:
    """The same for all admins, so that two of them do not demote each other."""
    if not is_sqlite(conn):
        with may_wait(conn):  # which it seldom does; admins are seldom changed
            conn.execute(_LOCK_ADMINS)


def by_id(conn: Connection, user_id: int) -> UserRow | None:
    """Return the user, or None."""
    row = conn.execute(_BY_ID, {"id": user_id}).first()
    return row_as(UserRow, row) if row else None


def kept_by_id(conn: Connection, user_id: int) -> UserRow | None:
    """Return the user, or None; nobody changes it until this transaction ends."""
    row = _KEPT_BY_ID.take(conn, {"id": user_id})
    return row_as(UserRow, row) if row else None


def staff_among(conn: Connection, ids: Collection[int]) -> set[int]:
    """Return those of the users who are active agents or admins."""
    return set(conn.execute(_STAFF_AMONG, {"ids": list(ids)}).scalars()) if ids else set()


def by_username(conn: Connection, username: str) -> UserRow | None:
    """Return the user of that name, compared without case, or None."""
    row = conn.execute(_BY_KEY, {"key": username_key(username)}).first()
    return row_as(UserRow, row) if row else None


def is_empty(conn: Connection) -> bool:
    """Whether nobody has an account yet. People are never removed, so this is true only once."""
    return bool(conn.execute(_IS_EMPTY).scalar())


def insert(
    conn: Connection,
    *,
    username: str,
    name: str | None,
    email: str | None,
    role: Role,
    password_hash: str,
    created_at: int,
) -> int | None:
    """Insert a user and return its id, or None if the name is taken."""
    values = {
        "username": username,
        "username_key": username_key(username),
        "name": name,
        "name_key": name_key(name or ""),
        "email": email,
        "role": role,
        "password_hash": password_hash,
        "active": True,
        "created_at": created_at,
    }
    return conn.execute(_INSERTS[conn.dialect.name], values).scalar()


def update(conn: Connection, user: UserRow, *, was: UserRow) -> None:
    """Write all of `user` that may change: name, email, role, password and whether it is active."""
    conn.execute(
        _UPDATE,
        {
            "row_id": user.id,
            "name": user.name,
            "name_key": name_key(user.name or ""),
            "email": user.email,
            "role": user.role,
            "password_hash": user.password_hash,
            "active": user.active,
        },
    )
    touch(conn, "user", user.id)
    if (user.role, bool(user.active)) != (was.role, bool(was.active)):
        touch(conn, "access", user.id)


def count_other_admins(conn: Connection, user_id: int) -> int:
    """How many active admins there are beside this user."""
    return conn.execute(_OTHER_ADMINS, {"id": user_id}).scalar_one()


def page(
    conn: Connection, *, role: Role | None, prefix: str | None, active: bool | None, limit: int, offset: int
) -> list[UserRow]:
    """People in the order of their ids; `prefix` begins their username or, folded, their name."""
    query = select(*_COLUMNS).order_by(users.c.id).limit(limit).offset(offset)
    if role is not None:
        query = query.where(users.c.role == role)
    if active is not None:
        query = query.where(users.c.active == active)
    if prefix:
        username, name = username_key(prefix), name_key(prefix)
        begins: ColumnElement[bool] = users.c.username_key.between(username, username + _LAST)
        if name:  # empty where the prefix is punctuation, which begins no name
            begins = or_(begins, users.c.name_key.between(name, name + _LAST))
        query = query.where(begins)
    return [row_as(UserRow, row) for row in conn.execute(query)]
