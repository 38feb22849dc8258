"""Accounts and sessions. Password hashing is slow and lives in helpdesk/passwords.py."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from msgspec.structs import replace

from helpdesk.clock import DAY_MS, rfc3339
from helpdesk.db import tokens as token_store
from helpdesk.db import users as store
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import access, views
from helpdesk.domain.access import Actor
from helpdesk.domain.sign_in import VerifyAgain
from helpdesk.errors import InvalidCredentials, InvalidField, LastAdmin, NotFound, UsernameTaken
from helpdesk.messages.accounts import (
    AccountChanges,
    MyChanges,
    NewAccount,
    Session,
    User,
    UserPage,
    UsersQuery,
)
from helpdesk.terms import Role

SESSIONS_MAX = 100  # of one account
FORGET_STEP = 200  # expired tokens deleted in one transaction
TOKEN_BYTES = 32  # 256 bits from the system's random source, the minimum in the contract


def token_digest(token: str) -> bytes:
    """Return the SHA-256 digest of a token; the token itself is never stored."""
    return hashlib.sha256(token.encode()).digest()


def actor_of(conn: Connection, digest: bytes) -> tuple[Actor, int] | None:
    """Return the token's owner and when the token expires; None if it is unknown or revoked."""
    owner = token_store.owner(conn, digest)
    if owner is None:
        return None
    return Actor(owner.user_id, owner.username, owner.name, owner.role, digest), owner.expires_at


def register(conn: Connection, new: NewAccount, *, password_hash: str, role: Role, now: int) -> UserRow:
    """Create an account and return it. Raise UsernameTaken if the name is in use."""
    user_id = store.insert(
        conn,
        username=new.username,
        name=new.name or None,
        email=new.email or None,
        role=role,
        password_hash=password_hash,
        created_at=now,
    )
    user = store.by_id(conn, user_id) if user_id is not None else None
    if user is None:
        raise UsernameTaken(new.username)
    return user


def start_session(
    conn: Connection, user: UserRow, *, now: int, token_days: int, uses: Mapping[bytes, int] | None = None
) -> Session:
    """Create a session for `user`, whose password was checked against this very row.

    An account has at most SESSIONS_MAX sessions; beyond that the least recently used one ends. `uses` holds the
    times at which the account's tokens were used that are not in the database yet. Raise VerifyAgain if the
    password was changed meanwhile, InvalidCredentials if the account was deactivated.
    """
    store.lock(conn, user.id)  # otherwise a concurrent password change could revoke every token but this one
    present = store.by_id(conn, user.id)
    if present is None or present.password_hash != user.password_hash:
        raise VerifyAgain()
    if not present.active:
        raise InvalidCredentials()
    token_store.record_uses(conn, uses or {})
    token_store.delete_unused(conn, user.id, now, keep=SESSIONS_MAX - 1)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + token_days * DAY_MS
    token_store.insert(conn, digest=token_digest(token), user_id=user.id, created_at=now, expires_at=expires_at)
    return Session(token, rfc3339(expires_at), views.user(present))


def record_uses(conn: Connection, uses: Mapping[bytes, int]) -> None:
    """Record when sessions were last used, keyed by token digest."""
    token_store.record_uses(conn, uses)


def end_session(conn: Connection, actor: Actor) -> None:
    """Revoke the actor's token."""
    token_store.delete(conn, actor.token_digest)


def read(conn: Connection, user_id: int) -> User:
    """Return the user. Raise NotFound."""
    return views.user(_existing(conn, user_id))


def page(conn: Connection, query: UsersQuery) -> UserPage:
    """Return a page of users, ordered by id."""
    rows = store.page(
        conn,
        role=query.role,
        prefix=query.q,
        active=query.active,
        limit=query.limit + 1,
        offset=query.offset,
    )
    more = len(rows) > query.limit
    return UserPage([views.user(r) for r in rows[: query.limit]], query.offset + query.limit if more else None)


def change_own(
    conn: Connection, actor: Actor, changes: MyChanges, *, verified: UserRow | None, password_hash: str | None
) -> User:
    """Change the actor's own account and return it. A new password revokes every other token.

    `verified` is the row that current_password was checked against; `password_hash` is None if it is wrong. Raise
    InvalidField for that, and VerifyAgain if the password has changed since that row was read.
    """
    if changes.password is not None and password_hash is None:
        raise InvalidField("current_password is wrong", "current_password")
    store.lock(conn, actor.id)
    user = _existing(conn, actor.id)
    after = _with_names(user, changes.name, changes.email)
    if password_hash is not None:
        if verified is None or verified.password_hash != user.password_hash:
            raise VerifyAgain()
        after = replace(after, password_hash=password_hash)
        token_store.delete_others(conn, actor.id, but=actor.token_digest)
    if after != user:
        store.update(conn, after, was=user)
    return views.user(after)


def change(conn: Connection, user_id: int, changes: AccountChanges, *, by: Actor | None = None) -> User:
    """Change an account on behalf of an admin (`by`) and return it. Deactivating an account revokes its tokens.

    Raise NotFound, LastAdmin if no active admin would be left, or ActorChanged if `by` is no longer an admin.
    """
    store.lock_admins(conn)
    store.lock(conn, user_id)
    if by is not None:
        access.confirm(conn, by)  # before the update, which may change the admin's own role
    user = _existing(conn, user_id)
    after = replace(
        _with_names(user, changes.name, changes.email),
        role=changes.role or user.role,
        active=user.active if changes.active is None else changes.active,
    )
    if _is_admin(user) and not _is_admin(after) and store.count_other_admins(conn, user_id) == 0:
        raise LastAdmin("This is the last active admin; create another one first")
    if after != user:
        store.update(conn, after, was=user)
    if not after.active:
        token_store.delete_others(conn, user_id, but=b"")
    return views.user(after)


def _existing(conn: Connection, user_id: int) -> UserRow:
    user = store.by_id(conn, user_id)
    if user is None:
        raise NotFound("user")
    return user


def _is_admin(user: UserRow) -> bool:
    return user.role == "admin" and bool(user.active)


def _with_names(user: UserRow, name: str | None, email: str | None) -> UserRow:
    """Return the user with the new name and email. None keeps a value, an empty string removes it."""
    return replace(
        user,
        name=user.name if name is None else name or None,
        email=user.email if email is None else email or None,
    )


def forget_expired_tokens(conn: Connection, *, now: int) -> int:
    """Delete up to FORGET_STEP expired tokens and return how many were deleted. Call again until it returns 0."""
    return token_store.delete_expired(conn, now, limit=FORGET_STEP)
