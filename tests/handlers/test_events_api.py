"""Live updates: order, resuming, who sees what, and when a stream ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from tornado.ioloop import IOLoop

from helpdesk import live, streams
from helpdesk.handlers import timeline as timeline_handlers
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


class EventStream:
    """A reader of /api/events on a plain socket."""

    opened: ClassVar[list[EventStream]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)
        self.head = ""

    @classmethod
    async def open(cls, api: Api, token: str, query: str = "", **headers: str) -> EventStream:
        stream = cls(*await asyncio.open_connection("127.0.0.1", api.port))
        lines = [f"GET /api/events{query} HTTP/1.0", "Host: localhost", f"Authorization: Bearer {token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        stream.writer.write("\r\n".join([*lines, "", ""]).encode())
        stream.head = (await stream.reader.readuntil(b"\r\n\r\n")).decode()
        assert (await stream.reader.readuntil(b"\n\n")).startswith(b":")
        return stream

    async def next(self) -> dict[str, Any]:
        """The next event: `{id, event, data}`."""
        async with asyncio.timeout(4):
            block = (await self.reader.readuntil(b"\n\n")).decode().strip()
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        return {"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])}

    async def at_end(self) -> bool:
        async with asyncio.timeout(4):
            return await self.reader.read() == b""


@pytest.fixture
def live_api(api: Api, io_loop: IOLoop) -> Iterator[Api]:
    """The application with the hub's tasks running; closes the streams that a test opened."""
    tasks: list[asyncio.Task[None]] = []

    async def begin() -> None:
        tasks.extend(asyncio.ensure_future(job) for job in (api.desk.hub.run(), api.desk.hub.watch_tokens()))

    async def end() -> None:
        for task in tasks:
            task.cancel()
        for stream in EventStream.opened:
            stream.writer.close()
        EventStream.opened.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    io_loop.run_sync(begin)
    yield api
    io_loop.run_sync(end)


async def test_changes_arrive_in_the_order_of_their_ids(live_api: Api) -> None:
    token = await live_api.token("agent")
    stream = await EventStream.open(live_api, token)
    assert "Content-Type: text/event-stream" in stream.head
    await live_api.ticket(token)
    await live_api.patch("/api/tickets/1", {"version": 1, "status": "pending"}, token=token)
    await live_api.post("/api/tickets/1/comments", {"body": "x"}, token=token)
    events = [await stream.next() for _ in range(3)]
    assert [e["event"] for e in events] == ["ticket.created", "ticket.updated", "ticket.commented"]
    assert [e["id"] for e in events] == [1, 2, 3]
    assert events[1]["data"]["entry"]["data"] == {"changes": {"status": ["open", "pending"]}}
    assert events[1]["data"]["ticket"]["status"] == "pending"


async def test_a_reader_resumes_where_it_stopped(live_api: Api) -> None:
    token = await live_api.token("agent")
    for _ in range(250):
        await live_api.ticket(token)
    stream = await EventStream.open(live_api, token, Last_Event_ID="10")
    await live_api.ticket(token)
    assert [(await stream.next())["id"] for _ in range(241)] == list(range(11, 252))
    since = await EventStream.open(live_api, token, "?since=249")
    assert [(await since.next())["id"] for _ in range(2)] == [250, 251]


async def test_a_malformed_last_id_is_ignored(live_api: Api) -> None:
    token = await live_api.token()
    await live_api.ticket(token)
    stream = await EventStream.open(live_api, token, "?since=abc", Last_Event_ID="-5")
    await live_api.ticket(token)
    assert (await stream.next())["id"] == 2


async def test_the_header_counts_before_the_parameter_unless_it_is_malformed(live_api: Api) -> None:
    token = await live_api.token()
    for _ in range(3):
        await live_api.ticket(token)
    for header, first in (("2", 3), ("two", 2)):
        stream = await EventStream.open(live_api, token, "?since=1", Last_Event_ID=header)
        assert (await stream.next())["id"] == first


async def test_a_new_password_ends_the_streams_of_other_tokens(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    mine = (await live_api.register(username="ana"))["token"]
    credentials = {"username": "ana", "password": "correct horse"}
    other = (await live_api.post("/api/auth/login", credentials)).json["token"]
    kept, ended = await EventStream.open(live_api, mine), await EventStream.open(live_api, other)
    change = {"password": "better horse", "current_password": "correct horse"}
    assert (await live_api.patch("/api/me", change, token=mine)).status == 200
    assert await ended.at_end()
    await live_api.ticket(mine)
    assert (await kept.next())["id"] == 1


async def test_readers_see_only_what_they_may(live_api: Api) -> None:
    ana, ben, agent = await live_api.token(), await live_api.token(), await live_api.token("agent")
    streams = {name: await EventStream.open(live_api, t) for name, t in (("ana", ana), ("ben", ben), ("agent", agent))}
    await live_api.ticket(ana)
    await live_api.post("/api/tickets/1/comments", {"body": "secret", "internal": True}, token=agent)
    await live_api.ticket(ben)
    await live_api.post("/api/tickets/1/comments", {"body": "public"}, token=agent)
    seen = [await streams["ana"].next() for _ in range(2)]
    assert [e["id"] for e in seen] == [1, 4]
    assert seen[1]["data"]["ticket"]["comment_count"] == 1
    assert (await streams["ben"].next())["id"] == 3
    for_agent = [await streams["agent"].next() for _ in range(4)]
    assert [e["id"] for e in for_agent] == [1, 2, 3, 4]
    assert for_agent[3]["data"]["ticket"]["comment_count"] == 2
    late = await EventStream.open(live_api, ana, "?since=0")
    assert [(await late.next())["id"] for _ in range(2)] == [1, 4]


async def test_signing_out_and_deactivation_end_the_stream(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    ana, ben, admin = await live_api.register(), await live_api.register(), await live_api.token("admin")
    one, two = await EventStream.open(live_api, ana["token"]), await EventStream.open(live_api, ben["token"])
    await live_api.post("/api/auth/logout", token=ana["token"])
    assert await one.at_end()
    await live_api.patch(f"/api/users/{ben['user']['id']}", {"active": False}, token=admin)
    assert await two.at_end()


async def test_a_silent_stream_says_that_it_is_there(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timeline_handlers.HEARTBEAT_S == 15
    monkeypatch.setattr(timeline_handlers, "HEARTBEAT_S", 0.02)
    stream = await EventStream.open(live_api, await live_api.token())
    async with asyncio.timeout(4):
        assert await stream.reader.readuntil(b"\n\n") == b": still here\n\n"


async def test_a_reader_that_does_not_read_is_cut_off(live_api: Api) -> None:
    stream, _ = await live_api.desk.hub.subscribe(await live_api.desk.sessions.actor(await live_api.token()))  # type: ignore[arg-type]
    for _ in range(streams.BACKLOG_MAX):
        stream.push(b"x" * 1000)
    assert stream.is_open
    stream.push(b"one too many")
    assert not stream.is_open
    assert await stream.next(1) == b""


async def test_a_stream_that_its_reader_left_is_forgotten(live_api: Api) -> None:
    stream = await EventStream.open(live_api, await live_api.token())
    assert len(live_api.desk.hub) == 1
    stream.writer.close()
    for _ in range(400):
        if not len(live_api.desk.hub):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the stream is still there")


async def test_nobody_reads_events_without_signing_in(live_api: Api) -> None:
    assert (await live_api.get("/api/events")).code == "UNAUTHENTICATED"
