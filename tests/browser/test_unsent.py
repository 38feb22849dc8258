"""The list of what is not sent, in every tab, and what a draft keeps of a new ticket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .conftest import Api, Server, Tab, fresh_name

OpenTab = Callable[..., Tab]


def signed_in(open_tab: OpenTab, expect: Any) -> Tab:
    tab = open_tab(None, "/login")
    tab.page.get_by_label("Username").fill("agent")
    tab.page.get_by_label("Password").fill("agent123")
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("All open")
    return tab


def test_what_one_tab_sends_is_shown_in_the_others(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Shared"))
    first = signed_in(open_tab, expect)
    first.allow("ERR_", "net::")
    first.open(f"/tickets/{ticket['id']}")
    ticket_tab = open_tab(None, f"/tickets/{ticket['id']}", beside=first).page
    list_tab = open_tab(None, "/unsent", beside=first).page
    is_down = [True]
    first.page.route(
        "**/comments",
        lambda route: route.abort() if is_down[0] and route.request.method == "POST" else route.continue_(),
    )
    first.page.get_by_label("Reply", exact=True).fill("Words")
    first.page.keyboard.press("Control+Enter")
    expect(list_tab.locator(".unsent__item")).to_have_count(1)
    expect(ticket_tab.locator(".letter")).to_have_count(1)
    is_down[0] = False
    first.page.evaluate("dispatchEvent(new Event('online'))")
    expect(first.page.locator(".letter")).to_have_count(0)
    expect(ticket_tab.locator(".letter")).to_have_count(0)
    expect(ticket_tab.get_by_role("link", name="Unsent")).to_be_hidden()
    expect(list_tab.locator(".unsent__item")).to_have_count(0)


def test_each_unsent_text_is_opened_by_its_link(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    first = signed_in(open_tab, expect)
    first.open("/tickets/new")
    second = open_tab(None, "/tickets", beside=first)
    title = "Title"
    first.page.get_by_label(title, exact=True).fill("The first one")
    second.page.get_by_role("link", name="New ticket").first.click()
    second.page.get_by_label(title, exact=True).fill("The second one")
    second.open("/unsent")
    expect(second.page.locator(".unsent__item", has_text="The second one")).to_be_visible()
    first.page.get_by_label(title, exact=True).fill("The first one, longer")
    item = second.page.locator(".unsent__item", has_text="The first one, longer")
    item.get_by_role("link").click()
    expect(second.page.get_by_label(title, exact=True)).to_have_value("The first one, longer")


def test_a_chosen_assignee_is_sent_though_the_list_of_agents_does_not_come(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill("For Ada")
    page.get_by_label("Description", exact=True).fill("It hums.")
    page.get_by_label("Assignee").select_option(label="Ada Okafor")
    page.route("**/api/users**", lambda route: None)
    page.reload()
    page.get_by_role("button", name="Create ticket").click()
    expect(page.locator(".fields")).to_contain_text("Ada Okafor")


def test_a_draft_forgets_an_assignee_that_was_taken_back(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill("For nobody")
    chosen = page.get_by_label("Assignee").locator("option:checked")
    for name in ("Ada Okafor", "Nobody yet"):
        page.get_by_label("Assignee").select_option(label=name)
        page.reload()
        expect(page.get_by_label("Assignee").locator("option")).not_to_have_count(1)
        expect(chosen).to_have_text(name)
