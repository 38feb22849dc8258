"""The HTTP contract of the reports."""

from __future__ import annotations

import pytest

from helpdesk.db import reports
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def test_an_empty_desk_has_an_overview_of_zeros(api: Api) -> None:
    token = await api.token("agent")
    overview = (await api.get("/api/reports/overview?days=3", token=token)).json
    assert overview["open_by_status"] == {"open": 0, "in_progress": 0, "pending": 0}
    assert overview["first_response_minutes"] == {"median": None, "p90": None, "count": 0}
    assert [day["date"] for day in overview["per_day"]] == ["2026-11-21", "2026-11-22", "2026-11-23"]


async def test_times_are_those_of_the_days_asked_for(api: Api) -> None:
    requester, agent = await api.token(), await api.register("agent")
    for minutes in (10, 20, 30):
        ticket = await api.ticket(requester)
        api.clock.advance(minutes=minutes)
        path = f"/api/tickets/{ticket['id']}"
        await api.post(f"{path}/comments", {"body": "Looking into it."}, token=agent["token"])
        await api.patch(path, {"version": 1, "status": "resolved"}, token=agent["token"])
    overview = (await api.get("/api/reports/overview", token=agent["token"])).json
    assert overview["first_response_minutes"] == {"median": 20, "p90": 30, "count": 3}
    assert overview["resolution_minutes"] == {"median": 20, "p90": 30, "count": 3}
    assert overview["per_day"][-1] == {"date": "2026-11-23", "created": 3, "resolved": 3}


@pytest.mark.parametrize("sampled", [2, 5, 2000])
async def test_times_found_by_a_sample_are_those_of_all(
    api: Api, monkeypatch: pytest.MonkeyPatch, sampled: int
) -> None:
    monkeypatch.setattr(reports, "SORTED_MAX", 0)
    monkeypatch.setattr(reports, "SAMPLE_SIZE", sampled)
    requester, agent = await api.token(), await api.token("agent")
    for minutes in (70, 10, 30, 90, 20, 20, 100, 40, 60, 50, 80):
        ticket = await api.ticket(requester)
        api.clock.advance(minutes=minutes)
        await api.patch(f"/api/tickets/{ticket['id']}", {"version": 1, "status": "resolved"}, token=agent)
    overview = (await api.get("/api/reports/overview", token=agent)).json
    assert overview["resolution_minutes"] == {"median": 50, "p90": 90, "count": 11}


async def test_open_tickets_are_counted_by_age_breach_and_agent(api: Api) -> None:
    requester, agent = await api.token(), await api.register("agent")
    ticket = await api.ticket(requester, priority="urgent")
    change = {"version": 1, "assignee_id": agent["user"]["id"]}
    await api.patch(f"/api/tickets/{ticket['id']}", change, token=agent["token"])
    api.clock.advance(hours=30)
    await api.ticket(requester, priority="low")
    overview = (await api.get("/api/reports/overview", token=agent["token"])).json
    assert overview["breached"] == 1
    assert overview["open_by_priority"] == {"low": 1, "medium": 0, "high": 0, "urgent": 1}
    assert {group["label"]: group["count"] for group in overview["ageing"] if group["count"]} == {
        "under 1 day": 1,
        "1 to 3 days": 1,
    }
    assert overview["load"][0]["agent"]["id"] == agent["user"]["id"]
    assert (overview["load"][0]["open"], overview["load"][0]["breached"]) == (1, 1)


async def test_a_requester_sees_no_report(api: Api) -> None:
    assert (await api.get("/api/reports/overview", token=await api.token())).code == "FORBIDDEN"


async def test_days_out_of_range_are_refused(api: Api) -> None:
    response = await api.get("/api/reports/overview?days=367", token=await api.token("admin"))
    assert (response.code, response.field) == ("INVALID_PARAM", "days")
