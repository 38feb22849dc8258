"""An account has at most 100 sessions, and a new one ends the one that was used longest ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from helpdesk.caches import session_uses
from helpdesk.caches.session_uses import SessionUses
from helpdesk.db.engine import Connection, take_touched
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor
from helpdesk.domain.accounts import SESSIONS_MAX, token_digest
from helpdesk.errors import Unavailable
from tests.conftest import Api
from tests.domain.test_accounts_domain import NOW, made
from tests.handlers.test_plain import Browser

LOGIN = "/api/auth/login"
PASSWORD = "correct horse"
DAY_MS = 86_400_000


def session(conn: Connection, name: str, now: int, **options: Any) -> str:
    """A new session's token, of an account that is made when there is none."""
    user = accounts.store.by_username(conn, name) or made(conn, name)
    return accounts.start_session(conn, user, now=now, token_days=30, **options).token


def alive(conn: Connection, tokens: list[str], now: int = NOW) -> list[bool]:
    found = (accounts.actor_of(conn, token_digest(token)) for token in tokens)
    return [actor is not None and actor[1] > now for actor in found]


def test_the_session_used_longest_ago_ends_and_others_accounts_do_not_count(conn: Connection) -> None:
    others = [session(conn, "ben", NOW + n) for n in range(3)]
    tokens = [session(conn, "ana", NOW + n) for n in range(SESSIONS_MAX)]
    accounts.record_uses(conn, {token_digest(tokens[0]): NOW + 500, token_digest(tokens[1]): NOW + 400})
    take_touched(conn)
    tokens.append(session(conn, "ana", NOW + 600))
    assert alive(conn, tokens) == [n != 2 for n in range(SESSIONS_MAX + 1)]
    assert take_touched(conn)["token"] == {token_digest(tokens[2])}
    for n in range(97):
        session(conn, "ana", NOW + 700 + n)
    assert alive(conn, [*tokens[:2], tokens[-1]]) == [True, True, True]
    session(conn, "ana", NOW + 800)
    assert alive(conn, [*tokens[:2], tokens[-1]]) == [True, False, True]
    assert alive(conn, others) == [True] * 3


def test_what_is_not_recorded_yet_counts_and_is_recorded(conn: Connection) -> None:
    tokens = [session(conn, "ana", NOW + n) for n in range(SESSIONS_MAX)]
    session(conn, "ana", NOW + 600, uses={token_digest(tokens[0]): NOW + 500})
    session(conn, "ana", NOW + 601)
    assert alive(conn, tokens)[:4] == [True, False, False, True]


def test_an_expired_session_ends_first_however_late_it_was_used(conn: Connection) -> None:
    user = made(conn, "ana")
    first = accounts.start_session(conn, user, now=NOW, token_days=1).token
    tokens = [session(conn, "ana", NOW + n) for n in range(SESSIONS_MAX - 1)]
    accounts.record_uses(conn, {token_digest(first): NOW + DAY_MS - 1})
    tokens.append(session(conn, "ana", NOW + DAY_MS))
    assert alive(conn, [first, *tokens]) == [False] + [True] * SESSIONS_MAX


def test_a_use_is_recorded_once_and_never_set_back(conn: Connection) -> None:
    tokens = [session(conn, "ana", NOW + n) for n in range(SESSIONS_MAX)]
    digests = [token_digest(token) for token in tokens]
    accounts.record_uses(conn, {digests[0]: NOW + 900})
    accounts.record_uses(conn, {digests[0]: NOW - 5, b"nobody's": NOW + 5, digests[1]: NOW + 950})
    session(conn, "ana", NOW + 600)
    assert alive(conn, tokens)[:3] == [True, True, False]


def test_an_account_with_too_many_sessions_of_an_earlier_release_is_brought_down_at_once(conn: Connection) -> None:
    user = made(conn, "ana")
    for n in range(250):
        accounts.token_store.insert(conn, digest=b"%d" % n, user_id=user.id, created_at=NOW + n, expires_at=2**60)
    session(conn, "ana", NOW + 600)
    kept = conn.exec_driver_sql("SELECT count(*) FROM tokens").scalar_one()
    assert kept == SESSIONS_MAX and accounts.actor_of(conn, b"150") is None and accounts.actor_of(conn, b"151")


async def sign_in(api: Api) -> str:
    api.clock.advance(seconds=1)
    response = await api.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert response.status == 200
    return str(response.json["token"])


@pytest.mark.gen_test
async def test_a_session_in_use_outlives_a_hundred_new_ones(api: Api) -> None:
    in_use = (await api.register(username="ana"))["token"]
    idle = await sign_in(api)
    for _ in range(SESSIONS_MAX - 2):
        await sign_in(api)
    api.clock.advance(seconds=1)
    assert (await api.get("/api/me", token=in_use)).status == 200
    await sign_in(api)
    assert (await api.get("/api/me", token=in_use)).status == 200
    ended = await api.get("/api/me", token=idle)
    assert (ended.status, ended.code) == (401, "INVALID_TOKEN")


@pytest.mark.gen_test
async def test_every_door_ends_the_session_used_longest_ago(api: Api) -> None:
    tokens = [(await api.register(username="ana"))["token"]]
    tokens += [await sign_in(api) for _ in range(SESSIONS_MAX - 1)]
    for open_door in (lambda: Browser(api).sign_in("ana"), lambda: api.post(LOGIN, BODY, key="k"), lambda: replay(api)):
        api.clock.advance(seconds=1)
        assert (await open_door()).status in (200, 201, 303)
    statuses = [(await api.get("/api/me", token=token)).status for token in tokens[:4]]
    assert statuses == [401, 401, 401, 200]


BODY = {"username": "ana", "password": PASSWORD}


async def replay(api: Api) -> Any:
    return await api.post(LOGIN, BODY, key="k")


@pytest.mark.gen_test
async def test_uses_are_recorded_in_steps_and_what_fails_stays_noted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_uses, "STEP", 2)
    tokens = [await api.token() for _ in range(5)]
    api.clock.advance(minutes=10)
    for token in tokens:
        await api.get("/api/me", token=token)
    uses, written = api.desk.sessions.uses, []
    write = api.desk.db.write_promptly

    async def fails_later(fn: Callable[[Connection], Any]) -> Any:
        if len(written) == 1:
            raise Unavailable("the disk is full")
        written.append(await write(fn))

    with monkeypatch.context() as patch:
        patch.setattr(api.desk.db, "write_promptly", fails_later)
        with pytest.raises(Unavailable):
            await uses.record()
    assert len(uses) == 3
    await uses.record()
    assert len(uses) == 0

    def recorded(conn: Connection) -> set[int]:
        return set(conn.exec_driver_sql("SELECT last_used_at FROM tokens").scalars())

    assert await api.desk.db.read(recorded) == {api.clock.now()}


@pytest.mark.gen_test
async def test_what_is_noted_is_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_uses, "ACCOUNTS_MAX", 10)
    uses = SessionUses(api.desk.db)
    for n in range(50):
        uses.note(Actor(n, f"user{n}", None, "user", b"%d" % n), 1)
    assert len(uses) == 10 and uses.of(49) == {b"49": 1} and uses.of(0) == {}
