"""Messages about the server itself."""

from __future__ import annotations

import msgspec

from helpdesk.terms import Priority, Role, Status


class Problem(msgspec.Struct, frozen=True):
    """A part of the server that does not work, and what that means."""

    part: str
    message: str


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """`status` is "ok", "degraded" (most of it works) or "unavailable". `problems` is there only when there are any."""

    status: str
    database: str
    version: str
    uptime_seconds: float
    problems: list[Problem] = []


class Limits(msgspec.Struct, frozen=True):
    """What a request may hold. A `rate_limit_requests` of 0 means no limit."""

    title_characters: int
    description_characters: int
    comment_characters: int
    tags: int
    tag_characters: int
    sla_minutes: int
    password_min_characters: int
    password_max_characters: int
    page_items: int
    body_bytes: int
    rate_limit_requests: int
    rate_limit_window_seconds: int
    idempotency_hours: int
    token_days: int


class Meta(msgspec.Struct, frozen=True):
    name: str
    version: str
    mode: str
    roles: tuple[Role, ...]
    statuses: tuple[Status, ...]
    priorities: dict[Priority, int]
    limits: Limits


class ManifestCall(msgspec.Struct, frozen=True):
    method: str
    path: str
    summary: str
    access: str


class DemoAccount(msgspec.Struct, frozen=True):
    username: str
    password: str
    role: Role


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """`demo_accounts` is there in demo mode only."""

    name: str
    description: str
    version: str
    documentation: str
    calls: list[ManifestCall]
    demo_accounts: list[DemoAccount] | None = None
