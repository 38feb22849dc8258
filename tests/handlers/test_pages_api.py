"""Targets that are no page, file or call: answered in the one shape, with all the headers."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def ask(api: Api, target: str, *, method: str = "GET", host: str = "localhost") -> tuple[int, bytes, bytes]:
    """Status, head and body of the answer to a target that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(4):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", "*"),
        ("GET", "no-slash"),
        ("GET", "?q=x"),
        ("GET", "http://localhost/nowhere.html"),
        ("CONNECT", "localhost:80"),
        ("GET", "/static/%00"),
        ("GET", "/static/" + "a" * 5000),
        ("GET", "/static/%ff"),
        ("GET", "/static/js"),
        ("GET", "/x.%00"),
    ],
)
async def test_a_target_that_is_nothing_is_not_found_in_the_one_shape(api: Api, method: str, target: str) -> None:
    status, head, body = await ask(api, target, method=method)
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (404, "NOT_FOUND")
    assert set(error) == {"code", "message", "field"}
    assert b"X-Request-Id: " in head
    server = re.search(rb"Server: ([^\r]+)", head)
    assert server is not None and not re.search(rb"[0-9]", server[1])


@pytest.mark.parametrize("target", ["*", "no-slash", "http://evil.example/api/_meta"])
async def test_the_host_is_checked_for_every_target(api: Api, target: str) -> None:
    status, _, body = await ask(api, target, host="evil.example")
    assert (status, json.loads(body)["error"]["code"]) == (421, "HOST_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/", "/tickets/7", "/static/app.js"])
async def test_options_of_a_page_tell_what_is_possible(api: Api, path: str) -> None:
    options = await api.request("OPTIONS", path)
    assert (options.status, options.headers["Allow"], options.body) == (204, "GET, HEAD, OPTIONS", b"")
    refused = await api.request("DELETE", path)
    assert (refused.status, refused.code) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"
