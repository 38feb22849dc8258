"""Problems: reported once, cleared when the part recovers, and shown by health."""

from __future__ import annotations

import logging

import pytest

from helpdesk.problems import Problems
from tests.conftest import Api


def test_a_problem_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    with caplog.at_level(logging.WARNING, logger="helpdesk.problems"):
        problems.report("checkpoint", "The log is not copied back.")
        problems.report("checkpoint", "The log is not copied back.")
        problems.report("redis", "Redis does not answer.")
        assert problems.current() == [
            ("checkpoint", "The log is not copied back."),
            ("redis", "Redis does not answer."),
        ]
        problems.clear("checkpoint")
        problems.clear("checkpoint")
    assert problems.current() == [("redis", "Redis does not answer.")]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING"]


@pytest.mark.gen_test
async def test_health_is_degraded_while_a_part_has_a_problem(api: Api) -> None:
    api.desk.problems.report("redis", "Redis does not answer.")
    health = await api.get("/api/health")
    assert (health.status, health.json["status"], health.json["database"]) == (200, "degraded", "ok")
    assert health.json["problems"] == [{"part": "redis", "message": "Redis does not answer."}]
    api.desk.problems.clear("redis")
    assert (await api.get("/api/health")).json["status"] == "ok"
