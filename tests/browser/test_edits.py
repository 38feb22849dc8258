"""Edits: what a conflict says of whose hand it was, and how long a text may be."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]


def deaf_tab(open_tab: OpenTab, ticket: Any) -> Tab:
    """A tab that does not hear of changes: they come as a conflict."""
    tab = open_tab("agent", "/tickets")
    tab.allow("ERR_", "409")
    tab.page.route("**/api/events", lambda route: route.abort())
    tab.page.goto(f"{tab.url}/tickets/{ticket['id']}")
    tab.page.locator(".ticket__title").wait_for()
    return tab


def test_ones_own_change_in_another_window_is_called_ones_own(
    open_tab: OpenTab, as_agent: Api, as_admin: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Own"))
    as_admin.patch(ticket["id"], title=fresh_name("Renamed"))
    page = deaf_tab(open_tab, ticket).page
    as_agent.patch(ticket["id"], priority="urgent")
    page.locator('.fields [data-part="status"]').click()
    page.get_by_role("option", name="In progress").click()
    expect(page.locator(".toast", has_text="You changed this ticket in another window")).to_be_visible()


def test_a_choice_between_two_texts_of_ones_own_says_so(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Own"))
    page = deaf_tab(open_tab, ticket).page
    as_agent.patch(ticket["id"], status="pending")
    page.locator('.fields [data-part="status"]').click()
    page.get_by_role("option", name="In progress").click()
    expect(page.get_by_role("dialog")).to_contain_text("You changed the same thing in another window.")


@pytest.mark.parametrize("title", ["x" * 200 + "  ", unicodedata.normalize("NFD", "é" * 200)], ids=["trimmed", "NFC"])
def test_a_title_is_counted_as_the_api_counts_it(open_tab: OpenTab, expect: Any, title: str) -> None:
    page = open_tab("user", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Description", exact=True).fill("It is long.")
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(unicodedata.normalize("NFC", title.strip()))
