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


def dialog(page: Any) -> Any:
    return page.get_by_role("dialog", name="Sign in again")


def end_token(desk: Server, page: Any) -> None:
    api = Api(desk, "agent")
    api.token = page.evaluate("sessionStorage.getItem('helpdesk.token')")
    api.call("POST", "/api/auth/logout")


def test_a_dead_token_asks_for_the_password_over_the_page_and_goes_on(
    open_tab: OpenTab, desk: Server, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Session"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("401")
    page = tab.page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    page.get_by_label("Reply", exact=True).fill("Half a thought")
    end_token(desk, page)
    expect(dialog(page)).to_be_visible()
    expect(page.get_by_role("dialog").get_by_label("Username")).to_have_value("agent")
    page.keyboard.type("meant for the page", delay=5)
    expect(page.get_by_role("dialog").get_by_label("Username")).to_have_value("agent")
    expect(page.get_by_role("dialog").get_by_label("Password")).to_have_value("")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_visible()
    expect(page.get_by_role("dialog").get_by_label("Password")).to_be_focused()
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    page.get_by_role("dialog").get_by_label("Password").fill("agent123")
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    expect(page.get_by_label("Reply", exact=True)).to_have_value("Half a thought")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator(".comment")).to_contain_text("Half a thought")


def test_what_was_sent_with_a_dead_token_is_done_after_signing_in_again(
    open_tab: OpenTab, desk: Server, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Session"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("401", "ERR_FAILED")
    page = tab.page
    page.route("**/api/events", lambda route: route.abort())
    page.reload()
    page.get_by_label("Reply", exact=True).fill("Sent in time")
    end_token(desk, page)
    page.get_by_role("button", name="Send reply").click()
    page.get_by_role("dialog").get_by_label("Password").fill("agent123")
    page.keyboard.press("Enter")
    expect(page.locator(".comment")).to_contain_text("Sent in time")


def test_one_who_signs_in_as_somebody_else_comes_back_to_the_page(
    open_tab: OpenTab, desk: Server, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Session"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("401")
    page = tab.page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    end_token(desk, page)
    page.get_by_role("button", name="Sign in as someone else").click()
    sign_in(page, "admin", "admin123")
    expect(page).to_have_url(re.compile(rf"/tickets/{ticket['id']}$"))
    expect(page.locator(".side__me")).to_contain_text("Ada Okafor")


def test_a_new_tab_needs_no_password_and_signing_out_ends_all(open_tab: OpenTab, expect: Any) -> None:
    first = open_tab(None, "/login")
    sign_in(first.page, "agent", "agent123")
    expect(first.page.get_by_role("heading", level=1)).to_have_text("All open")
    second = open_tab(None, "/dashboard", beside=first)
    expect(second.page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    with first.page.context.expect_page() as opened:
        first.page.locator(".row__title").first.click(modifiers=["Control"])
    expect(opened.value.locator(".ticket__title")).to_be_visible()
    first.page.get_by_role("button", name="Sign out").click()
    for page in (first.page, second.page, opened.value):
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(first.page, "user", "user1234")
    expect(second.page.locator(".side__me")).to_contain_text("Carla Mendes")


def test_signing_in_again_in_one_tab_serves_the_others(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    first = open_tab(None, "/login")
    first.allow("401")
    sign_in(first.page, "agent", "agent123")
    expect(first.page.get_by_role("heading", level=1)).to_have_text("All open")
    second = open_tab(None, "/tickets/2", beside=first)
    second.allow("401")
    expect(second.page.locator(".lamp").first).to_have_attribute("data-state", "live")
    end_token(desk, first.page)
    expect(dialog(first.page)).to_be_visible()
    second.page.locator('.fields [data-part="status"]').wait_for()
    first.page.get_by_role("dialog").get_by_label("Password").fill("agent123")
    first.page.keyboard.press("Enter")
    expect(dialog(first.page)).to_be_hidden()
    expect(dialog(second.page)).to_be_hidden()
    assert second.page.evaluate("sessionStorage.getItem('helpdesk.token')") == first.page.evaluate(
        "sessionStorage.getItem('helpdesk.token')"
    )


def test_a_password_can_be_shown_and_fields_have_names(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/login").page
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Show password").click()
    expect(page.locator("#login-password")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide password").click()
    expect(page.locator("#login-password")).to_have_attribute("type", "password")
    assert page.locator("form input[type=text], form input:not([type])").first.get_attribute("name") == "username"
    expect(page.locator("form")).to_have_attribute("method", "post")


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


def test_an_address_can_be_taken_away_and_a_new_name_shows_at_once(
    open_tab: OpenTab, desk: Server, expect: Any
) -> None:
    name = fresh_name("mail")
    account = {"username": name, "password": "a good sentence", "name": "Before", "email": "b@example.com"}
    token = Api(desk, "agent").post("/api/auth/register", account)["token"]
    page = open_tab(token, "/account").page
    page.get_by_label("Email").fill("")
    page.get_by_label("Name", exact=True).fill("After")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".side__me")).to_contain_text("After")
    api = Api(desk, name, "a good sentence")
    assert (api.me["email"], api.me["name"]) == (None, "After")


def test_a_page_that_comes_late_says_so_and_comes_when_the_network_is_back(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Late"))
    tab = open_tab("agent", "/tickets")
    tab.allow("ERR_", "net::", "Failed to fetch")
    page = tab.page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    page.context.set_offline(True)
    page.locator(f'.row[data-id="{ticket["id"]}"] .row__title').click()
    expect(page.get_by_role("heading", name="This page has not come")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".ticket__title")).to_have_text(ticket["title"], timeout=20000)


def test_a_broken_escape_in_the_address_is_no_error(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets?q=100%").page
    expect(page.get_by_role("heading", level=1)).to_contain_text("Search")


def test_back_brings_the_search_box_back_too(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets?q=printer").page
    expect(page.get_by_label("Search tickets")).to_have_value("printer")
    page.get_by_role("link", name="All open").click()
    page.get_by_label("Search tickets").click()
    page.go_back()
    expect(page.get_by_label("Search tickets")).to_have_value("printer")


def test_the_filter_names_the_assignee(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets?assignee_id=1").page
    expect(page.locator(".chip--on")).to_contain_text("Ada Okafor")


def test_a_role_is_changed_only_when_the_admin_says_so(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    name = fresh_name("role")
    who = Api(desk, "agent").post("/api/auth/register", {"username": name, "password": "a good sentence"})["user"]
    page = open_tab("admin", f"/people?q={name}").page
    page.get_by_label("Search people").fill(name)
    choice = page.get_by_label(f"Role of {name}")
    choice.select_option("admin")
    page.get_by_role("button", name="Cancel").click()
    expect(choice).to_have_value("user")
    assert Api(desk, "admin").get(f"/api/users/{who['id']}")["role"] == "user"
    choice.select_option("agent")
    page.get_by_role("button", name="Change the role").click()
    expect(page.locator(".toast", has_text="Agent")).to_be_visible()
    assert Api(desk, "admin").get(f"/api/users/{who['id']}")["role"] == "agent"


NO_STORAGE = {
    "switched off": "get() { return null; }",
    "forbidden": "get() { throw new DOMException('denied', 'SecurityError'); }",
    "full": (
        "get() { return { length: 0, key: () => null, getItem: () => null, removeItem() {},"
        " setItem() { throw new DOMException('full', 'QuotaExceededError'); } }; }"
    ),
}


@pytest.mark.parametrize("how", NO_STORAGE)
def test_a_browser_that_keeps_nothing_is_said_once_with_the_way_to_the_plain_pages(
    open_tab: OpenTab, expect: Any, how: str
) -> None:
    page = open_tab(None, "/login").page
    for name in ("localStorage", "sessionStorage"):
        page.context.add_init_script(f"Object.defineProperty(window, '{name}', {{ {NO_STORAGE[how]} }})")
    page.reload()
    sign_in(page, "agent", "agent123")
    expect(page.get_by_role("heading", level=1)).to_have_text("All open")
    said = page.get_by_role("region", name="Notices").get_by_text("This browser keeps nothing for the desk")
    expect(said).to_have_count(1)
    expect(said.get_by_role("link", name="Use the plain pages")).to_have_attribute("href", "/plain")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    expect(said).to_have_count(1)
