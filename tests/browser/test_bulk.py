"""A change to several tickets that is left or stopped while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]


def held_change(open_tab: OpenTab, as_agent: Api) -> tuple[Any, list[Any]]:
    """A page whose change of three tickets waits; the tickets in order."""
    tag = fresh_name("held")
    tickets = [as_agent.ticket(f"Held {n}", tags=[tag]) for n in range(3)]
    page = open_tab("agent", f"/tickets?tag={tag}").page
    page.route("**/api/tickets/*", lambda r: None if r.request.method == "PATCH" else r.continue_())
    for ticket in tickets:
        page.locator(f'.row[data-id="{ticket["id"]}"] .row__check input').check()
    page.locator(".bulk").get_by_role("button", name="Priority").click()
    with page.expect_request(lambda r: r.method == "PATCH"):
        page.get_by_role("option", name="Urgent").click()
    return page, tickets


def let_go(page: Any) -> None:
    """Let the requests through: what waits goes on when nothing intercepts any more."""
    page.unroute("**/api/tickets/*")


def test_a_change_of_several_goes_on_when_the_page_is_left(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page, tickets = held_change(open_tab, as_agent)
    page.get_by_role("link", name="API console").click()
    expect(page.locator(".toast", has_text="goes on")).to_be_visible()
    let_go(page)
    expect(page.locator(".toast", has_text="3 of 3")).to_be_visible()
    expect(page.locator(".toast", has_text="goes on")).to_have_count(0)
    assert [as_agent.get(f"/api/tickets/{t['id']}")["priority"] for t in tickets] == ["urgent"] * 3


def test_stopping_names_the_tickets_that_were_not_tried(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page, tickets = held_change(open_tab, as_agent)
    page.locator(".bulk").get_by_role("button", name="Stop").click()
    let_go(page)
    report = page.get_by_role("dialog", name="1 of 3")
    expect(report).to_contain_text("2 not tried")
    # The newest stands first in the list, and was taken first.
    for ticket in tickets[:2]:
        expect(report.get_by_role("link", name=f"{ticket['id']} {ticket['title']}")).to_be_visible()
