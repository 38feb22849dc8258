"""Bodies that stop, bodies that never end, and what follows a refusal on the same connection."""

from __future__ import annotations

import asyncio

import pytest

from helpdesk.web import body_limit
from tests.conftest import Api
from tests.handlers.test_bad_input_api import request, written

pytestmark = pytest.mark.gen_test


async def test_a_body_that_stops_short_writes_nothing(api: Api) -> None:
    token = await api.token()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request(token, b'{"title": "x", "description": "y"}', length=500))
    writer.write_eof()
    async with asyncio.timeout(4):
        assert await reader.read() == b""
    writer.close()
    assert await written(api) == 0


async def test_a_body_that_never_ends_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert body_limit.BODY_TIMEOUT_S == 30
    monkeypatch.setattr(body_limit, "BODY_TIMEOUT_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request(await api.token(), b'{"title": ', length=500))
    async with asyncio.timeout(4):
        await reader.read()
    writer.close()
    assert await written(api) == 0


async def test_a_refused_body_leaves_its_connection_to_the_next_request(api: Api) -> None:
    token = await api.token()
    good = b'{"title": "x", "description": "y"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request(token, b"[]") + request(token, good) + request(token, b"{}"))
    statuses = []
    async with asyncio.timeout(4):
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(int(head.split()[1]))
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    writer.close()
    assert statuses == [400, 201, 400]
