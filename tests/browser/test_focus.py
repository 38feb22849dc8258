"""Where the focus is, what is announced and how controls are named; least font sizes, forced colours, printing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import CHROMIUM_FLAGS, Api, Server, Tab, chromium_path, fresh_name

OpenTab = Callable[..., Tab]

FOCUSED = "document.activeElement.tagName"


def test_the_title_and_the_voice_follow_every_list(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    voice = page.locator("[aria-live=polite]").first
    expect(page.locator(".row__title").first).to_be_visible()
    page.get_by_role("link", name=re.compile("^Pending")).click()
    expect(page).to_have_title("Pending · HelpDesk Mini")
    expect(voice).to_have_text(re.compile(r"^Pending: \d+ tickets?$"))
    page.get_by_role("searchbox").fill("nothinglikethis")
    expect(page).to_have_title("Search: nothinglikethis · HelpDesk Mini")
    expect(voice).to_have_text("Search: nothinglikethis: nothing matches")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    page.goto(page.url.split("/tickets")[0] + "/tickets?tag=none-such")
    expect(voice).to_have_text(re.compile("nothing matches$"))


def test_the_focus_never_falls_to_the_page(open_tab: OpenTab, as_agent: Api, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Focus"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    page = tab.page
    page.get_by_role("button", name="Assign to me").focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-part="assignee_id"]')).to_be_focused()
    page.get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-part="assignee_id"]')).to_be_focused()
    reply = page.get_by_label("Reply", exact=True)
    reply.fill("Sent by keys.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.comment")).to_be_focused()
    page.keyboard.type("n")  # no part of a reply, and no single key of the composer
    expect(page).to_have_url(re.compile("/tickets/new$"))
    page.go_back()
    expect(page.locator("article.comment")).to_be_visible()
    page.get_by_label("Reply", exact=True).focus()
    page.keyboard.press("Escape")
    expect(page.locator("article.comment")).to_be_focused()


def test_a_removed_item_leaves_the_focus_beside_it(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    tickets = [as_user.ticket(fresh_name("Unsent")) for _ in range(2)]
    tab = open_tab("user", f"/tickets/{tickets[0]['id']}")
    page = tab.page
    for ticket in tickets:
        page.goto(f"{tab.url}/tickets/{ticket['id']}")
        page.get_by_label("Reply", exact=True).fill(f"For {ticket['id']}")
    page.goto(f"{tab.url}/unsent")
    for left in (1, 0):
        page.get_by_role("button", name="Discard").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Discard").press("Enter")
        expect(page.locator(".unsent__item")).to_have_count(left)
        page.wait_for_timeout(100)
        assert page.evaluate(FOCUSED) != "BODY"
    assert page.locator("[aria-live=polite]").first.inner_text() == "Nothing is unsent"


def test_buttons_say_their_field(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Named"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    fields = page.get_by_role("complementary", name="Fields")
    for name in ("Status: Open", "Priority: Medium", "Assignee: Unassigned", "Tags: None"):
        expect(fields.get_by_role("button", name=name, exact=True)).to_be_visible()
    page.goto(page.url.split("/tickets")[0] + "/tickets?status=pending")
    expect(page.get_by_role("button", name="Status: Pending", exact=True).first).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 700})  # what is not shown for want of room is still said
    expect(page.get_by_role("button", name=re.compile("^Priority: (Low|Medium|High|Urgent)$")).first).to_be_visible()


def test_password_fields_can_be_shown_and_are_known_to_managers(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/login").page
    assert page.locator("form").get_attribute("method") == "post"
    assert page.get_by_label("Username").get_attribute("id") == "login-username"
    password = page.get_by_label("Password", exact=True)
    password.fill("secret words")
    page.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "text")
    expect(password).to_be_focused()
    page.get_by_role("button", name="Hide password").click()
    expect(password).to_have_attribute("type", "password")


def test_the_sign_in_dialog_and_the_account_show_passwords(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    tab = open_tab("agent", "/account")
    tab.allow("401")
    page = tab.page
    page.get_by_label("New password", exact=True).fill("secret words")
    page.get_by_role("button", name="Show new password").click()
    expect(page.get_by_label("New password", exact=True)).to_have_attribute("type", "text")
    Api(desk, "agent").call("PATCH", "/api/me", {"password": "agent123", "current_password": "agent123"})
    page.get_by_label("Name", exact=True).fill("Ben L")
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="Sign in again")
    password = dialog.get_by_label("Password", exact=True)
    password.fill("agent123")
    dialog.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "text")


def test_the_menu_of_a_phone_takes_the_focus_and_gives_it_back(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets", viewport={"width": 360, "height": 740}).page
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".side__brand")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.mouse.click(350, 400)
    expect(menu).to_be_focused()


def test_a_time_to_resolve_is_read_as_people_write_it(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Minutes"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    page.get_by_role("button", name="Change the time").click()
    field = page.get_by_role("dialog").get_by_role("textbox")
    for typed, said in {"soon": "such as 4h", "0": "From 1 minute", "400d": "365 days"}.items():
        field.fill(typed)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(said)
    field.fill("4h")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".toast", has_text="sla minutes changed")).to_be_visible()
    assert as_agent.get(f"/api/tickets/{ticket['id']}")["sla_minutes"] == 240


def test_the_lines_of_a_chart_stand_at_the_numbers_that_they_say(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    tab = open_tab("agent", "/tickets")
    said = tab.page.evaluate(
        """async () => {
            const { standing_bars } = await import("/static/js/charts.js");
            const days = (most) => [{ date: "2026-01-01", created: most, resolved: 0 }];
            return [1, 2, 5, 7].map((most) => {
                const chart = standing_bars(days(most), String);
                const lines = [...chart.querySelectorAll(".chart__grid")];
                const heights = lines.map((line) => 146 - line.getAttribute("y1"));
                const numbers = [...chart.querySelectorAll("text")].slice(0, 2).map((text) => Number(text.textContent));
                return [numbers, heights[1] / heights[0] === numbers[1] / numbers[0]];
            });
        }"""
    )
    assert said == [[[1, 2], True], [[1, 2], True], [[3, 6], True], [[4, 8], True]]


def test_forced_colours_leave_bars_and_legends_to_be_seen(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/dashboard", forced_colors="active").page
    expect(page.locator(".chart__bar").first).to_be_attached()
    colours = page.evaluate(
        """() => {
            const seen = (selector, of) => getComputedStyle(document.querySelector(selector))[of];
            return {
                canvas: getComputedStyle(document.body).backgroundColor,
                created: [seen(".chart__bar--created", "fill"), seen(".legend i", "backgroundColor")],
                resolved: [seen(".chart__bar--resolved", "fill"), seen(".legend__second", "backgroundColor")],
            };
        }"""
    )
    button = page.locator(".side__new")
    assert button.evaluate("(one) => getComputedStyle(one).forcedColorAdjust") == "none"  # else white on white
    assert colours["created"][0] == colours["created"][1]
    assert colours["resolved"][0] == colours["resolved"][1]
    assert len({colours["created"][0], colours["resolved"][0], "rgb(255, 255, 255)"}) == 3
    page.goto(page.url.replace("/dashboard", "/tickets?status=open"))
    left = page.locator(".clock[data-tone=running] .clock__left, .clock[data-tone=breached] .clock__bar").first
    expect(left).to_be_attached()
    assert left.evaluate("(bar) => getComputedStyle(bar).backgroundColor") != "rgb(255, 255, 255)"


@pytest.fixture
def least_font(browser: Any) -> Iterator[Any]:
    """A browser whose reader has set a least font size of 20 px."""
    flags = [*CHROMIUM_FLAGS, "--blink-settings=minimumFontSize=20"]
    chromium = browser.browser_type.launch(executable_path=chromium_path(), args=flags)
    yield chromium
    chromium.close()


def test_a_least_font_size_cuts_and_overprints_nothing(least_font: Any, desk: Server, as_agent: Api) -> None:
    context = least_font.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(f"sessionStorage.setItem('helpdesk.token', '{as_agent.token}')")
    page = context.new_page()
    page.goto(f"{desk.url}/tickets")
    page.locator(".row__title").first.wait_for()
    cut = """() => [...document.querySelectorAll(".row__status .badge, .clock__text, .row__number, .avatar")]
        .filter((node) => node.scrollWidth > (node.matches(".avatar") ? node : node.parentElement).clientWidth + 1)
        .map((node) => node.outerHTML.slice(0, 100))"""
    assert page.evaluate(cut) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.goto(f"{desk.url}/tickets/9")
    page.locator(".comment").first.wait_for()
    assert page.evaluate(cut) == []
    context.close()


def test_the_readers_font_size_counts(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row__title").first).to_be_visible()
    size = "getComputedStyle(document.querySelector('.row__title')).fontSize"
    before = float(page.evaluate(size)[:-2])
    page.evaluate("document.documentElement.style.fontSize = '150%'")
    assert float(page.evaluate(size)[:-2]) == pytest.approx(before * 1.5)
    sizes = page.evaluate("getComputedStyle(document.querySelector('.avatar')).fontSize")
    assert float(sizes[:-2]) == pytest.approx(13.5)


def test_all_of_a_ticket_and_all_of_a_list_are_printed(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Long"), description="A line.\n\n" * 80)
    for n in range(12):
        as_agent.comment(ticket["id"], f"Reply {n}.\n\n" + "More of it.\n\n" * 12)
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    expect(page.locator(".comment")).to_have_count(12)
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    page.emulate_media(media="print")
    height = page.evaluate("document.documentElement.scrollHeight")
    assert pages >= 5 and height > 3000
    clipped = "(all) => all.filter((one) => one.getBoundingClientRect().height < 10).length"
    assert page.locator(".comment, .fields, .ticket__title").evaluate_all(clipped) == 0
    expect(page.locator(".composer")).to_be_hidden()
