"""The plain pages in Chromium: what is typed survives, is stored once, and fits a phone; with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import PASSWORDS, Api, Tab, fresh_name

OpenTab = Callable[..., Tab]
# Chromium reports every refusal that a test provokes, and that a form was sent again.
REFUSED = "Failed to load resource"


def signed_in(open_tab: OpenTab, who: str, path: str, **options: Any) -> Any:
    """A page of the plain desk, signed in through its own form."""
    tab = open_tab(None, f"/plain/login?next={path}", **options)
    tab.allow(REFUSED)
    sign_in(tab.page, who)
    return tab.page


def sign_in(page: Any, who: str) -> None:
    page.get_by_label("Username").fill(who)
    page.get_by_label("Password").fill(PASSWORDS[who])
    page.get_by_role("button", name="Sign in").click()


def send(page: Any) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def bodies(api: Api, ticket_id: int) -> list[str]:
    return [comment["body"] for comment in api.get(f"/api/tickets/{ticket_id}/comments")["items"]]


def test_a_half_written_answer_survives_leaving_and_is_gone_when_it_was_sent(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Half"))
    page = signed_in(open_tab, "agent", f"/plain/tickets/{ticket['id']}")
    page.locator("textarea[name=body]").fill("Half a sentence")
    page.get_by_label("Internal note").check()
    page.get_by_role("link", name="New ticket").click()
    page.locator(".top__name").click()
    page.locator(f"a[href='/plain/tickets/{ticket['id']}']").first.click()
    expect(page.get_by_text("What you wrote here before is back.")).to_be_visible()
    expect(page.locator("textarea[name=body]")).to_have_value("Half a sentence")
    expect(page.get_by_label("Internal note")).to_be_checked()
    page.get_by_role("button", name="Take it away").click()
    expect(page.locator("textarea[name=body]")).to_have_value("")
    page.get_by_role("button", name="Put it back").click()
    send(page)
    expect(page.get_by_text("Your reply was sent.")).to_be_visible()
    page.locator(".top__name").click()
    page.locator(f"a[href='/plain/tickets/{ticket['id']}']").first.click()
    expect(page.locator("textarea[name=body]")).to_have_value("")
    assert bodies(as_agent, ticket["id"]) == ["Half a sentence"]
    assert as_agent.get(f"/api/tickets/{ticket['id']}/comments")["items"][0]["internal"] is True


@pytest.mark.parametrize("scripts", [True, False])
def test_back_after_sending_and_sending_again_stores_once(
    open_tab: OpenTab, as_user: Api, expect: Any, scripts: bool
) -> None:
    ticket = as_user.ticket(fresh_name("Twice"))
    page = signed_in(open_tab, "user", f"/plain/tickets/{ticket['id']}", java_script_enabled=scripts)
    page.locator("textarea[name=body]").fill("Only once")
    send(page)
    expect(page.get_by_text("Your reply was sent.")).to_be_visible()
    page.go_back()
    if page.locator("textarea[name=body]").input_value() == "":
        page.locator("textarea[name=body]").fill("Only once")
    send(page)
    expect(page.get_by_text(re.compile("You have just sent exactly this|Your reply was sent"))).to_be_visible()
    assert bodies(as_user, ticket["id"]) == ["Only once"]


def test_the_words_of_one_person_are_not_shown_to_the_next(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Next"))
    page = signed_in(open_tab, "agent", f"/plain/tickets/{ticket['id']}")
    page.locator("textarea[name=body]").fill("Between us")
    page.context.clear_cookies()  # the session ends without a word
    page.goto(f"{page.url.split('/plain')[0]}/plain/login?next=/plain/tickets/{ticket['id']}")
    sign_in(page, "admin")
    page.wait_for_url("**/tickets/*")  # and its load, before which the script ran
    expect(page.locator("textarea[name=body]")).to_have_value("")
    page.locator("textarea[name=body]").fill("Mine")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('helpdesk.plain.'))") == []


def test_an_answer_to_a_note_does_not_become_an_answer_to_all(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Note"))
    note = as_agent.comment(ticket["id"], "Do not tell", internal=True)
    page = signed_in(open_tab, "agent", f"/plain/tickets/{ticket['id']}?parent={note['id']}")
    page.locator("textarea[name=body]").fill("I will not")
    page.get_by_role("link", name="Reply to the ticket instead").click()
    expect(page.locator("textarea[name=body]")).to_have_value("")
    page.go_back()
    expect(page.locator("textarea[name=body]")).to_have_value("I will not")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_text_over_the_limit_comes_back_whole(open_tab: OpenTab, as_user: Api, expect: Any, scripts: bool) -> None:
    ticket = as_user.ticket(fresh_name("Long"))
    long = "\U0001f600" * 20_009
    page = signed_in(open_tab, "user", f"/plain/tickets/{ticket['id']}", java_script_enabled=scripts)
    page.locator("textarea[name=body]").fill(long)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("9 characters too long")
    expect(page.locator("textarea[name=body]")).to_have_value(long)
    page.locator("textarea[name=body]").fill(long[:20_000])
    send(page)
    expect(page.get_by_text("Your reply was sent.")).to_be_visible()
    assert bodies(as_user, ticket["id"]) == [long[:20_000]]


@pytest.mark.parametrize("scripts", [True, False])
def test_an_edit_in_conflict_keeps_both(open_tab: OpenTab, as_agent: Api, expect: Any, scripts: bool) -> None:
    ticket = as_agent.ticket(fresh_name("Both"))
    page = signed_in(open_tab, "agent", f"/plain/tickets/{ticket['id']}/edit", java_script_enabled=scripts)
    page.get_by_label("Title").fill("Mine")
    as_agent.patch(ticket["id"], title="Theirs")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".now")).to_contain_text("Theirs")
    expect(page.get_by_label("Title")).to_have_value("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mine")


def test_an_edit_that_came_back_does_not_undo_what_others_did_meanwhile(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Meanwhile"), description="First")
    page = signed_in(open_tab, "agent", f"/plain/tickets/{ticket['id']}/edit")
    page.get_by_label("Title").fill("Mine")
    page.get_by_role("link", name="Back to the ticket").click()
    as_agent.patch(ticket["id"], description="Second")
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Title")).to_have_value("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    seen = as_agent.get(f"/api/tickets/{ticket['id']}")
    assert (seen["title"], seen["description"]) == ("Mine", "Second")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_ended_session_gives_the_text_back_after_signing_in(
    open_tab: OpenTab, as_user: Api, expect: Any, scripts: bool
) -> None:
    ticket = as_user.ticket(fresh_name("Ended"))
    page = signed_in(open_tab, "user", f"/plain/tickets/{ticket['id']}", java_script_enabled=scripts)
    page.locator("textarea[name=body]").fill("Written for an hour")
    page.context.clear_cookies(name="helpdesk_plain")
    send(page)
    sign_in(page, "user")
    expect(page.locator("textarea[name=body]")).to_have_value("Written for an hour")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Your reply was sent.")).to_be_visible()
    expect(page.locator("textarea[name=body]")).to_have_value("")
    assert bodies(as_user, ticket["id"]) == ["Written for an hour"]


PAGES = ("", "/tickets/new", "/tickets/1", "/tickets/1/edit", "/tickets/1/history", "/people", "/people/new")


@pytest.mark.parametrize("path", [*PAGES, "/people/1", "/account", "/figures", "/tickets/999999"])
def test_a_narrow_phone_needs_no_sideways_scrolling(open_tab: OpenTab, path: str) -> None:
    options = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
    page = signed_in(open_tab, "admin", "/plain", **options)
    page.goto(f"{page.url.split('/plain')[0]}/plain{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_without_storage_the_pages_go_on(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Bare"))
    page = signed_in(open_tab, "user", f"/plain/tickets/{ticket['id']}")
    page.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('forbidden'); } })")
    page.reload()
    page.locator("textarea[name=body]").fill("Without storage")
    send(page)
    expect(page.get_by_text("Your reply was sent.")).to_be_visible()
    assert bodies(as_user, ticket["id"]) == ["Without storage"]


def test_the_fields_of_a_row_stand_level_and_what_they_hold_is_not_bold(open_tab: OpenTab) -> None:
    page = signed_in(open_tab, "agent", "/plain")
    page.locator(".tickets").wait_for()
    look = "(n) => [n.offsetHeight, getComputedStyle(n).fontWeight].join()"
    seen = {field.evaluate(look) for field in page.locator(".search input:not([type=hidden]), .search select").all()}
    assert seen == {"42,400"}


def test_paper_has_the_words_only_and_is_white(open_tab: OpenTab) -> None:
    page = signed_in(open_tab, "agent", "/plain/tickets/1", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("form:visible, nav:visible, .byline__act:visible").count() == 0
    assert (
        page.evaluate("getComputedStyle(document.querySelector('article.text')).backgroundColor")
        == "rgb(255, 255, 255)"
    )
