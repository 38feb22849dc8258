"""The list: filters in the address, search, live rows, the keyboard, many at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]


def row(page: Any, ticket: Any) -> Any:
    return page.locator(f'.row[data-id="{ticket["id"]}"]')


def test_a_view_can_be_linked_and_back_and_forward_work(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets?status=pending").page
    expect(page.locator(".row").first).to_contain_text("Pending")
    page.get_by_role("button", name="Priority", exact=False).first.click()
    page.get_by_role("option", name="Urgent").click()
    page.get_by_role("button", name="Done").click()
    expect(page).to_have_url(re.compile(r"/tickets\?status=pending&priority=urgent$"))
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/tickets\?status=pending$"))
    expect(page.locator(".row").first).to_contain_text("Pending")
    page.go_forward()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_search_as_one_types_marks_the_terms(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    word = fresh_name("Zyankali").replace("-", "")
    ticket = as_agent.ticket(f"Größe of {word} is wrong")
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(f"GROSSE {word[:10].lower()}", delay=5)
    expect(page).to_have_url(re.compile(r"q=GRO"))
    expect(row(page, ticket).locator("mark").first).to_have_text("Größe")
    expect(row(page, ticket).locator("mark")).to_have_count(2)
    expect(page.locator(".row")).to_have_count(1)


def test_searching_does_not_fill_the_history(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/dashboard").page
    page.goto(page.url.replace("/dashboard", "/tickets"))
    expect(page.locator(".row").first).to_be_visible()
    page.get_by_label("Search tickets").press_sequentially("printer", delay=120)
    expect(page).to_have_url(re.compile("q=printer"))
    page.go_back()
    expect(page).to_have_url(re.compile("/dashboard$"))


def test_a_row_changes_in_place(open_tab: OpenTab, as_admin: Api, expect: Any) -> None:
    ticket = as_admin.ticket(fresh_name("Live row"))
    page = open_tab("agent", "/tickets").page
    expect(row(page, ticket)).to_contain_text("Open")
    as_admin.patch(ticket["id"], status="in_progress", priority="urgent")
    expect(row(page, ticket)).to_contain_text("In progress")
    expect(row(page, ticket)).to_contain_text("Urgent")


def test_a_ticket_that_leaves_the_view_stays_until_one_looks_anew(
    open_tab: OpenTab, as_admin: Api, expect: Any
) -> None:
    ticket = as_admin.ticket(fresh_name("Leaves"))
    page = open_tab("agent", "/tickets?status=open").page
    expect(row(page, ticket)).to_be_visible()
    as_admin.patch(ticket["id"], status="resolved")
    expect(row(page, ticket)).to_contain_text("no longer in this view")


def test_new_tickets_wait_for_a_click_and_nothing_jumps(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    first = page.locator(".row:not(.row--skeleton)").first
    expect(first).to_be_visible()
    before = first.get_attribute("data-id")
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    ticket = as_user.ticket(fresh_name("Comes later"))
    news = page.get_by_role("button", name="1 new ticket")
    expect(news).to_be_visible()
    assert first.get_attribute("data-id") == before
    news.click()
    expect(row(page, ticket)).to_be_visible()
    expect(row(page, ticket).locator(".row__title")).to_be_focused()


def test_scrolling_reads_on_and_going_back_returns_to_the_place(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    tag = fresh_name("many").replace("_", "-")
    for n in range(70):
        as_agent.ticket(f"One of many {n}", tags=[tag])
    page = open_tab("agent", f"/tickets?tag={tag}").page
    expect(page.locator(".row:not(.row--skeleton)")).to_have_count(50)
    page.locator(".row").nth(49).scroll_into_view_if_needed()
    expect(page.locator(".row")).to_have_count(70)
    page.locator(".row__title").nth(60).click()
    expect(page.locator(".ticket__title")).to_be_visible()
    page.go_back()
    expect(page.locator(".row")).to_have_count(70)
    expect(page.locator(".row").nth(60)).to_be_in_viewport()


def test_triage_with_the_keyboard_alone(open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any) -> None:
    tag = fresh_name("keys")
    tickets = [as_user.ticket(f"Ticket {n} for the keyboard", tags=[tag]) for n in range(3)]
    page = open_tab("agent", f"/tickets?tag={tag}").page
    expect(page.locator(".row:not(.row--skeleton)")).to_have_count(3)
    keys = page.keyboard
    keys.press("j")
    expect(row(page, tickets[2]).locator(".row__title")).to_be_focused()
    keys.press("j")
    keys.press("a")
    expect(row(page, tickets[1])).to_contain_text("Ben Lindqvist")
    keys.press("s")
    keys.type("pend")
    keys.press("Enter")
    expect(row(page, tickets[1])).to_contain_text("Pending")
    expect(row(page, tickets[1]).locator(".row__title")).to_be_focused()
    keys.press("p")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(row(page, tickets[1])).to_contain_text("High")
    keys.press("l")
    keys.type("done-by-keys")
    keys.press("Enter")
    keys.press("Control+Enter")
    expect(row(page, tickets[1])).to_contain_text("done-by-keys")
    keys.press("k")
    keys.press("o")
    expect(page.locator(".ticket__title")).to_have_text("Ticket 2 for the keyboard")
    keys.press("r")
    expect(page.get_by_label("Reply", exact=True)).to_be_focused()
    keys.type("On it.")
    keys.press("Control+Enter")
    expect(page.locator(".comment")).to_contain_text("On it.")
    keys.press("Escape")
    keys.press("u")
    expect(page).to_have_url(re.compile(tag))
    keys.press("g")
    keys.press("d")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    assert as_agent.get(f"/api/tickets/{tickets[1]['id']}")["assignee"]["username"] == "agent"


def test_many_tickets_change_at_once_and_conflicts_are_reported(
    open_tab: OpenTab, as_admin: Api, as_agent: Api, expect: Any
) -> None:
    tag = fresh_name("bulk")
    tickets = [as_admin.ticket(f"Bulk {n}", tags=[tag]) for n in range(4)]
    tab = open_tab("agent", f"/tickets?tag={tag}")
    tab.allow("409")
    page = tab.page
    expect(page.locator(".row:not(.row--skeleton)")).to_have_count(4)
    # This tab does not hear of the changes: they come as a conflict.
    page.route("**/api/events", lambda route: route.abort())
    page.evaluate("history.replaceState({}, '', location.href)")
    tab.allow("ERR_FAILED")
    page.reload()
    expect(page.locator(".row:not(.row--skeleton)")).to_have_count(4)
    as_admin.patch(tickets[0]["id"], priority="low")
    as_admin.patch(tickets[1]["id"], title="Bulk 1, renamed")
    for check in page.locator(".row__check input").all():
        check.check()
    expect(page.get_by_text("4 selected")).to_be_visible()
    page.get_by_role("region", name="Selected tickets").get_by_role("button", name="Priority").click()
    page.get_by_role("option", name="Urgent").click()
    report = page.get_by_role("dialog", name="3 of 4")
    expect(report).to_contain_text("1 conflicted")
    expect(report).to_contain_text("Bulk 0")
    expect(report).to_contain_text("1 had been changed by someone else")
    got = {t["id"]: (t["priority"], t["title"]) for t in as_agent.get(f"/api/tickets?tag={tag}")["items"]}
    assert got[tickets[0]["id"]] == ("low", "Bulk 0")
    assert got[tickets[1]["id"]] == ("urgent", "Bulk 1, renamed")


def test_the_clock_says_how_it_stands(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    tag = fresh_name("clock")
    calm = as_agent.ticket("Calm", tags=[tag], sla_minutes=600)
    paused = as_agent.ticket("Waits", tags=[tag])
    as_agent.patch(paused["id"], status="pending")
    done = as_agent.ticket("Done", tags=[tag])
    as_agent.patch(done["id"], status="resolved")
    page = open_tab("agent", f"/tickets?tag={tag}").page
    tones = {"running": calm, "paused": paused, "met": done}
    for tone, ticket in tones.items():
        expect(row(page, ticket).locator(".clock")).to_have_attribute("data-tone", tone)


def test_the_clock_turns_amber_and_red_without_a_reload(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Soon late"), sla_minutes=1)
    tab = open_tab("agent", f"/tickets/{ticket['id']}", reduced_motion="reduce")
    page = tab.page
    clock = page.locator(".fields__clock .clock")
    expect(clock).to_have_attribute("data-tone", "running")
    # The page's clock is set forward; the server's stays.
    page.evaluate("const real = Date.now; Date.now = () => real() + 52000")
    expect(clock).to_have_attribute("data-tone", "soon")
    page.evaluate("const now = Date.now; Date.now = () => now() + 20000")
    expect(clock).to_have_attribute("data-tone", "breached")
    expect(clock).to_contain_text("−")


def test_views_show_counts_that_follow(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    link = page.get_by_role("link", name=re.compile(r"^Unassigned"))
    expect(link).to_have_text(re.compile(r"\d"))
    before = int(re.sub(r"\D", "", link.inner_text()))
    as_user.ticket(fresh_name("Counted"))
    expect(link).to_have_text(re.compile(rf"{before + 1}$"), timeout=12000)


def test_a_requester_sees_only_a_simple_desk(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    other = as_agent.ticket(fresh_name("Not yours"))
    page = open_tab("user", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    expect(row(page, other)).to_have_count(0)
    expect(page.get_by_role("link", name="Dashboard")).to_have_count(0)
    expect(page.locator(".row__check")).to_have_count(0)
    page.goto(page.url.replace("/tickets", "/people"))
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_list_that_cannot_be_read_says_so_and_tries_again(open_tab: OpenTab, expect: Any) -> None:
    tab = open_tab("agent", "/tickets?status=nonsense")
    tab.allow("400")
    expect(tab.page.get_by_role("alert")).to_contain_text("The list could not be read")
    expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize("query", ["status=open", "status=open&sort=updated_at", "status=open&sort=-priority"])
def test_no_ticket_is_skipped_when_others_leave_the_list(
    open_tab: OpenTab, as_admin: Api, expect: Any, query: str
) -> None:
    tag = fresh_name("skip")
    tickets = [as_admin.ticket(f"{tag} {n}", tags=[tag]) for n in range(70)]
    page = open_tab("agent", f"/tickets?{query}&tag={tag}").page
    expect(page.locator(".row:not(.row--skeleton)")).to_have_count(50)
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    shown = [int(r.get_attribute("data-id")) for r in page.locator(".row").all()][:10]
    for ticket_id in shown[:5]:
        as_admin.patch(ticket_id, status="resolved")
    for ticket_id in shown[5:]:
        as_admin.comment(ticket_id, "This moves it.")
    expect(page.locator(".row--left")).to_have_count(5)
    page.mouse.move(600, 500)
    while page.get_by_text("That is all.").count() == 0:
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
    expect(page.locator(".row")).to_have_count(70)
    assert {int(r.get_attribute("data-id")) for r in page.locator(".row").all()} == {t["id"] for t in tickets}
