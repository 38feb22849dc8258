"""The rules of signing in, without HTTP."""

from __future__ import annotations

import pytest

from helpdesk.domain.access import Actor
from helpdesk.domain.sign_in import ATTEMPTS, VerifyAgain, role_of_new, until_verified
from helpdesk.errors import Forbidden, Unavailable
from helpdesk.terms import Role


@pytest.mark.gen_test
@pytest.mark.parametrize("changes", [0, 1, ATTEMPTS - 1])
async def test_a_check_is_repeated_while_the_account_changes(changes: int) -> None:
    calls = 0

    async def attempt() -> int:
        nonlocal calls
        calls += 1
        if calls <= changes:
            raise VerifyAgain()
        return calls

    assert await until_verified(attempt) == changes + 1


@pytest.mark.gen_test
async def test_an_account_that_changes_at_each_check_is_given_up() -> None:
    calls = 0

    async def attempt() -> None:
        nonlocal calls
        calls += 1
        raise VerifyAgain()

    with pytest.raises(Unavailable):
        await until_verified(attempt)
    assert calls == ATTEMPTS


@pytest.mark.parametrize("role", ["agent", "admin"])
def test_only_admins_give_roles_outside_a_demo(role: Role) -> None:
    def actor(its_role: Role) -> Actor:
        return Actor(1, "ana", None, its_role, b"")

    assert role_of_new(role, registered_by=actor("admin"), is_demo=False) == role
    assert role_of_new(role, registered_by=None, is_demo=True) == role
    for caller in (None, actor("user"), actor("agent")):
        assert role_of_new(None, registered_by=caller, is_demo=False) == "user"
        with pytest.raises(Forbidden):
            role_of_new(role, registered_by=caller, is_demo=False)
