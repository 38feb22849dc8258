"""Live updates: order, resuming, who sees what, and when a stream ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from tornado.ioloop import IOLoop

from helpdesk.db.engine import Connection
from helpdesk.domain import accounts
from helpdesk.domain.access import Actor
from helpdesk.errors import Unavailable
from helpdesk.handlers import timeline as timeline_handlers
from helpdesk.live import hub as live
from helpdesk.live import streams
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
def live_api(api: Api, io_loop: IOLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
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

    monkeypatch.setattr(live, "RECHECK_S", 600)  # what a commit ends must not wait for the next look
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


@pytest.mark.gen_test
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


async def test_a_new_password_ends_the_streams_of_other_tokens(live_api: Api) -> None:
    mine = (await live_api.register(username="ana"))["token"]
    credentials = {"username": "ana", "password": "correct horse"}
    other = (await live_api.post("/api/auth/login", credentials)).json["token"]
    kept, ended = await EventStream.open(live_api, mine), await EventStream.open(live_api, other)
    change = {"password": "better horse", "current_password": "correct horse"}
    assert (await live_api.patch("/api/me", change, token=mine)).status == 200
    assert await ended.at_end()
    await live_api.ticket(mine)
    assert (await kept.next())["id"] == 1


async def test_a_listening_session_outlives_newer_ones_and_the_one_that_ends_loses_its_stream(
    live_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "SESSIONS_MAX", 3)
    credentials = {"username": "ana", "password": "correct horse"}

    async def sign_in() -> str:
        live_api.clock.advance(seconds=1)
        return str((await live_api.post("/api/auth/login", credentials)).json["token"])

    first = (await live_api.register(username="ana"))["token"]
    stream = await EventStream.open(live_api, first)
    second, third = await sign_in(), await sign_in()
    live_api.clock.advance(seconds=1)
    await live_api.ticket(third)
    await stream.next()
    fourth = await sign_in()
    assert (await live_api.get("/api/me", token=second)).code == "INVALID_TOKEN"
    live_api.clock.advance(seconds=1)
    for token in (third, fourth):
        assert (await live_api.get("/api/me", token=token)).status == 200
    await sign_in()
    assert await stream.at_end()
    assert (await live_api.get("/api/me", token=first)).code == "INVALID_TOKEN"


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


async def test_signing_out_and_deactivation_end_the_stream(live_api: Api) -> None:
    ana, ben, admin = await live_api.register(), await live_api.register(), await live_api.token("admin")
    one, two = await EventStream.open(live_api, ana["token"]), await EventStream.open(live_api, ben["token"])
    await live_api.post("/api/auth/logout", token=ana["token"])
    assert await one.at_end()
    await live_api.patch(f"/api/users/{ben['user']['id']}", {"active": False}, token=admin)
    assert await two.at_end()


async def test_a_demoted_agent_is_shown_nothing_more(live_api: Api) -> None:
    agent, admin = await live_api.register("agent"), await live_api.token("admin")
    stream = await EventStream.open(live_api, agent["token"])
    await live_api.ticket(admin)
    assert (await stream.next())["id"] == 1
    path = f"/api/users/{agent['user']['id']}"
    assert (await live_api.patch(path, {"role": "user"}, token=admin)).status == 200
    await live_api.post("/api/tickets/1/comments", {"body": "secret", "internal": True}, token=admin)
    assert await stream.at_end()


async def test_an_expired_token_ends_the_stream(live_api: Api) -> None:
    stream = await EventStream.open(live_api, await live_api.token())
    live_api.clock.advance(hours=24 * 31)
    await live_api.desk.hub._end_revoked()
    assert await stream.at_end()


async def test_a_silent_stream_says_that_it_is_there(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timeline_handlers.HEARTBEAT_S == 15
    monkeypatch.setattr(timeline_handlers, "HEARTBEAT_S", 0.02)
    stream = await EventStream.open(live_api, await live_api.token())
    async with asyncio.timeout(4):
        assert await stream.reader.readuntil(b"\n\n") == b": still here\n\n"


async def test_a_reader_that_does_not_read_is_cut_off(live_api: Api) -> None:
    reader = await EventStream.open(live_api, await live_api.token())
    reader.reader._transport.pause_reading()  # type: ignore[attr-defined]
    (stream,) = live_api.desk.hub._streams
    pushed = 0
    while stream.is_open:
        stream.push(b"data: %s\n\n" % (b"x" * 50_000))
        await asyncio.sleep(0)
        pushed += 1
        assert pushed < 100, "the kernel holds as much for it"  # 5 MB
    await gone(live_api)


async def test_a_reader_that_takes_too_long_for_a_piece_is_cut_off(
    live_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline_handlers, "SEND_TIMEOUT_S", 0.05)
    reader = await EventStream.open(live_api, await live_api.token())
    reader.reader._transport.pause_reading()  # type: ignore[attr-defined]
    (stream,) = live_api.desk.hub._streams
    stream.push(b"data: %s\n\n" % (b"x" * 50_000_000))
    await gone(live_api)


async def test_the_twenty_first_stream_of_an_account_is_refused(live_api: Api) -> None:
    mine, other = await live_api.token(), await live_api.token()
    opened = [await EventStream.open(live_api, mine) for _ in range(20)]
    for method in ("GET", "HEAD"):
        refused = await live_api.request(method, "/api/events", token=mine)
        assert refused.status == 429 and int(refused.headers["Retry-After"]) >= 1
    assert (await live_api.get("/api/events", token=mine)).code == "RATE_LIMIT"
    await EventStream.open(live_api, other)
    opened.pop().writer.close()
    await gone(live_api, left=20)
    for _ in range(3):
        assert (await live_api.request("HEAD", "/api/events", token=mine)).status == 200
    await EventStream.open(live_api, mine)
    assert (await live_api.get("/api/events", token=mine)).status == 429


async def test_a_stream_that_failed_to_open_takes_no_place(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await live_api.token()

    def away(*_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(live_api.desk.hub, "_opening", away)
        for _ in range(25):
            assert (await live_api.get("/api/events", token=token)).status == 503
    await EventStream.open(live_api, token)
    assert len(live_api.desk.hub) == 1


async def test_one_stream_more_than_the_server_holds_is_503(live_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 2)
    for _ in range(2):
        await EventStream.open(live_api, await live_api.token())
    refused = await live_api.get("/api/events", token=await live_api.token())
    assert (refused.status, refused.code) == (503, "UNAVAILABLE") and int(refused.headers["Retry-After"]) >= 1


async def test_no_stream_begins_while_the_server_shuts_down(live_api: Api) -> None:
    token = await live_api.token()
    live_api.desk.draining = True
    refused = await live_api.get("/api/events", token=token)
    assert (refused.status, refused.code) == (503, "UNAVAILABLE") and int(refused.headers["Retry-After"]) >= 1
    assert len(live_api.desk.hub) == 0


async def test_a_stream_that_is_being_opened_when_all_end_is_refused(
    live_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, hub = await live_api.token(), live_api.desk.hub
    opening, loop = hub._opening, asyncio.get_running_loop()

    def end_all_meanwhile(conn: Connection, actor: Actor) -> object:
        opened = opening(conn, actor)
        ended = threading.Event()
        loop.call_soon_threadsafe(lambda: (hub.close_all(), ended.set()))
        ended.wait(4)
        return opened

    monkeypatch.setattr(hub, "_opening", end_all_meanwhile)
    refused = await live_api.get("/api/events", token=token)
    assert (refused.status, refused.code) == (503, "UNAVAILABLE") and len(hub) == 0


async def test_a_last_id_above_the_newest_entry_is_answered_by_a_reset(live_api: Api) -> None:
    token = await live_api.token()
    await live_api.ticket(token)
    for last_id in ("2", "999999999999999", "9" * 20, "9" * 5000):
        stream = await EventStream.open(live_api, token, Last_Event_ID=last_id)
        async with asyncio.timeout(4):
            assert await stream.reader.readuntil(b"\n\n") == b"id: 1\nevent: reset\ndata: {}\n\n"
    since = await EventStream.open(live_api, token, "?since=2")
    async with asyncio.timeout(4):
        assert (await since.reader.readuntil(b"\n\n")).startswith(b"id: 1\nevent: reset\n")
    known = await EventStream.open(live_api, token, Last_Event_ID="1")
    await live_api.ticket(token)
    assert (await known.next())["id"] == (await stream.next())["id"] == 2


@pytest.mark.parametrize("malformed", ["", "-1", "+1", "1.0", "0x1", "1,1", "one", "1 1", "\u0661"])
async def test_every_malformed_last_id_is_as_if_absent(live_api: Api, malformed: str) -> None:
    token = await live_api.token()
    await live_api.ticket(token)
    query = f"?since={quote(malformed)}"
    streams_of = [await EventStream.open(live_api, token, query)]
    if malformed.isascii():
        streams_of.append(await EventStream.open(live_api, token, Last_Event_ID=malformed))
    await live_api.ticket(token)
    assert [(await stream.next())["id"] for stream in streams_of] == [2] * len(streams_of)


async def gone(api: Api, *, left: int = 0) -> None:
    """Wait until no more than `left` streams are open, and their requests have ended."""
    async with asyncio.timeout(4):
        while len(api.desk.hub) > left or api.desk.in_hand > left:  # noqa: ASYNC110 (a connection that ends tells only the server)
            await asyncio.sleep(0.01)


async def test_a_stream_that_its_reader_left_is_forgotten(live_api: Api) -> None:
    stream = await EventStream.open(live_api, await live_api.token())
    assert len(live_api.desk.hub) == 1
    stream.writer.close()
    await gone(live_api)


async def test_nobody_reads_events_without_signing_in(live_api: Api) -> None:
    assert (await live_api.get("/api/events")).code == "UNAUTHENTICATED"
