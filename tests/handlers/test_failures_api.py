"""What a client sees when the server itself is at fault: a 500 or 503 that tells nothing it should not."""

from __future__ import annotations

import logging

import pytest

from helpdesk.domain import tickets
from tests.conftest import Api

pytestmark = pytest.mark.gen_test

NEW = {"title": "x", "description": "y"}


async def test_a_bug_is_found_by_its_request_id_and_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    token = await api.token()
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(tickets, "create", broken)
        response = await api.post("/api/tickets", NEW, token=token, key="k", headers={"X-Request-Id": "find-me"})
    assert (response.status, response.code, response.field) == (500, "INTERNAL", None)
    assert response.headers["X-Request-Id"] == "find-me" and "request_id=find-me" in caplog.text
    for told in (b"SELECT", b"passwd", b"RuntimeError", b"Traceback"):
        assert told not in response.body
    again = await api.post("/api/tickets", NEW, token=token, key="k")
    assert (again.status, again.json["id"], "Idempotent-Replayed" in again.headers) == (201, 1, False)


@pytest.mark.sqlite
async def test_a_store_that_takes_no_writes_says_when_to_come_back(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    writer = api.desk.db._writer  # type: ignore[attr-defined]
    writer._failed = True
    refused = await api.post("/api/tickets", NEW, token=token, key="k")
    read = await api.get("/api/tickets/1", token=token)
    writer._failed = False
    assert (refused.status, refused.code, refused.field) == (503, "UNAVAILABLE", None)
    assert int(refused.headers["Retry-After"]) >= 1
    assert read.status == 200
    assert (await api.post("/api/tickets", NEW, token=token, key="k")).json["id"] == 2
