"""Dialogs and pickers: what was chosen or typed in one is not lost by a key too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Server, Tab, fresh_name

OpenTab = Callable[..., Tab]


def tag_picker(open_tab: OpenTab, as_agent: Api) -> Any:
    """A page with the picker of tags open, its field in focus."""
    ticket = as_agent.ticket(fresh_name("Tags"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    page.locator('.fields [data-part="tags"]').click()
    return page


def test_esc_however_often_does_not_take_the_question_for_the_password_away(
    open_tab: OpenTab, desk: Server, as_agent: Api, expect: Any
) -> None:
    tab = open_tab("agent", "/tickets")
    tab.allow("401")
    page = tab.page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    api = Api(desk, "agent")
    api.token = page.evaluate("sessionStorage.getItem('helpdesk.token')")
    api.call("POST", "/api/auth/logout")
    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_be_visible()
    for _ in range(4):
        page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Password").fill("agent123")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")


def test_each_esc_in_a_picker_takes_back_one_thing(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page = tag_picker(open_tab, as_agent)
    page.keyboard.type("network")
    page.keyboard.press("Enter")
    page.keyboard.type("vp")
    page.keyboard.press("Escape")
    expect(page.locator(".picker__input")).to_have_value("")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Esc again leaves them as they were.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.picker")).to_be_hidden()
    expect(page.locator(".fields")).not_to_contain_text("network")


@pytest.mark.parametrize("way", ["button", "Control+Enter"])
def test_done_takes_a_tag_that_stands_typed(open_tab: OpenTab, as_agent: Api, expect: Any, way: str) -> None:
    page = tag_picker(open_tab, as_agent)
    page.keyboard.type("not a tag!")
    if way == "button":
        page.get_by_role("button", name="Done").click()
        expect(page.locator(".picker__warning")).to_contain_text("cannot be taken")
    page.locator(".picker__input").fill("vpn")
    if way == "button":
        page.get_by_role("button", name="Done").click()
    else:
        page.keyboard.press(way)
    expect(page.locator("dialog.picker")).to_be_hidden()
    expect(page.locator(".fields")).to_contain_text("vpn")


def test_the_palette_does_not_open_while_an_input_method_composes(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    page.get_by_label("Search tickets").click()
    press = """(init) => document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', {bubbles: true, cancelable: true, key: 'k', ctrlKey: true, ...init}))"""
    page.evaluate(press, {"isComposing": True})
    page.evaluate(press, {"keyCode": 229})
    expect(page.locator("dialog")).to_have_count(0)
    page.evaluate(press, {})
    expect(page.locator(".picker--palette")).to_be_visible()
