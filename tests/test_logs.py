"""Logs: one line a request, nothing secret, no line of a client's making."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from helpdesk import logs
from helpdesk.logs import REPEAT_S, Repeats, _quoted, _TextFormatter
from tests.conftest import Api, FakeClock, Start

pytestmark = pytest.mark.gen_test


class Log:
    """A logger with the filter, on a clock to move; `lines` is what it has written."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.repeats = Repeats(self.clock.monotonic)
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.addFilter(self.repeats)
        self.handler.setFormatter(_TextFormatter())
        self.logger = logging.getLogger("test.repeats")
        self.logger.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture
def repeated() -> Iterator[Log]:
    log = Log()
    yield log
    log.logger.removeHandler(log.handler)


async def lines(api: Api, capsys: pytest.CaptureFixture[str]) -> list[str]:
    api.desk.access_log.write()
    return capsys.readouterr().err.strip().splitlines()


async def test_a_request_is_one_line_with_its_id(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    token = await api.token()
    await lines(api, capsys)
    headers = {"X-Request-Id": "find-me"}
    body = {"title": "secret title", "description": "y"}
    await api.post("/api/tickets", body, token=token, headers=headers)
    await api.get("/api/tickets?q=secret+words", token=token)
    written = await lines(api, capsys)
    assert len(written) == 2
    assert "method=POST path=/api/tickets status=201 " in written[0] and "request_id=find-me" in written[0]
    assert "secret" not in "".join(written) and token not in "".join(written)


async def test_json_lines_are_json(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    api = await start(log_format="json")
    await api.get("/api/nowhere")
    (line,) = await lines(api, capsys)
    fields = json.loads(line)
    assert (fields["method"], fields["path"], fields["status"]) == ("GET", "/api/nowhere", 404)


async def test_control_characters_are_escaped() -> None:
    assert _quoted("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert _quoted("a b") == '"a b"'
    assert _quoted("") == '""'


async def test_a_cause_is_one_line_a_minute_with_a_count(repeated: Log) -> None:
    for number in range(500):
        repeated.logger.error("the disk is full, request %s", number, extra={"cause": "disk"})
    repeated.logger.error("something else", extra={"cause": "another"})
    repeated.logger.error("no cause")
    repeated.logger.error("no cause")
    assert len(repeated.lines) == 4 and "request 0" in repeated.lines[0]
    repeated.clock.advance(seconds=REPEAT_S)
    repeated.logger.error("the disk is full, request %s", 500, extra={"cause": "disk"})
    assert "request 500 (499 more" in repeated.lines[-1]


async def test_what_was_held_back_is_counted_though_it_never_comes_again(repeated: Log) -> None:
    for _ in range(3):
        repeated.logger.error("full", extra={"cause": "disk"})
    assert repeated.repeats.counts() == []
    repeated.clock.advance(seconds=REPEAT_S)
    assert repeated.repeats.counts() == ["2 more: disk"]
    repeated.clock.advance(seconds=REPEAT_S)
    assert repeated.repeats.counts() == [] and repeated.repeats._seen == {}
    for _ in range(2):
        repeated.logger.error("full", extra={"cause": "disk"})
    assert repeated.repeats.counts(at_once=True) == ["1 more: disk"]


async def test_out_of_memory_is_one_short_line_wherever_it_is_logged(repeated: Log) -> None:
    for name in ("test.repeats", "test.repeats.tornado", "test.repeats.asyncio"):
        try:
            raise MemoryError
        except MemoryError:
            logging.getLogger(name).exception("a request failed")
    assert len(repeated.lines) == 1
    assert "out of memory: a request failed" in repeated.lines[0]


async def test_a_request_that_a_stop_cuts_off_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.set_up("text")
        for error in (asyncio.CancelledError(), ValueError("odd")):
            logging.getLogger("tornado.application").error("Uncaught exception", exc_info=error)
    finally:
        logging.basicConfig(level=level, handlers=before, force=True)
    written = capsys.readouterr().err
    assert "CancelledError" not in written and "ValueError: odd" in written
