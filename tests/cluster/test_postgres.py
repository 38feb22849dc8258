"""PostgreSQL as a Database: what is tried again, what is refused, and what readers may see."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import ProgrammingError

from helpdesk import lanes
from helpdesk.db import idempotency, row_locks, timeline
from helpdesk.db.engine import READ_WITHIN_S, Connection, touch
from helpdesk.db.engines import postgres, postgres_connection, postgres_lanes, postgres_locks
from helpdesk.db.engines.postgres import PostgresDatabase
from helpdesk.db.engines.postgres_locks import UseLock
from helpdesk.db.idempotency import KeptAnswer
from helpdesk.db.migrations.run import HEAD, prepare_postgres
from helpdesk.db.schema import metadata
from helpdesk.errors import NotFound, StartError, Unavailable
from helpdesk.jobs.runner import Runner
from helpdesk.lanes import WAIT_S
from helpdesk.problems import Problems
from tests.databases import PostgresDatabases
from tests.services import Postgres

pytestmark = pytest.mark.gen_test


@pytest.fixture
def made(postgres: Postgres) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(postgres)
    yield databases
    databases.remove_all()


@pytest.fixture
def url(made: PostgresDatabases) -> str:
    return made.new_url()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = postgres_connection.open_engine(url)
    yield made
    made.dispose()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    db = PostgresDatabase(url, UseLock(postgres_connection.open_engine(url), shared=True))
    try:
        yield db
    finally:
        await db.close()


def insert_users(conn: Connection, *names: str) -> None:
    for name in names:
        conn.execute(
            text(
                "INSERT INTO users (username, username_key, name_key, role, password_hash, active, created_at)"
                " VALUES (:name, :name, '', 'user', '', true, 0)"
            ),
            {"name": name},
        )


def count_users(conn: Connection) -> int:
    return int(conn.execute(text("SELECT count(*) FROM users")).scalar_one())


async def test_work_that_fails_leaves_nothing(url: str) -> None:
    def fails(conn: Connection) -> None:
        insert_users(conn, "ana")
        touch(conn, "user", 1)
        raise NotFound("ticket")

    async with opened(url) as db:
        heard: list[object] = []
        db.on_commit(heard.append)
        with pytest.raises(NotFound):
            await db.write(fails)
        assert await db.read(count_users) == 0
        await db.write(lambda conn: None)
        assert heard == []


async def test_listeners_hear_of_a_commit_before_its_caller_goes_on(url: str) -> None:
    async with opened(url) as db:
        heard: list[object] = []
        db.on_commit(heard.append)
        await asyncio.gather(*(db.write(lambda conn, n=n: touch(conn, "user", n)) for n in range(20)))  # type: ignore[misc]
        assert sorted(key for touched in heard for key in touched["user"]) == list(range(20))  # type: ignore[index]
        await db.write(lambda conn: touch(conn, "user", 99))
        assert heard[-1] == {"user": {99}}


async def test_readers_see_one_moment_and_write_nothing(url: str) -> None:
    async with opened(url) as db:
        loop = asyncio.get_running_loop()

        def twice(conn: Connection) -> tuple[int, int]:
            before = count_users(conn)
            done = asyncio.run_coroutine_threadsafe(db.write(lambda conn: insert_users(conn, "ana")), loop)
            done.result(10)
            return before, count_users(conn)

        assert await db.read(twice) == (0, 0)
        assert await db.read(count_users) == 1
        with pytest.raises(Unavailable):  # as on a standby
            await db.read(lambda conn: insert_users(conn, "bob"))


async def test_rivals_that_lock_each_other_out_all_get_through(url: str) -> None:
    async with opened(url) as db:
        await db.write(lambda conn: insert_users(conn, "ana", "bob"))
        meet = threading.Barrier(2)
        runs: list[str] = []

        def rename(first: str, second: str) -> Callable[[Connection], None]:
            def work(conn: Connection) -> None:
                runs.append(first)
                for name in (first, second):
                    conn.execute(
                        text("UPDATE users SET name = :name WHERE username = :who"), {"name": first, "who": name}
                    )
                    if name == first and len(runs) <= 2:
                        meet.wait(10)

            return work

        await asyncio.gather(db.write(rename("ana", "bob")), db.write(rename("bob", "ana")))
        assert len(runs) == 3  # the deadlock's victim once more
        names = await db.read(lambda conn: set(conn.execute(text("SELECT name FROM users")).scalars()))
        assert len(names) == 1


async def test_a_dead_connection_is_replaced_unseen(url: str) -> None:
    async with opened(url) as db:
        cut: list[int] = []

        def dies_once(conn: Connection) -> int:
            insert_users(conn, "ana")
            if not cut:
                cut.append(int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one()))
                conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            return count_users(conn)

        assert await db.write(dies_once) == 1
        assert await db.read(count_users) == 1


async def test_a_connection_lost_in_a_commit_leaves_the_outcome_open(
    url: str, monkeypatch: pytest.MonkeyPatch, made: PostgresDatabases
) -> None:
    async with opened(url) as db:

        def dies_at_commit(conn: Connection) -> None:
            insert_users(conn, "ana")
            pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with made.connection(url) as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

        with pytest.raises(Unavailable, match="same Idempotency-Key"):
            await db.write(dies_at_commit)
        await db.ping()


async def test_a_lock_that_is_held_too_long_is_not_waited_for(
    url: str, made: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_locks, "PATIENCE_S", 0.3)
    async with opened(url) as db:
        await db.write(lambda conn: insert_users(conn, "ana"))
        with made.connection(url) as holder:
            holder.execute(text("SELECT 1 FROM users FOR UPDATE"))

            def waits(conn: Connection) -> None:
                conn.execute(text("SET LOCAL lock_timeout = '200ms'"))
                conn.execute(text("UPDATE users SET name = 'x'"))

            with pytest.raises(Unavailable, match="nothing was changed") as refused:
                await db.write(waits)
            assert refused.value.cause == "others held for too long what a transaction needs"
            holder.rollback()
        with pytest.raises(Unavailable):
            await db.read(lambda conn: conn.execute(text("SET statement_timeout = 50; SELECT pg_sleep(5)")).scalar())


async def test_a_wrong_statement_is_our_own_fault(url: str) -> None:
    async with opened(url) as db:
        with pytest.raises(ProgrammingError):
            await db.write(lambda conn: conn.execute(text("SELECT nonsense")))


async def test_too_much_that_waits_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_lanes, "WAITING_MAX", 20)
    monkeypatch.setattr(lanes, "WAIT_S", 60.0)  # nothing is refused for having waited, however busy the machine
    async with opened(url) as db:
        outcomes = await asyncio.gather(
            *(db.write(lambda conn: conn.execute(text("SELECT pg_sleep(0.05)")).scalar()) for _ in range(40)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
        assert 20 - postgres.WRITERS <= len(refused) <= 20 and "overloaded" in str(refused[0])
        await db.ping()


async def test_who_waits_longer_than_any_statement_may_take_is_answered(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_lanes, "LATE_WRITE_S", 0.1 - WAIT_S - postgres_connection.STATEMENT_TIMEOUT_S)
    monkeypatch.setattr(postgres_lanes, "LATE_READ_S", 0.1 - WAIT_S - READ_WITHIN_S)
    async with opened(url) as db:
        with pytest.raises(Unavailable, match="same Idempotency-Key"):
            await db.write(lambda conn: time.sleep(0.3))
        with pytest.raises(Unavailable, match="nothing was changed"):
            await db.read(lambda conn: time.sleep(0.3))


async def test_who_has_the_database_alone_keeps_the_others_waiting(url: str) -> None:
    async with opened(url) as one, opened(url) as other:
        order: list[str] = []

        async def enter(db: PostgresDatabase, name: str) -> None:
            async with db.alone():
                order.append(f"{name} in")
                await asyncio.sleep(0.1)
                order.append(f"{name} out")

        await asyncio.gather(enter(one, "a"), enter(other, "b"))
        assert [name[0] for name in order] in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


def test_nothing_above_an_entry_that_is_still_to_be_committed_is_shown(url: str, made: PostgresDatabases) -> None:
    with ExitStack() as stack:
        slow, fast, reader = (stack.enter_context(made.connection(url)) for _ in range(3))
        insert_users(fast, "ana")
        fast.execute(
            text(
                "INSERT INTO tickets (title, description, status, priority, priority_rank, tags, version, creator_id,"
                " sla_minutes, sla_deadline, breached, created_at, updated_at, comment_count,"
                " internal_count) VALUES ('t', 'd', 'open', 'low', 0, '', 1, 1, 60, 0, false, 0, 0, 0, 0)"
            )
        )
        fast.commit()

        def append(conn: Connection) -> int:
            return timeline.append(
                conn, ticket_id=1, actor_id=None, action="updated", data="{}", version=1, internal=False, created_at=0
            )

        def horizon() -> int:
            found = timeline.horizon(reader)
            reader.rollback()
            return found

        assert horizon() == 0
        first = append(fast)
        fast.commit()
        assert horizon() == first
        held = append(slow)
        passing = append(fast)
        fast.commit()
        assert first < held < passing
        assert horizon() == first
        append(slow)
        assert horizon() == first
        slow.rollback()
        assert horizon() == held + 2  # given out, and never to come
        assert [entry.id for entry in timeline.between(reader, first, horizon(), limit=9)] == [passing]


def test_a_key_answered_anew_by_another_process_is_not_forgotten(url: str, made: PostgresDatabases) -> None:
    answer = KeptAnswer(b"f", False, 201, "{}", b"old", created_at=1)
    with made.connection(url) as one, made.connection(url) as other:
        assert idempotency.claim(one, "user:1", "k", now=1) is None
        idempotency.fill(one, "user:1", "k", answer)
        one.commit()
        # Both find it past its time; the other one is faster, and the first one forgets it after that.
        assert idempotency.claim(other, "user:1", "k", now=100) == answer
        assert idempotency.claim(one, "user:1", "k", now=100) == answer
        idempotency.delete(other, "user:1", "k", until=50)
        assert idempotency.claim(other, "user:1", "k", now=100) is None
        fresh = KeptAnswer(b"f", False, 201, "{}", b"new", created_at=100)
        idempotency.fill(other, "user:1", "k", fresh)
        other.commit()
        idempotency.delete(one, "user:1", "k", until=50)
        assert idempotency.delete_older(one, 50, limit=10) == 0
        assert idempotency.claim(one, "user:1", "k", now=100) == fresh


def test_several_that_migrate_at_once_do_it_once(postgres: Postgres, made: PostgresDatabases) -> None:
    postgres.sql("CREATE DATABASE together")
    url = postgres.url("together")
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: prepare_postgres(postgres_connection.open_engine(url), "together"), range(6)))
    assert postgres.sql("SELECT version_num FROM alembic_version", "together") == [HEAD]
    postgres.sql("DROP DATABASE together WITH (FORCE)")


def test_the_migrated_schema_is_that_of_the_metadata(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
        assert [d for d in differences if "search" not in str(d)] == []
        checks = {c["name"] for name in metadata.tables for c in inspect(conn).get_check_constraints(name)}
    named = {str(c.name) for table in metadata.tables.values() for c in table.constraints if "ck_" in str(c.name)}
    assert named <= checks


@pytest.mark.parametrize("shared", [True, False])
def test_a_lock_is_taken_again_after_its_connection_was_cut(engine: Engine, shared: bool) -> None:
    lock = UseLock(engine, shared=shared)
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"))
    lock.keep()
    with pytest.raises(StartError):
        UseLock(engine, shared=not shared)
    lock.release()
    UseLock(engine, shared=not shared).release()


async def test_who_lost_its_lock_to_another_stops(url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "KEEP_LOCK_S", 0.01)
    has_failed = asyncio.Event()
    lock = UseLock(engine, shared=False)
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"))
    other = UseLock(engine, shared=False)
    db = PostgresDatabase(url, lock, on_failure=has_failed.set)
    runner = Runner(Problems())
    runner.start("database_lock", db.jobs()["database_lock"])
    await asyncio.wait_for(has_failed.wait(), 10)
    await runner.stop()
    await db.close()
    other.release()


async def test_who_waits_in_vain_to_be_alone_hears_that_the_database_is_away(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_locks, "_WAIT_S", 1)
    async with opened(url) as db:
        with postgres_locks.alone(engine), pytest.raises(Unavailable):
            async with db.alone():
                pass
        async with db.alone():
            pass
