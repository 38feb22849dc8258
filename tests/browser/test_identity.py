"""Whose session a tab has, and in whose name what was written goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Server, Tab, fresh_name

OpenTab = Callable[..., Tab]


def sign_in(page: Any, username: str, password: str, *, keep: bool = False) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    if keep:
        page.get_by_label("Keep me signed in").check()
    page.get_by_role("button", name="Sign in").click()


def end_token(desk: Server, page: Any) -> None:
    api = Api(desk, "agent")
    api.token = page.evaluate("sessionStorage.getItem('helpdesk.token') || localStorage.getItem('helpdesk.token')")
    api.call("POST", "/api/auth/logout")


def two_tabs(open_tab: OpenTab, expect: Any, *, keep: bool) -> tuple[Tab, Tab]:
    first = open_tab(None, "/login")
    sign_in(first.page, "agent", "agent123", keep=keep)
    expect(first.page.get_by_role("heading", level=1)).to_have_text("All open")
    second = open_tab(None, "/tickets/2", beside=first)
    expect(second.page.locator(".lamp").first).to_have_attribute("data-state", "live")
    for tab in (first, second):
        tab.allow("401")
    return first, second


def test_signing_in_again_keeps_the_device_signed_in(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    first, second = two_tabs(open_tab, expect, keep=True)
    end_token(desk, first.page)
    dialog = first.page.get_by_role("dialog", name="Sign in again")
    dialog.get_by_label("Password").fill("agent123")
    first.page.keyboard.press("Enter")
    for tab in (first, second):
        expect(tab.page.get_by_role("dialog", name="Sign in again")).to_be_hidden()
        expect(tab.page.locator(".lamp").first).to_have_attribute("data-state", "live")
    assert first.page.evaluate("localStorage.getItem('helpdesk.token')")


@pytest.mark.parametrize("keep", [False, True])
def test_another_person_who_signs_in_is_signed_in_everywhere(
    open_tab: OpenTab, desk: Server, expect: Any, keep: bool
) -> None:
    first, second = two_tabs(open_tab, expect, keep=False)
    end_token(desk, first.page)
    first.page.get_by_role("button", name="Sign in as someone else").click()
    sign_in(first.page, "admin", "admin123", keep=keep)
    for tab in (first, second):
        expect(tab.page.locator(".side__me")).to_contain_text("Ada")
    first.page.reload()
    expect(first.page.locator(".side__me")).to_contain_text("Ada")
    assert bool(first.page.evaluate("localStorage.getItem('helpdesk.token')")) is keep


class Network:
    """Loses what matches while it is down, and says what it let through."""

    def __init__(self, tab: Tab, pattern: str, method: str) -> None:
        self.is_down = True
        self.lost: list[str] = []
        self.page = tab.page
        self.method = method
        tab.allow("ERR_", "net::", "401")
        tab.page.context.route(pattern, self._route)

    def _route(self, route: Any) -> None:
        if self.is_down and route.request.method == self.method:
            self.lost.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    def is_back(self) -> None:
        self.is_down = False
        self.page.evaluate("dispatchEvent(new Event('online'))")


def become_admin(page: Any, expect: Any, ticket: Any) -> None:
    """Sign in as somebody else without loading the page again, and go to that ticket."""
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "admin", "admin123")
    expect(page.locator(".side__me")).to_contain_text("Ada")
    page.locator(f'.row[data-id="{ticket["id"]}"] .row__title').click()


def test_a_reply_that_waits_is_not_sent_by_the_next_person(
    open_tab: OpenTab, as_user: Api, desk: Server, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Mine"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    network = Network(tab, "**/comments", "POST")
    page = tab.page
    page.get_by_label("Reply", exact=True).fill("The agent's words")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Trying again in")).to_be_visible()
    become_admin(page, expect, ticket)
    network.is_back()
    page.get_by_label("Reply", exact=True).fill("The admin's words")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".comment")).to_contain_text("The admin's words")
    expect(page.locator(".letter")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "agent", "agent123")
    expect(page.locator(".toast", has_text="was sent")).to_be_visible()
    sent = as_user.get(f"/api/tickets/{ticket['id']}/comments")["items"]
    assert [(c["author"]["username"], c["body"]) for c in sent] == [
        ("admin", "The admin's words"),
        ("agent", "The agent's words"),
    ]


def test_a_change_that_waits_is_not_made_by_the_next_person(
    open_tab: OpenTab, as_user: Api, desk: Server, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Mine"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    network = Network(tab, f"**/api/tickets/{ticket['id']}", "PATCH")
    page = tab.page
    page.locator('.fields [data-part="status"]').click()
    page.get_by_role("option", name="In progress").click()
    expect(page.get_by_text("Trying again in")).to_be_visible()
    become_admin(page, expect, ticket)
    network.is_back()
    expect(page.get_by_text("Trying again in")).to_be_hidden()
    page.locator('.fields [data-part="priority"]').click()
    page.get_by_role("option", name="Urgent").click()
    expect(page.locator('.fields [data-part="priority"]')).to_contain_text("Urgent")
    timeline = as_user.get(f"/api/tickets/{ticket['id']}")["timeline"]
    assert [(e["actor"]["username"], *e["data"].get("changes", {})) for e in timeline[1:]] == [
        ("admin", "priority", "sla_minutes")
    ]
