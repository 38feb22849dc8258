"""The hub without a socket: what a stream is handed, in which order, and when it is cut off."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from helpdesk.db import timeline as timeline_store
from helpdesk.db import tokens, users
from helpdesk.db.engine import Connection, Database
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.domain import accounts, comments, tickets
from helpdesk.domain.access import Actor
from helpdesk.errors import InvalidToken, RateLimited, Unavailable
from helpdesk.live import events as live_events
from helpdesk.live import streams
from helpdesk.live.hub import Hub
from helpdesk.live.streams import Stream
from helpdesk.messages.accounts import AccountChanges
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from tests.conftest import FakeClock
from tests.databases import Databases

pytestmark = pytest.mark.gen_test

WITHIN_S = 4.0


class Desk:
    """A database with an agent and two requesters, and a running hub."""

    def __init__(self, db: Database, clock: FakeClock) -> None:
        self.db, self.clock = db, clock
        self.hub = Hub(db, clock)
        self.who: dict[str, Actor] = {}

    async def add_people(self) -> None:
        def insert(conn: Connection) -> None:
            for name in ("agent", "ana", "bob"):
                role = "agent" if name == "agent" else "user"
                user_id = users.insert(
                    conn,
                    username=name,
                    name=None,
                    email=None,
                    role=role,  # type: ignore[arg-type]
                    password_hash="",
                    created_at=0,
                )
                self.who[name] = Actor(user_id or 0, name, None, role, name.encode())  # type: ignore[arg-type]
                tokens.insert(conn, digest=name.encode(), user_id=user_id or 0, created_at=0, expires_at=2**60)

        await self.db.write(insert)

    async def ticket(self, who: str) -> int:
        new, now = NewTicket("Printer jams", "Paper."), self.clock.now()
        made = await self.db.write(lambda conn: tickets.create(conn, self.who[who], new, now=now, may_set_sla=True))
        return made.ticket.id

    async def comment(self, who: str, ticket_id: int, *, internal: bool = False) -> None:
        new, now = NewComment("Look inside.", None, internal), self.clock.now()
        await self.db.write(lambda conn: comments.add(conn, self.who[who], ticket_id, new, now=now))

    async def subscribe(self, who: str, since: int | None = None) -> Stream:
        stream = Stream(self.who[who])
        await self.hub.subscribe(stream, since)
        return stream

    async def heard(self, stream: Stream, count: int) -> list[int]:
        """The ids of the next `count` events, waiting for them; more are a failure of the caller's assertion."""
        got: list[int] = []
        async with asyncio.timeout(WITHIN_S):
            while len(got) < count and stream.is_open:
                got += ids(await self.hub.next(stream, WITHIN_S))
                stream.sent()
        return got

    async def replay_cost(self, who: str) -> int:
        """How many times 50 of SQLite's instructions a replay of everything takes."""
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        def replay(conn: Connection) -> None:
            until, missed = timeline_store.newest_id(conn), live_events.Missed(0)
            driver(conn).set_progress_handler(count, 50)
            while missed.after < until:
                _, missed = live_events.replay(conn, self.who[who], missed, until, self.clock.now())
            driver(conn).set_progress_handler(None, 0)

        await self.db.read(replay)
        return steps


@asynccontextmanager
async def running(databases: Databases, clock: FakeClock) -> AsyncIterator[Desk]:
    db = databases.open(databases.new_url())
    desk = Desk(db, clock)
    await desk.add_people()
    job = asyncio.create_task(desk.hub.run())
    try:
        yield desk
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await db.close()


def ids(events: bytes) -> list[int]:
    return [int(n) for n in re.findall(rb"^id: (\d+)$", events, re.MULTILINE)]


async def test_every_entry_comes_once_and_in_order(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await asyncio.gather(*(desk.ticket("ana") for _ in range(250)))
        assert await desk.heard(stream, 250) == list(range(1, 251))
        assert await desk.hub.next(stream, 0) == b""


async def test_what_is_committed_while_subscribing_is_not_missed(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(databases, clock) as desk:
        loop, read = asyncio.get_running_loop(), timeline_store.horizon

        def read_and_be_overtaken(conn: Connection) -> int:
            last_id = read(conn)
            asyncio.run_coroutine_threadsafe(desk.ticket("ana"), loop).result(WITHIN_S)
            return last_id

        monkeypatch.setattr(timeline_store, "horizon", read_and_be_overtaken)
        assert await desk.heard(await desk.subscribe("agent"), 1) == [1]


async def test_a_requester_hears_of_own_tickets_and_of_no_note(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        streams = {who: await desk.subscribe(who) for who in ("agent", "ana", "bob")}
        ticket_id = await desk.ticket("ana")
        await desk.comment("agent", ticket_id, internal=True)
        await desk.comment("agent", ticket_id)
        await desk.ticket("bob")
        assert await desk.heard(streams["agent"], 4) == [1, 2, 3, 4]
        assert await desk.heard(streams["ana"], 2) == [1, 3]
        assert await desk.heard(streams["bob"], 1) == [4]


async def test_an_event_shows_a_requester_no_trace_of_a_note(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        ticket_id = await desk.ticket("ana")
        await desk.comment("agent", ticket_id, internal=True)
        await desk.comment("ana", ticket_id)
        note, comment = await desk.db.read(lambda conn: live_events.events_between(conn, 1, 9, clock.now()))
        assert note.for_requester is None and note.seen_by(desk.who["ana"]) is None
        assert b'"comment_count":2' in comment.for_staff
        assert b'"comment_count":1' in (comment.seen_by(desk.who["ana"]) or b"")
        assert comment.seen_by(desk.who["bob"]) is None


async def test_a_reader_that_does_not_keep_up_is_cut_off_and_others_are_not(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BACKLOG_MAX", 10)
    async with running(databases, clock) as desk:
        slow, quick = await desk.subscribe("agent"), await desk.subscribe("agent")
        for n in range(1, 13):
            await desk.ticket("ana")
            assert await desk.heard(quick, 1) == [n]
        assert (slow.is_open, quick.is_open) == (False, True)


@pytest.mark.parametrize("stretch", [1_000, 0])
async def test_replaying_gives_all_that_was_missed_in_small_steps(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr(timeline_store, "STRETCH", stretch)
    monkeypatch.setattr(live_events, "REPLAY_STEP", 3)
    monkeypatch.setattr(live_events, "IDS_STEP", 2)
    async with running(databases, clock) as desk:
        for n in range(10):
            await desk.ticket("ana" if n % 2 else "bob")
        for who, expected in (("agent", [3, 4, 5, 6, 7, 8, 9, 10]), ("ana", [4, 6, 8, 10])):
            stream = await desk.subscribe(who, 2)
            first = await desk.hub.next(stream, WITHIN_S)
            stream.sent()
            assert len(ids(first)) <= 3
            assert ids(first) + await desk.heard(stream, len(expected) - len(ids(first))) == expected
            await desk.ticket("ana")
            assert len(await desk.heard(stream, 1)) == 1
            desk.hub.unsubscribe(stream)


async def test_nobody_listening_costs_no_reading(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await desk.ticket("ana")
        await desk.heard(stream, 1)
        desk.hub.unsubscribe(stream)
        assert len(desk.hub) == 0 and not stream.is_open
        await desk.ticket("ana")
        assert not desk.hub._woken.is_set()
        assert await heard_after_return(desk) == [3]


async def heard_after_return(desk: Desk) -> list[int]:
    """What a stream opened after a pause hears: only what comes from then on."""
    stream = await desk.subscribe("agent")
    await desk.ticket("ana")
    return await desk.heard(stream, 1)


async def test_streams_end_when_the_store_cannot_answer(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await desk.ticket("ana")
        await desk.heard(stream, 1)

        def away(*_: object) -> None:
            raise Unavailable("away")

        with monkeypatch.context() as broken:
            broken.setattr(live_events, "events_between", away)
            await desk.ticket("ana")
            assert await desk.hub.next(stream, WITHIN_S) == b"" and not stream.is_open
        desk.hub.unsubscribe(stream)
        assert await heard_after_return(desk) == [3]


async def test_closing_wakes_who_waits(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        waiting = asyncio.ensure_future(desk.hub.next(stream, 600))
        await asyncio.sleep(0)
        desk.hub.close_all()
        async with asyncio.timeout(WITHIN_S):
            assert await waiting == b""


async def test_a_reader_that_knows_more_than_the_hub_hears_nothing_twice(
    databases: Databases, clock: FakeClock
) -> None:
    async with running(databases, clock) as desk:
        other = Hub(desk.db, clock)  # of another process, which lags behind
        early = Stream(desk.who["agent"])
        await other.subscribe(early, None)
        for _ in range(5):
            await desk.ticket("ana")
        resumed = Stream(desk.who["agent"])
        await other.subscribe(resumed, 4)
        assert await other.next(resumed, 0) == b""
        job = asyncio.create_task(other.run())
        await desk.ticket("ana")
        desk.hub = other
        assert await desk.heard(resumed, 2) == [5, 6]
        assert await desk.heard(early, 6) == [1, 2, 3, 4, 5, 6]
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


async def test_who_knows_of_entries_that_there_are_not_is_told_to_read_again(
    databases: Databases, clock: FakeClock
) -> None:
    async with running(databases, clock) as desk:
        for newest in (0, 1):
            stream = await desk.subscribe("ana", 99)
            assert await desk.hub.next(stream, WITHIN_S) == b"id: %d\nevent: reset\ndata: {}\n\n" % newest
            stream.sent()
            await desk.ticket("ana")
            assert await desk.heard(stream, 1) == [newest + 1]


async def test_a_hub_that_lags_behind_tells_nobody_to_read_again(databases: Databases, clock: FakeClock) -> None:
    db = databases.open(databases.new_url())
    desk = Desk(db, clock)  # whose hub does not run
    await desk.add_people()
    await desk.subscribe("agent")
    await desk.ticket("ana")
    stream = await desk.subscribe("ana", 1)
    assert await desk.hub.next(stream, 0) == b""
    await db.close()


async def test_a_change_of_role_ends_the_stream_at_its_commit_and_a_new_name_does_not(
    databases: Databases, clock: FakeClock
) -> None:
    async with running(databases, clock) as desk:
        demoted, kept = await desk.subscribe("agent"), await desk.subscribe("ana")

        async def change(who: str, **fields: object) -> None:
            user_id = desk.who[who].id
            await desk.db.write(lambda conn: accounts.change(conn, user_id, AccountChanges(**fields)))  # type: ignore[arg-type]

        await change("agent", name="A. Gent")
        await change("ana", name="Ana")
        assert demoted.is_open and kept.is_open
        await change("agent", role="user")
        assert not demoted.is_open and kept.is_open
        await change("ana", active=False)
        assert not kept.is_open


async def test_signing_out_ends_the_stream_at_its_commit(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        ended, kept = await desk.subscribe("ana"), await desk.subscribe("bob")
        await desk.db.write(lambda conn: accounts.end_session(conn, desk.who["ana"]))
        assert (ended.is_open, kept.is_open) == (False, True)


async def test_a_token_that_died_or_a_role_that_changed_meanwhile_opens_no_stream(
    databases: Databases, clock: FakeClock
) -> None:
    async with running(databases, clock) as desk:
        await desk.db.write(lambda conn: accounts.end_session(conn, desk.who["ana"]))
        with pytest.raises(InvalidToken):
            await desk.subscribe("ana")
        desk.who["bob"] = Actor(desk.who["bob"].id, "bob", None, "agent", b"bob")
        with pytest.raises(Unavailable):
            await desk.subscribe("bob")


async def test_streams_are_counted_while_they_are_being_opened(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        opened = await asyncio.gather(*(desk.subscribe("ana") for _ in range(30)), return_exceptions=True)
        refused = [error for error in opened if isinstance(error, RateLimited)]
        assert (len(opened) - len(refused), len(refused), len(desk.hub)) == (20, 10, 20)


@pytest.mark.sqlite
async def test_a_replay_costs_what_its_reader_may_see_and_not_what_the_desk_holds(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline_store, "STRETCH", 10)
    async with running(databases, clock) as desk:
        for _ in range(5):
            await desk.ticket("bob")
        costs = {who: [await desk.replay_cost(who)] for who in ("ana", "bob", "agent")}
        for _ in range(3):
            await asyncio.gather(*(desk.ticket("agent") for _ in range(100)))
            for who, steps in costs.items():
                steps.append(await desk.replay_cost(who))
        assert costs["agent"][3] > 10 * costs["agent"][0]  # it is measured at all
        for who in ("ana", "bob"):
            assert abs(costs[who][3] - costs[who][1]) <= 3, costs


async def test_a_stream_opened_while_tokens_are_looked_at_stays_open(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(databases, clock) as desk:
        loop, living = asyncio.get_running_loop(), tokens.living
        opened: list[Stream] = []

        def open_one_meanwhile(*_: object) -> dict[bytes, str]:
            monkeypatch.setattr(tokens, "living", living)
            opened.append(asyncio.run_coroutine_threadsafe(desk.subscribe("ana"), loop).result(WITHIN_S))
            return {}

        revoked = await desk.subscribe("agent")
        monkeypatch.setattr(tokens, "living", open_one_meanwhile)
        await desk.hub._end_revoked()
        assert (revoked.is_open, opened[0].is_open) == (False, True)
