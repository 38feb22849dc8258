"""What a person writes: kept through dismissals, lengths, other tabs and lost networks, and sent once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]


def path(ticket: Any) -> str:
    return f"/tickets/{ticket['id']}"


def reply_field(page: Any) -> Any:
    return page.get_by_label("Reply", exact=True)


def conflict(open_tab: OpenTab, as_agent: Api, as_admin: Api, mine: str) -> tuple[Tab, Any]:
    """A tab in the dialog that asks which description to take; and the ticket."""
    ticket = as_agent.ticket(fresh_name("Conflict"))
    tab = open_tab("agent", path(ticket))
    tab.allow("409")
    tab.page.get_by_role("button", name="Edit title").click()
    tab.page.get_by_label("Description", exact=True).fill(mine)
    as_admin.patch(ticket["id"], description="Their text")
    tab.page.get_by_role("button", name="Save", exact=True).click()
    tab.page.get_by_role("dialog").wait_for()
    return tab, ticket


@pytest.mark.parametrize("way", ["Escape", "Close", "outside"])
def test_leaving_the_choice_of_a_conflict_keeps_everything(
    open_tab: OpenTab, as_agent: Api, as_admin: Api, expect: Any, way: str
) -> None:
    tab, ticket = conflict(open_tab, as_agent, as_admin, "My long text")
    page = tab.page
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("input[type=radio]").first).to_be_focused()
    dialog.locator("textarea").fill("My longer text")
    if way == "outside":
        page.mouse.click(5, 5)
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
    elif way == "Close":
        dialog.get_by_role("button", name="Close").click()
    else:
        page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Description", exact=True)).to_have_value("My longer text")
    page.reload()
    expect(page.get_by_label("Description", exact=True)).to_have_value("My longer text")
    assert as_agent.get(f"/api{path(ticket)}")["description"] == "Their text"
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Save my choice").click()
    expect(page.locator(".ticket__text")).to_have_text("My longer text")


def test_a_press_that_began_inside_a_dialog_is_no_click_outside(
    open_tab: OpenTab, as_agent: Api, as_admin: Api, expect: Any
) -> None:
    tab, _ = conflict(open_tab, as_agent, as_admin, "Words to be marked by the mouse")
    page = tab.page
    box = page.get_by_role("dialog").locator("textarea").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(3, 3, steps=5)
    page.mouse.up()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")


def test_a_press_that_began_inside_the_palette_leaves_it_open(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    page.get_by_role("button", name="Go to or search").first.click()
    box = page.locator(".picker__input").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(3, 3, steps=3)
    page.mouse.up()
    expect(page.locator(".picker--palette")).to_be_visible()
    page.mouse.click(3, 3)
    expect(page.locator(".picker--palette")).to_be_hidden()


def test_chosen_tags_are_not_lost_by_a_click_outside_or_one_escape(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Tags"))
    page = open_tab("agent", path(ticket)).page
    page.locator('.fields [data-part="tags"]').click()
    page.keyboard.type("network")
    page.keyboard.press("Enter")
    page.mouse.click(3, 3)
    expect(page.locator("dialog.picker")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.picker")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".fields")).to_contain_text("network")


def test_editing_the_title_leaves_a_description_with_other_line_ends_alone(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    description = "a\r\nb\rc\n\nd\u2028e\u00a0f"
    ticket = as_agent.ticket(fresh_name("Line ends"), description=description)
    page = open_tab("agent", path(ticket)).page
    page.get_by_role("button", name="Edit title").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Title", exact=True)).to_be_hidden()
    assert as_agent.get(f"/api{path(ticket)}")["version"] == 1
    page.get_by_role("button", name="Edit title").click()
    page.get_by_label("Title", exact=True).fill("Another title")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Another title")
    now = as_agent.get(f"/api{path(ticket)}")
    assert (now["title"], now["description"]) == ("Another title", description)
    assert now["timeline"][-1]["data"]["changes"].keys() == {"title"}


def test_a_long_paste_is_kept_whole_and_not_sent(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Paste"))
    page = open_tab("user", path(ticket)).page
    text = "x" * 24_820
    reply_field(page).fill(text)
    expect(page.get_by_text("4,820 characters too long")).to_be_visible()
    page.get_by_role("button", name="Send reply").click()
    expect(reply_field(page)).to_have_value(text)
    assert as_user.get(f"/api{path(ticket)}/comments")["items"] == []
    page.goto(page.url.rsplit("/", 1)[0] + "/new")
    page.get_by_label("Title", exact=True).fill("😀" * 201)
    expect(page.get_by_text("1 character too long")).to_be_visible()
    page.get_by_label("Title", exact=True).fill("😀" * 150)
    page.get_by_label("Description", exact=True).fill("y" * 20_001)
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_text("1 character too long")).to_be_visible()
    page.get_by_label("Description", exact=True).fill("y" * 20_000)
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("😀" * 150)
    page.get_by_role("button", name="Edit title").click()
    page.get_by_label("Title", exact=True).fill("😀" * 160)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("😀" * 160)


def test_a_reply_under_way_goes_on_when_one_leaves_the_page(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Outbox"))
    tab = open_tab("agent", path(ticket))
    tab.allow("ERR_", "net::")
    page = tab.page
    expect(page.locator(".side .lamp")).to_have_attribute("data-state", "live")
    keys: list[str] = []
    away = [True]

    def lose(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if away[0]:
            route.abort()
        else:
            route.continue_()

    page.context.route("**/comments", lose)
    reply_field(page).fill("Sent from a train")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".letter")).to_contain_text("Sent from a train")
    expect(reply_field(page)).to_have_value("")
    expect(reply_field(page)).not_to_be_focused()
    page.get_by_role("link", name="Tickets", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything")
    expect(page.get_by_role("link", name="Unsent")).to_contain_text("1")
    page.reload()
    expect(page.get_by_role("link", name="Unsent")).to_contain_text("1")
    away[0] = False
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".toast", has_text=f"Your reply to ticket {ticket['id']} was sent.")).to_be_visible()
    expect(page.get_by_role("link", name="Unsent")).to_be_hidden()
    assert [c["body"] for c in as_user.get(f"/api{path(ticket)}/comments")["items"]] == ["Sent from a train"]
    assert len(set(keys)) == 1


def test_a_reply_that_is_refused_says_so_and_can_be_taken_back(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Refused"))
    tab = open_tab("user", path(ticket))
    tab.allow("409")
    page = tab.page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    page.route("**/api/events", lambda route: route.abort())
    reply_field(page).fill("One thing more")
    as_user.patch(ticket["id"], status="closed")
    page.evaluate("document.querySelector('.composer').requestSubmit()")
    failed = page.locator(".letter--failed")
    expect(failed).to_contain_text("The ticket is closed")
    as_user.patch(ticket["id"], status="open")
    failed.get_by_role("button", name="Edit").click()
    expect(reply_field(page)).to_have_value("One thing more")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator(".comment")).to_contain_text("One thing more")
    expect(page.locator(".letter")).to_have_count(0)


def test_an_edit_whose_answer_was_lost_can_be_changed_and_saved_after_a_reload(
    open_tab: OpenTab, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Lost edit"))
    tab = open_tab("agent", path(ticket))
    tab.allow("ERR_", "net::", "409")
    page = tab.page

    lost: list[str] = []

    def lose_once(route: Any) -> None:
        if route.request.method == "PATCH" and not lost:
            lost.append(route.request.url)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.get_by_role("button", name="Edit title").click()
    page.get_by_label("Title", exact=True).fill("First try")
    page.route("**/api/tickets/*", lose_once)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Trying again in")).to_be_visible()
    page.reload()
    page.get_by_label("Title", exact=True).fill("Second try")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Save my choice").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Second try")


def test_two_tabs_keep_two_drafts_and_sending_one_leaves_the_other(
    open_tab: OpenTab, as_user: Api, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Two tabs"))
    first = open_tab("agent", path(ticket))
    second = open_tab(None, path(ticket), beside=first)
    second.page.evaluate(f"sessionStorage.setItem('helpdesk.token', '{Api(first_desk(first), 'agent').token}')")
    second.page.goto(first.url + path(ticket))
    reply_field(first.page).fill("Written in the first tab")
    reply_field(second.page).fill("Written in the second tab")
    expect(first.page.locator(".composer__other")).to_contain_text("Written in the second tab")
    expect(second.page.locator(".composer__other")).to_contain_text("Written in the first tab")
    first.page.get_by_role("button", name="Send reply").click()
    expect(first.page.locator(".comment")).to_have_count(1)
    expect(reply_field(second.page)).to_have_value("Written in the second tab")
    second.page.reload()
    expect(reply_field(second.page)).to_have_value("Written in the second tab")
    second.page.goto(first.url + "/unsent")
    expect(second.page.locator(".unsent__item")).to_have_count(1)
    expect(second.page.locator(".unsent__item")).to_contain_text("Written in the second tab")


def first_desk(tab: Tab) -> Any:
    class Desk:
        url = tab.url

    return Desk()


def test_a_draft_keeps_the_assignee_and_the_status_after_sending(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Choices"))
    page = open_tab("agent", path(ticket)).page
    reply_field(page).fill("Half a reply")
    page.get_by_label("After sending").select_option("pending")
    page.reload()
    expect(page.get_by_label("After sending")).to_have_value("pending")
    page.goto(page.url.rsplit("/", 1)[0] + "/new")
    page.get_by_label("Title", exact=True).fill("Half a title")
    page.get_by_label("Assignee").select_option(label="Ada Okafor")
    page.get_by_label("Priority").select_option("urgent")
    page.reload()
    expect(page.get_by_label("Assignee").locator("option:checked")).to_have_text("Ada Okafor")
    expect(page.get_by_label("Priority")).to_have_value("urgent")


def test_a_reply_and_the_status_after_it_are_both_done(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Then"))
    page = open_tab("agent", path(ticket)).page
    reply_field(page).fill("Please try again.")
    page.get_by_label("After sending").select_option("pending")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator(".comment")).to_contain_text("Please try again.")
    expect(page.locator(".fields")).to_contain_text("Pending")
    expect(page.locator(".letter")).to_have_count(0)


COMPOSE = """(init) => document.activeElement.dispatchEvent(
    new KeyboardEvent('keydown', {bubbles: true, cancelable: true, ...init}))"""


@pytest.mark.parametrize("sign", [{"isComposing": True}, {"keyCode": 229}], ids=["flag", "code"])
def test_keys_of_an_input_method_do_nothing_else(
    open_tab: OpenTab, as_user: Api, expect: Any, sign: dict[str, Any]
) -> None:
    ticket = as_user.ticket(fresh_name("Compose"))
    page = open_tab("agent", path(ticket)).page
    reply_field(page).fill("にほんご")
    page.evaluate(COMPOSE, {"key": "Enter", "ctrlKey": True, **sign})
    expect(reply_field(page)).to_have_value("にほんご")
    page.evaluate(COMPOSE, {"key": "Escape", **sign})
    expect(reply_field(page)).to_be_focused()
    page.locator('.fields [data-part="tags"]').click()
    page.keyboard.insert_text("ネット")
    page.evaluate(COMPOSE, {"key": "Enter", **sign})
    expect(page.locator(".picker__input")).to_have_value("ネット")
    page.evaluate(COMPOSE, {"key": "ArrowDown", **sign})
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    before = page.url
    page.evaluate(COMPOSE, {"key": "Enter", **sign})
    expect(page.locator(".picker--palette")).to_be_visible()
    assert page.url == before


def test_a_search_waits_until_the_text_is_composed(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    searches: list[str] = []
    page.on("request", lambda r: searches.append(r.url) if "q=" in r.url else None)
    session = page.context.new_cdp_session(page)
    page.get_by_label("Search tickets").click()
    for stage in ("k", "か", "かん"):
        session.send(
            "Input.imeSetComposition", {"text": stage, "selectionStart": len(stage), "selectionEnd": len(stage)}
        )
        page.wait_for_timeout(400)
    assert searches == []
    session.send("Input.insertText", {"text": "漢"})
    expect(page).to_have_url(re.compile("q="))


def test_two_own_edits_in_quick_succession_are_no_conflict(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Quick"))
    tab = open_tab("agent", path(ticket))
    page = tab.page
    page.route("**/api/events", lambda route: route.abort())
    tab.allow("ERR_")
    page.reload()
    page.locator(".ticket__title").wait_for()
    page.route("**/api/tickets/*", lambda route: (page.wait_for_timeout(150), route.continue_()))
    for name, option in (("status", "In progress"), ("priority", "Urgent"), ("status", "Pending")):
        page.locator(f'.fields [data-part="{name}"]').click()
        page.get_by_role("option", name=option).click()
    expect(page.locator('.fields [data-part="status"]')).to_contain_text("Pending")
    expect(page.locator('.fields [data-part="priority"]')).to_contain_text("Urgent")
    expect(page.locator(".toast", has_text="changed this")).to_have_count(0)
    now = as_agent.get(f"/api{path(ticket)}")
    assert (now["status"], now["priority"], now["version"]) == ("pending", "urgent", 4)


def test_a_merge_names_the_person_who_was_faster(open_tab: OpenTab, as_agent: Api, as_admin: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Named"))
    tab = open_tab("agent", path(ticket))
    tab.allow("ERR_", "409")
    page = tab.page
    page.route("**/api/events", lambda route: route.abort())
    page.reload()
    page.locator(".ticket__title").wait_for()
    as_admin.patch(ticket["id"], priority="urgent")
    page.locator('.fields [data-part="status"]').click()
    page.get_by_role("option", name="In progress").click()
    expect(page.locator(".toast", has_text="Ada Okafor changed this ticket meanwhile")).to_be_visible()
