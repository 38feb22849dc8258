"""Signing in, registering, being signed out, and where one ends up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Api, Server, Tab, fresh_name

OpenTab = Callable[..., Tab]


def sign_in(page: Any, username: str, password: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_demo_account_is_one_click(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/").page
    page.get_by_role("button", name="Agent agent").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")


def test_a_wrong_password_says_so_and_keeps_the_name(open_tab: OpenTab, expect: Any) -> None:
    tab = open_tab(None, "/login")
    tab.allow("401")
    sign_in(tab.page, "agent", "not this")
    expect(tab.page.get_by_role("alert")).not_to_be_empty()
    expect(tab.page.get_by_label("Username")).to_have_value("agent")
    expect(tab.page.get_by_label("Password")).to_be_focused()


def test_one_who_registers_is_signed_in_with_an_empty_desk(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/login").page
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Name", exact=True).fill("Núria Ñandú")
    page.get_by_label("Username").fill(fresh_name("nuria"))
    page.get_by_label("Password").fill("a good sentence")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    expect(page.get_by_text("Núria Ñandú")).to_be_visible()


def test_signing_in_leads_to_the_page_that_was_wanted(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/tickets/2").page
    sign_in(page, "agent", "agent123")
    expect(page).to_have_url(re.compile(r"/tickets/2$"))


ODD = [
    "//example.org/",
    "/\\example.org",
    "/\t/example.org",
    "https://example.org/",
    "/.//example.org",
    "http://[",
    "/login",
    "/",
]


@pytest.mark.parametrize("wanted", ODD)
@pytest.mark.parametrize("door", ["login", "register"])
def test_next_leads_to_a_page_of_this_desk_or_home(open_tab: OpenTab, expect: Any, door: str, wanted: str) -> None:
    page = open_tab(None, f"/{door}?next={quote(wanted, safe='')}").page
    if door == "register":
        page.get_by_role("link", name="Sign in").click()
    sign_in(page, "agent", "agent123")
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")
    expect(page).to_have_url(re.compile(r"^http://127\.0\.0\.1:\d+/tickets\?"))


def test_next_of_this_desks_own_address_is_followed(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    page = open_tab(None, f"/login?next={quote(desk.url + '/tickets/2#end', safe='')}").page
    sign_in(page, "agent", "agent123")
    expect(page).to_have_url(re.compile(r"/tickets/2#end$"))


def test_who_is_signed_in_and_opens_a_door_goes_home(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/login?next=%2Fregister%3Fnext%3D%2Flogin").page
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")


def test_the_token_is_kept_for_the_tab_or_for_the_device(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/login").page
    sign_in(page, "agent", "agent123")
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")
    assert page.evaluate("localStorage.getItem('helpdesk.token')") is None
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Keep me signed in").check()
    sign_in(page, "agent", "agent123")
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")
    assert page.evaluate("sessionStorage.getItem('helpdesk.token')") is None
    assert page.evaluate("localStorage.getItem('helpdesk.token')")


def test_signing_out_ends_the_token(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    tab = open_tab("agent")
    expect(tab.page.locator(".row").first).to_be_visible()
    token = tab.page.evaluate("sessionStorage.getItem('helpdesk.token')")
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    api = Api(desk, "agent")
    api.token = token
    try:
        api.get("/api/me")
    except AssertionError as error:
        assert "INVALID_TOKEN" in str(error)
    else:
        raise AssertionError("the token still works")


def test_a_dead_token_leads_to_sign_in_and_back_with_the_text_kept(
    open_tab: OpenTab, desk: Server, expect: Any
) -> None:
    tab = open_tab("agent", "/tickets/10")
    tab.allow("401")
    page = tab.page
    page.get_by_label("Reply", exact=True).fill("Half a thought")
    api = Api(desk, "agent")
    api.token = page.evaluate("sessionStorage.getItem('helpdesk.token')")
    api.call("POST", "/api/auth/logout")
    page.get_by_role("button", name="Send reply").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, "agent", "agent123")
    expect(page).to_have_url(re.compile(r"/tickets/10$"))
    expect(page.get_by_label("Reply", exact=True)).to_have_value("Half a thought")


def test_an_own_name_and_password_can_be_changed(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    name = fresh_name("mover")
    Api(desk, "admin").post("/api/auth/register", {"username": name, "password": "first secret"})
    page = open_tab(Api(desk, name, "first secret").token, "/account").page
    page.get_by_label("Name").fill("Moved On")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast", has_text="Saved.")).to_be_visible()
    page.get_by_label("Current password").fill("first secret")
    page.get_by_label("New password").fill("second secret")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".toast", has_text="The password is changed.")).to_be_visible()
    assert Api(desk, name, "second secret").me["name"] == "Moved On"
