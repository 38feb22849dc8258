"""What waits for one reader, and how many readers there may be."""

from __future__ import annotations

import resource

import pytest

from helpdesk.domain.access import Actor
from helpdesk.errors import RateLimited, Unavailable
from helpdesk.live import streams
from helpdesk.live.streams import Stream, Streams


def stream_of(user_id: int = 1) -> Stream:
    stream = Stream(Actor(user_id, f"user{user_id}", None, "user"))
    stream.after = 0
    return stream


def test_one_event_too_many_cuts_the_reader_off() -> None:
    stream = stream_of()
    for _ in range(streams.BACKLOG_MAX):
        stream.push(b"x")
    assert stream.is_open
    stream.push(b"one too many")
    assert not stream.is_open and stream.take() == b""


def test_one_byte_too_many_cuts_the_reader_off() -> None:
    stream = stream_of()
    stream.push(b"x" * (streams.BACKLOG_MAX_BYTES - 10))
    stream.push(b"x" * 10)
    assert stream.is_open
    stream.push(b"x")
    assert not stream.is_open


def test_a_single_event_of_any_size_is_passed_on() -> None:
    stream = stream_of()
    stream.push(b"x" * (2 * streams.BACKLOG_MAX_BYTES))
    assert stream.is_open and len(stream.take()) == 2 * streams.BACKLOG_MAX_BYTES


def test_what_the_connection_has_not_passed_on_counts_as_waiting() -> None:
    aborted = []
    for fill in ((b"x", streams.BACKLOG_MAX), (b"x" * 1024, 1024)):
        stream = Stream(Actor(1, "ana", None, "user"), abort=lambda: aborted.append(1))
        for _ in range(fill[1]):
            stream.push(fill[0])
            stream.take()  # and never `sent`
            if not stream.is_open:
                break
        stream.push(fill[0])
        assert not stream.is_open
    assert aborted == [1, 1]


def test_a_reader_that_reads_is_never_cut_off() -> None:
    stream = stream_of()
    for _ in range(20):
        for _ in range(200):
            stream.push(b"x" * 1024)
        while stream.take():
            stream.sent()
    assert stream.is_open


def test_a_piece_is_bounded_so_that_waiting_events_are_shared() -> None:
    stream = stream_of()
    for _ in range(200):
        stream.push(b"x" * 4096)
    sizes = []
    while piece := stream.take():
        sizes.append(len(piece))
        stream.sent()
    assert max(sizes) <= streams.PIECE_BYTES and sum(sizes) == 200 * 4096


def test_an_account_has_twenty_streams_and_another_account_its_own() -> None:
    all_streams = Streams()
    mine = [stream_of(1) for _ in range(21)]
    for stream in mine[:20]:
        all_streams.add(stream)
    with pytest.raises(RateLimited) as refused:
        all_streams.add(mine[20])
    assert int(refused.value.headers["Retry-After"]) >= 1
    all_streams.add(stream_of(2))
    all_streams.discard(mine[20])  # which was never counted
    with pytest.raises(RateLimited):
        all_streams.add(mine[20])
    for _ in range(2):
        all_streams.discard(mine[0])  # counted once
    all_streams.add(mine[20])
    with pytest.raises(RateLimited):
        all_streams.add(stream_of(1))
    assert len(all_streams) == 21


def test_there_are_so_many_streams_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 3)
    all_streams = Streams()
    opened = [stream_of(n) for n in range(3)]
    for stream in opened:
        all_streams.add(stream)
    with pytest.raises(Unavailable) as refused:
        all_streams.add(stream_of(9))
    assert int(refused.value.headers["Retry-After"]) >= 1
    all_streams.discard(opened[0])
    all_streams.add(stream_of(9))


def test_streams_leave_descriptors_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    all_streams = Streams()
    for n in range(6):
        all_streams.add(stream_of(n))
    with pytest.raises(Unavailable):
        all_streams.add(stream_of(6))
