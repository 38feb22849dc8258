"""Rules of signing in and registering that the API and the plain pages share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from helpdesk.domain.access import Actor
from helpdesk.errors import Forbidden, Unavailable
from helpdesk.terms import Role

T = TypeVar("T")

ATTEMPTS = 5  # each needs somebody who changes the account while its password is being checked


class VerifyAgain(Exception):
    """The account changed while its password was being checked; check again and repeat."""


async def until_verified(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` gives, repeated while it raises VerifyAgain.

    Raises Unavailable after ATTEMPTS, and whatever else `attempt` raises.
    """
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except VerifyAgain:
            continue
    raise Unavailable("The account is being changed at this moment; nothing was done, try again in a moment")


def role_of_new(role: Role | None, *, registered_by: Actor | None, is_demo: bool) -> Role:
    """Return the role of an account that asks for `role`. Raises Forbidden: outside a demo only admins choose one."""
    role = role or "user"
    if role != "user" and not is_demo and (registered_by is None or registered_by.role != "admin"):
        raise Forbidden("Only admins register agents and admins; sign in as one first", "role")
    return role
