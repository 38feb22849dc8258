"""Logs: one line a request, nothing secret, no line of a client's making."""

from __future__ import annotations

import json

import pytest

from helpdesk.logs import _quoted
from tests.conftest import Api, Start

pytestmark = pytest.mark.gen_test


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
