"""What a client sees when the server itself is at fault: a 500 or 503 that tells nothing it should not."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

import pytest

from helpdesk.domain import tickets
from helpdesk.errors import Unavailable
from helpdesk.web import api as base
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


def raises(error: BaseException) -> Callable[..., None]:
    def broken(*_: object, **__: object) -> None:
        raise error

    return broken


SHORT = [MemoryError(), OSError(errno.EMFILE, "x"), OSError(errno.ENOMEM, "x")]


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__ + str(getattr(error, "errno", "")))
@pytest.mark.parametrize("where", ["in the request", "in the transaction"])
async def test_short_of_resources_is_503_without_a_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException, where: str
) -> None:
    token = await api.token()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        if where == "in the request":
            patch.setattr(base, "parse_json_object", raises(error))
        else:
            patch.setattr(tickets, "create", raises(error))
        refused = await api.post("/api/tickets", NEW, token=token, key="k")
    assert (refused.status, refused.code) == (503, "UNAVAILABLE") and int(refused.headers["Retry-After"]) >= 1
    assert "status=503" in caplog.text and "Traceback" not in caplog.text
    assert (await api.post("/api/tickets", NEW, token=token, key="k")).status == 201


async def test_every_503_is_logged_with_its_cause(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = await api.token()
    refusal = raises(Unavailable("Try again", cause="the disk is on fire"))
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(tickets, "create", refusal)
        response = await api.post("/api/tickets", NEW, token=token, headers={"X-Request-Id": "find-me"})
        patch.setattr(api.desk.db, "ping", refusal)
        assert (await api.get("/api/health")).status == 503
    assert b"fire" not in response.body
    lines = [record for record in caplog.records if record.getMessage().startswith("status=503")]
    assert len(lines) == 2 and "request_id=find-me the disk is on fire" in lines[0].getMessage()
    assert {record.cause for record in lines} == {"503, the disk is on fire"}  # type: ignore[attr-defined]
