"""Accounts and their tokens: names, sessions, and the admin that must stay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from helpdesk.clock import DAY_MS, rfc3339
from helpdesk.db import users
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor
from helpdesk.domain.sign_in import VerifyAgain
from helpdesk.errors import InvalidCredentials, LastAdmin, NotFound, UsernameTaken
from helpdesk.messages.accounts import AccountChanges, MyChanges, NewAccount, UsersQuery
from helpdesk.terms import ROLES, Role

NOW = 1_700_000_000_000


def made(conn: Connection, username: str, role: Role = "user", **fields: Any) -> UserRow:
    new = NewAccount(username, "correct horse", **fields)
    return accounts.register(conn, new, password_hash=f"hash of {username}", role=role, now=NOW)


def signed_in(conn: Connection, user: UserRow) -> tuple[str, Actor]:
    session = accounts.start_session(conn, user, now=NOW, token_days=30)
    found = accounts.actor_of(conn, accounts.token_digest(session.token))
    assert found is not None
    return session.token, found[0]


def works(conn: Connection, token: str) -> bool:
    return accounts.actor_of(conn, accounts.token_digest(token)) is not None


@pytest.mark.parametrize("name", ["ana", "ANA", "aNa"])
def test_a_name_is_taken_in_every_case(conn: Connection, name: str) -> None:
    first = made(conn, "Ana")
    with pytest.raises(UsernameTaken) as refusal:
        made(conn, name)
    assert refusal.value.field == "username"
    assert users.by_username(conn, name) == first
    assert first.username == "Ana"


def test_a_token_is_kept_as_a_digest_only(conn: Connection) -> None:
    session = accounts.start_session(conn, made(conn, "ana"), now=NOW, token_days=30)
    assert len(session.token) >= 43  # 256 bits in base64
    stored = conn.exec_driver_sql("SELECT digest FROM tokens").scalars().all()
    assert stored == [accounts.token_digest(session.token)]
    assert session.token.encode() not in stored


def test_a_token_says_until_when_it_works(conn: Connection) -> None:
    session = accounts.start_session(conn, made(conn, "ana"), now=NOW, token_days=7)
    found = accounts.actor_of(conn, accounts.token_digest(session.token))
    assert found is not None
    assert found[1] == NOW + 7 * DAY_MS
    assert session.expires_at == rfc3339(found[1])


def test_a_session_needs_the_password_that_was_checked(conn: Connection) -> None:
    checked = made(conn, "ana")
    users.update(conn, replace(checked, password_hash="another"), was=checked)
    with pytest.raises(VerifyAgain):
        accounts.start_session(conn, checked, now=NOW, token_days=30)


def test_a_deactivated_account_gets_no_session(conn: Connection) -> None:
    user = made(conn, "ana")
    users.update(conn, replace(user, active=False), was=user)
    with pytest.raises(InvalidCredentials):
        accounts.start_session(conn, user, now=NOW, token_days=30)


def test_signing_out_ends_one_token(conn: Connection) -> None:
    user = made(conn, "ana")
    (token, actor), (other, _) = signed_in(conn, user), signed_in(conn, user)
    accounts.end_session(conn, actor)
    assert (works(conn, token), works(conn, other)) == (False, True)


def test_a_new_password_ends_every_other_token_of_that_user(conn: Connection) -> None:
    user, bystander = made(conn, "ana"), made(conn, "bob")
    (token, actor), (other, _), (bobs, _) = (signed_in(conn, u) for u in (user, user, bystander))
    accounts.change_own(conn, actor, MyChanges(), verified=user, password_hash="new")
    assert [works(conn, t) for t in (token, other, bobs)] == [True, False, True]
    stored = users.by_id(conn, user.id)
    assert stored is not None and stored.password_hash == "new"


def test_a_new_password_is_refused_when_the_present_one_was_another(conn: Connection) -> None:
    user = made(conn, "ana")
    token, actor = signed_in(conn, user)
    other, _ = signed_in(conn, user)
    for verified in (None, replace(user, password_hash="older")):
        with pytest.raises(VerifyAgain):
            accounts.change_own(conn, actor, MyChanges(name="Ana"), verified=verified, password_hash="new")
    assert users.by_id(conn, user.id) == user
    assert works(conn, token) and works(conn, other)


def test_an_empty_name_takes_it_away_and_none_leaves_it(conn: Connection) -> None:
    user = made(conn, "ana", name="Ana", email="ana@example.com")
    changed = accounts.change(conn, user.id, AccountChanges(name=""))
    assert (changed.name, changed.email) == (None, "ana@example.com")


@pytest.mark.parametrize("changes", [AccountChanges(role="agent"), AccountChanges(active=False)])
def test_the_last_active_admin_stays(conn: Connection, changes: AccountChanges) -> None:
    first, second, asleep = (made(conn, name, "admin") for name in ("first", "second", "asleep"))
    accounts.change(conn, asleep.id, AccountChanges(active=False))
    accounts.change(conn, second.id, changes)
    before = users.by_id(conn, first.id)
    with pytest.raises(LastAdmin):
        accounts.change(conn, first.id, changes)
    assert users.by_id(conn, first.id) == before
    assert accounts.change(conn, first.id, AccountChanges(name="Still here")).role == "admin"


def test_deactivating_ends_all_tokens_and_they_do_not_come_back(conn: Connection) -> None:
    user, bystander = made(conn, "ana"), made(conn, "bob")
    (token, _), (bobs, _) = signed_in(conn, user), signed_in(conn, bystander)
    accounts.change(conn, user.id, AccountChanges(active=False))
    assert (works(conn, token), works(conn, bobs)) == (False, True)
    accounts.change(conn, user.id, AccountChanges(active=True))
    assert not works(conn, token)


def test_a_token_speaks_with_the_present_role(conn: Connection) -> None:
    user = made(conn, "ana")
    token, _ = signed_in(conn, user)
    accounts.change(conn, user.id, AccountChanges(role="agent"))
    found = accounts.actor_of(conn, accounts.token_digest(token))
    assert found is not None and found[0].role == "agent"


def test_nobody_is_not_found(conn: Connection) -> None:
    with pytest.raises(NotFound):
        accounts.read(conn, 999)
    with pytest.raises(NotFound):
        accounts.change(conn, 999, AccountChanges(name="Nobody"))


def test_expired_tokens_are_forgotten_at_their_moment(conn: Connection) -> None:
    user = made(conn, "ana")
    token, _ = signed_in(conn, user)
    accounts.forget_expired_tokens(conn, now=NOW + 30 * DAY_MS - 1)
    assert works(conn, token)
    accounts.forget_expired_tokens(conn, now=NOW + 30 * DAY_MS)
    assert conn.exec_driver_sql("SELECT count(*) FROM tokens").scalar_one() == 0


@given(
    role=st.none() | st.sampled_from(ROLES),
    active=st.none() | st.booleans(),
    q=st.sampled_from([None, "", "a", "AN", "an_", "%", "é", "zo"]),
    limit=st.integers(1, 5),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_together_are_all_who_match(
    conn: Connection, role: Role | None, active: bool | None, q: str | None, limit: int
) -> None:
    if users.is_empty(conn):
        for n, name in enumerate(["Ana", "anton", "an_ne", "Zoe", "bert", "carl", "dora"]):
            user = made(conn, name, ROLES[n % 3], name=["Étienne", "Zoë", ""][n % 3])
            users.update(conn, replace(user, active=n % 4 != 0), was=user)
    everybody = [users.by_id(conn, n) for n in range(1, 8)]
    expected = [
        user.id
        for user in everybody
        if user is not None
        and (role is None or user.role == role)
        and (active is None or bool(user.active) == active)
        and (not q or any((name or "").casefold().startswith(q.casefold()) for name in (user.username, user.name)))
    ]
    seen: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = accounts.page(conn, UsersQuery(role, q, active, limit, offset))
        assert page.items or offset == 0, "next_offset pointed at an empty page"
        seen += [user.id for user in page.items]
        offset = page.next_offset
    assert seen == expected
