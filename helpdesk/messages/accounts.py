"""Messages about people: registering, signing in, and their own accounts."""

from __future__ import annotations

import msgspec

from helpdesk.messages import fields as f
from helpdesk.terms import Role


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    username: f.Username
    password: f.NewPassword
    role: f.RoleField | None = None
    name: f.PersonName | None = None
    email: f.Email | None = None


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    username: f.AnyName
    password: f.Password


class MyChanges(msgspec.Struct, forbid_unknown_fields=True):
    name: f.PersonName | None = None
    email: f.Email | None = None
    password: f.NewPassword | None = None
    current_password: f.Password | None = None


class AccountChanges(msgspec.Struct, forbid_unknown_fields=True):
    role: f.RoleField | None = None
    active: f.Flag | None = None
    name: f.PersonName | None = None
    email: f.Email | None = None


class UsersQuery(msgspec.Struct, forbid_unknown_fields=True):
    role: f.RoleField | None = None
    q: f.Query | None = None
    active: f.Flag | None = None
    limit: f.Limit = f.PAGE_DEFAULT
    offset: f.Offset = 0


class Person(msgspec.Struct, frozen=True):
    """A user as shown inside other objects."""

    id: int
    username: str
    name: str | None
    role: Role


class User(msgspec.Struct, frozen=True):
    id: int
    username: str
    name: str | None
    role: Role
    email: str | None
    active: bool
    created_at: str


class Session(msgspec.Struct, frozen=True):
    token: str
    expires_at: str
    user: User


class UserPage(msgspec.Struct, frozen=True):
    items: list[User]
    next_offset: int | None
