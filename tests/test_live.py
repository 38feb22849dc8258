"""The hub without a socket: what a stream is handed, in which order, and when it is cut off."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from helpdesk import live, live_events, streams
from helpdesk.db import timeline as timeline_store
from helpdesk.db import users
from helpdesk.db.engine import Connection, Database
from helpdesk.domain import comments, tickets
from helpdesk.domain.access import Actor
from helpdesk.errors import Unavailable
from helpdesk.live import Hub
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from helpdesk.streams import Stream
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
                self.who[name] = Actor(user_id or 0, name, None, role)  # type: ignore[arg-type]

        await self.db.write(insert)

    async def ticket(self, who: str) -> int:
        new, now = NewTicket("Printer jams", "Paper."), self.clock.now()
        made = await self.db.write(lambda conn: tickets.create(conn, self.who[who], new, now=now, may_set_sla=True))
        return made.ticket.id

    async def comment(self, who: str, ticket_id: int, *, internal: bool = False) -> None:
        new, now = NewComment("Look inside.", None, internal), self.clock.now()
        await self.db.write(lambda conn: comments.add(conn, self.who[who], ticket_id, new, now=now))

    async def subscribe(self, who: str) -> Stream:
        stream, _ = await self.hub.subscribe(self.who[who])
        return stream


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


async def heard(stream: Stream, count: int) -> list[int]:
    """The ids of the next `count` events, waiting for them; more are a failure of the caller's assertion."""
    got: list[int] = []
    async with asyncio.timeout(WITHIN_S):
        while len(got) < count:
            got += ids(await stream.next(WITHIN_S))
    return got


async def test_every_entry_comes_once_and_in_order(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await asyncio.gather(*(desk.ticket("ana") for _ in range(250)))
        assert await heard(stream, 250) == list(range(1, 251))
        assert await stream.next(0) == b""


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
        assert await heard(await desk.subscribe("agent"), 1) == [1]


async def test_a_requester_hears_of_own_tickets_and_of_no_note(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        streams = {who: await desk.subscribe(who) for who in ("agent", "ana", "bob")}
        ticket_id = await desk.ticket("ana")
        await desk.comment("agent", ticket_id, internal=True)
        await desk.comment("agent", ticket_id)
        await desk.ticket("bob")
        assert await heard(streams["agent"], 4) == [1, 2, 3, 4]
        assert await heard(streams["ana"], 2) == [1, 3]
        assert await heard(streams["bob"], 1) == [4]


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
            assert await heard(quick, 1) == [n]
        assert (slow.is_open, quick.is_open) == (False, True)


async def test_replaying_gives_all_that_was_missed_in_small_steps(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "READ_STEP", 3)
    async with running(databases, clock) as desk:
        for n in range(10):
            await desk.ticket("ana" if n % 2 else "bob")
        _, position = await desk.hub.subscribe(desk.who["agent"])
        for who, expected in (("agent", [3, 4, 5, 6, 7, 8, 9, 10]), ("ana", [4, 6, 8, 10])):
            since, got, steps = 2, [], 0
            while since < position:
                events, since = await desk.hub.replay(desk.who[who], since, position)
                got += ids(events)
                steps += 1
            assert (got, steps) == (expected, 3)


async def test_nobody_listening_costs_no_reading(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await desk.ticket("ana")
        await heard(stream, 1)
        desk.hub.unsubscribe(stream)
        assert len(desk.hub) == 0 and not stream.is_open
        await desk.ticket("ana")
        assert not desk.hub._woken.is_set()
        assert await heard_after_return(desk) == [3]


async def heard_after_return(desk: Desk) -> list[int]:
    """What a stream opened after a pause hears: only what comes from then on."""
    stream = await desk.subscribe("agent")
    await desk.ticket("ana")
    return await heard(stream, 1)


async def test_streams_end_when_the_store_cannot_answer(
    databases: Databases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        await desk.ticket("ana")
        await heard(stream, 1)

        def away(*_: object) -> None:
            raise Unavailable("away")

        with monkeypatch.context() as broken:
            broken.setattr(live, "events_between", away)
            await desk.ticket("ana")
            assert await stream.next(WITHIN_S) == b"" and not stream.is_open
        desk.hub.unsubscribe(stream)
        assert await heard_after_return(desk) == [3]


async def test_closing_wakes_who_waits(databases: Databases, clock: FakeClock) -> None:
    async with running(databases, clock) as desk:
        stream = await desk.subscribe("agent")
        waiting = asyncio.ensure_future(stream.next(600))
        await asyncio.sleep(0)
        desk.hub.close_all()
        async with asyncio.timeout(WITHIN_S):
            assert await waiting == b""
