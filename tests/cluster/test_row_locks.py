"""Rows that somebody holds: who waits for them, who is refused, and who goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from helpdesk.db import idempotency, row_locks
from helpdesk.db import tickets as ticket_store
from helpdesk.db import tokens as token_store
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection, Database
from helpdesk.db.engines import postgres_connection, postgres_lanes
from helpdesk.domain import access, accounts, tickets
from helpdesk.domain.access import Actor, ActorChanged
from helpdesk.errors import RowsHeld, Unavailable
from helpdesk.messages.accounts import AccountChanges
from helpdesk.messages.tickets import NewTicket
from tests.conftest import START
from tests.databases import PostgresDatabases
from tests.services import Postgres

pytestmark = pytest.mark.gen_test

CALLERS = 20


@pytest.fixture
def made(postgres: Postgres) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(postgres)
    yield databases
    databases.remove_all()


class Desk:
    """A database with an agent and one ticket, and a connection of somebody who holds things in it."""

    def __init__(self, db: Database, rival: Connection) -> None:
        self.db, self.rival = db, rival

    async def fill(self) -> None:
        def fill(conn: Connection) -> Actor:
            named = {"name": None, "email": None, "password_hash": "", "created_at": START}
            user_id = user_store.insert(conn, username="agent", role="agent", **named)  # type: ignore[arg-type]
            assert user_id is not None
            token_store.insert(conn, digest=b"agent", user_id=user_id, created_at=START, expires_at=2**60)
            return Actor(user_id, "agent", None, "agent", b"agent")

        self.agent = await self.db.write(fill)
        self.ticket_id = await self.create()

    async def create(self, assignee_id: int | None = None) -> int:
        return await self.db.write(lambda conn: self.new_ticket(conn, assignee_id))

    def new_ticket(self, conn: Connection, assignee_id: int | None = None) -> int:
        new = NewTicket("Printer jams", "Paper.", assignee_id=assignee_id)
        return tickets.create(conn, self.agent, new, now=START, may_set_sla=True).ticket.id

    async def goes_on(self) -> None:
        """Others' writes are done while everything that is held is held."""
        async with asyncio.timeout(8):
            for _ in range(5):
                await self.create()


@pytest.fixture
def engine(made: PostgresDatabases) -> Iterator[Engine]:
    engine = made.engine(made.new_url())
    yield engine
    engine.dispose()


@asynccontextmanager
async def desk_on(made: PostgresDatabases, engine: Engine) -> AsyncIterator[Desk]:
    db = made.open(engine.url.render_as_string(hide_password=False))
    with engine.connect() as rival:
        rival.execute(text("SET idle_in_transaction_session_timeout = 0"))
        rival.commit()
        desk = Desk(db, rival)
        await desk.fill()
        try:
            yield desk
        finally:
            rival.rollback()
            await db.close()


def lock_ticket(desk: Desk) -> Callable[[Connection], object]:
    return lambda conn: ticket_store.lock(conn, desk.ticket_id)


def lock_user(desk: Desk) -> Callable[[Connection], object]:
    return lambda conn: user_store.lock(conn, desk.agent.id)


def lock_admins(desk: Desk) -> Callable[[Connection], object]:
    return lambda conn: (user_store.lock(conn, desk.agent.id), user_store.lock_admins(conn))


def claim_key(_desk: Desk) -> Callable[[Connection], object]:
    return lambda conn: idempotency.claim(conn, "user:1", "key", now=START)


def take_name(_desk: Desk) -> Callable[[Connection], object]:
    named = {"name": None, "email": None, "role": "user", "password_hash": "", "created_at": START}
    return lambda conn: user_store.insert(conn, username="wanted", **named)  # type: ignore[arg-type]


@pytest.mark.parametrize("take", [lock_ticket, lock_user, lock_admins, claim_key, take_name])
async def test_callers_of_what_somebody_holds_stop_nobody_else(
    made: PostgresDatabases,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Desk], Callable[[Connection], object]],
) -> None:
    monkeypatch.setattr(row_locks, "PATIENCE_S", 2.0)
    monkeypatch.setattr(postgres_lanes, "BRIEF_WAIT_S", 0.05)
    async with desk_on(made, engine) as desk:
        wanted = take(desk)
        wanted(desk.rival)
        callers = [asyncio.create_task(desk.db.write(wanted)) for _ in range(CALLERS)]
        await asyncio.sleep(0.1)  # they are all at it
        await desk.goes_on()
        _, waiting = await asyncio.wait(callers, timeout=3.5)
        assert len(waiting) <= row_locks.WAITERS
        desk.rival.commit()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        refused = [error for error in outcomes if isinstance(error, BaseException)]
        assert {type(error) for error in refused} <= {RowsHeld} and len(refused) >= CALLERS - row_locks.WAITERS
        assert all(int(error.headers["Retry-After"]) >= 1 for error in refused if isinstance(error, Unavailable))


async def test_callers_wait_their_turn_while_it_comes_soon(made: PostgresDatabases, engine: Engine) -> None:
    async with desk_on(made, engine) as desk:
        lock_ticket(desk)(desk.rival)
        callers = [asyncio.create_task(desk.db.write(lock_ticket(desk))) for _ in range(CALLERS)]
        await asyncio.sleep(0.1)
        desk.rival.commit()
        await asyncio.gather(*callers)


async def test_too_many_callers_that_try_again_are_refused_at_once(
    made: PostgresDatabases, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_locks, "RETRIERS_MAX", 2)
    monkeypatch.setattr(row_locks, "PATIENCE_S", 60.0)
    async with desk_on(made, engine) as desk:
        lock_ticket(desk)(desk.rival)
        callers = [asyncio.create_task(desk.db.write(lock_ticket(desk))) for _ in range(CALLERS)]
        refused = 0
        async with asyncio.timeout(8):
            for caller in asyncio.as_completed(callers):
                with pytest.raises(Unavailable):
                    await caller
                refused += 1
                if refused == CALLERS - row_locks.WAITERS - 2:
                    break
        desk.rival.commit()
        await asyncio.gather(*callers, return_exceptions=True)


async def test_a_row_that_is_not_there_is_not_waited_for(
    made: PostgresDatabases, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_locks, "PATIENCE_S", 60.0)
    async with desk_on(made, engine) as desk:
        lock_ticket(desk)(desk.rival)
        callers = [asyncio.create_task(desk.db.write(lock_ticket(desk))) for _ in range(CALLERS)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(8):
            await desk.db.write(lambda conn: ticket_store.lock(conn, 999_999))
        desk.rival.commit()
        await asyncio.gather(*callers)


def deactivate(conn: Connection, user_id: int) -> None:
    conn.execute(text("SET LOCAL lock_timeout = '50ms'"))
    accounts.change(conn, user_id, AccountChanges(active=False))


async def test_an_assignee_stays_what_it_is_until_the_ticket_is_committed(
    made: PostgresDatabases, engine: Engine
) -> None:
    async with desk_on(made, engine) as desk:
        desk.new_ticket(desk.rival, assignee_id=desk.agent.id)
        with engine.connect() as admin, pytest.raises(OperationalError, match="lock timeout"):
            deactivate(admin, desk.agent.id)
        desk.rival.commit()
        with engine.connect() as admin:
            deactivate(admin, desk.agent.id)


async def test_an_actor_stays_what_it_is_from_the_last_look_to_the_commit(
    made: PostgresDatabases, engine: Engine
) -> None:
    async with desk_on(made, engine) as desk:
        access.confirm(desk.rival, desk.agent)
        with engine.connect() as admin, pytest.raises(OperationalError, match="lock timeout"):
            deactivate(admin, desk.agent.id)
        desk.rival.commit()
        with engine.connect() as admin:
            deactivate(admin, desk.agent.id)
            admin.commit()
        with pytest.raises(ActorChanged) as changed:
            access.confirm(desk.rival, desk.agent)
        assert changed.value.actor is None


async def test_the_locks_on_keys_are_none_of_the_timelines(made: PostgresDatabases, engine: Engine) -> None:
    async with desk_on(made, engine) as desk:
        claim_key(desk)(desk.rival)
        with engine.connect() as conn:
            horizon = conn.execute(text("SELECT timeline_horizon()")).scalar_one()
            assert horizon == conn.execute(text("SELECT max(id) FROM timeline")).scalar_one()
        assert postgres_connection.LOCK_TIMEOUT_S > row_locks.BRIEF_WAIT_S
