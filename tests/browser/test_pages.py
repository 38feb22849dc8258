"""Every page: accessible in both themes, at home on a phone, quiet in the console; and the pages of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import HERE, Api, Server, Tab, absent, fresh_name

OpenTab = Callable[..., Tab]

PAGES = {
    "list": ("agent", "/tickets", ".row:not(.row--skeleton)"),
    "search": ("agent", "/tickets?q=printer", ".page__title"),
    "ticket": ("agent", "/tickets/9", ".comment"),
    "requester's ticket": ("user", "/tickets/10", ".comment"),
    "new": ("agent", "/tickets/new", ".new__form"),
    "dashboard": ("admin", "/dashboard", ".chart"),
    "people": ("admin", "/people", ".people tbody tr"),
    "console": ("admin", "/console?call=patch_tickets_id", ".call__form"),
    "account": ("user", "/account", ".new__form"),
    "empty": ("agent", "/tickets?tag=none-such", ".empty"),
    "no page": ("agent", "/nowhere", ".empty"),
    "sign in": (None, "/login", ".login__accounts .button"),
    "register": (None, "/register", ".login__form"),
}


@pytest.fixture(scope="session")
def axe() -> str:
    path = HERE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        absent("axe-core is not installed (npm ci in tests/browser)")
    return Path(path).read_text()


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    page.wait_for_timeout(250)
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{v['id']}: {n['target']} {n.get('failureSummary', '')[:300]}" for v in found["violations"] for n in v["nodes"]
    ]


def test_axe_sees_a_fault_that_is_there(open_tab: OpenTab, axe: str, expect: Any) -> None:
    page = open_tab(None, "/login").page
    expect(page.locator(".login__form")).to_be_visible()
    page.evaluate("document.querySelectorAll('.login label').forEach((label) => label.removeAttribute('for'))")
    assert any(fault.startswith("label:") for fault in violations(page, axe))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(open_tab: OpenTab, axe: str, expect: Any, name: str, theme: str) -> None:
    who, path, ready = PAGES[name]
    page = open_tab(who, path, color_scheme=theme, reduced_motion="reduce").page
    expect(page.locator(ready).first).to_be_visible()
    assert violations(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens_above_the_page(open_tab: OpenTab, axe: str, expect: Any, theme: str) -> None:
    page = open_tab("agent", "/tickets", color_scheme=theme, reduced_motion="reduce").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    for open_it in ("Control+k", "?", "s"):
        page.keyboard.press(open_it)
        expect(page.locator("dialog[open]")).to_be_visible()
        assert violations(page, axe) == [], open_it
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.locator(".row__check input").first.check()
    expect(page.locator(".bulk")).to_be_visible()
    assert violations(page, axe) == []
    page.goto(page.url.split("/tickets")[0] + "/tickets/9")
    page.get_by_role("button", name="Internal note", exact=True).click()
    page.get_by_role("button", name="Edit title").click()
    assert violations(page, axe) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(open_tab: OpenTab, expect: Any, name: str) -> None:
    who, path, ready = PAGES[name]
    page = open_tab(who, path, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True).page
    expect(page.locator(ready).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_menu_of_a_phone_opens_and_leads(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets", viewport={"width": 360, "height": 740}).page
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name=re.compile("^Pending")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pending")
    expect(page.locator(".shell--open")).to_have_count(0)


def test_navigation_moves_the_focus_and_says_where(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_focused()
    expect(page).to_have_title("Dashboard · HelpDesk Mini")
    expect(page.locator("[aria-live=polite]").first).to_have_text("Dashboard")


def test_the_palette_goes_acts_and_finds(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Palette"))
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("dash")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    page.keyboard.press("Control+k")
    page.keyboard.type(str(ticket["id"]))
    page.keyboard.press("Enter")
    expect(page.locator(".ticket__title")).to_have_text(ticket["title"])
    page.keyboard.press("Control+k")
    page.keyboard.type("assign to me")
    page.keyboard.press("Enter")
    expect(page.locator('[data-part="assignee_id"]')).to_contain_text("Ben Lindqvist")
    page.keyboard.press("Control+k")
    page.keyboard.type(ticket["title"].split("-")[1])
    expect(page.get_by_role("option", name=ticket["title"])).to_be_visible()


def test_the_theme_is_kept(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets", color_scheme="light").page
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    button = page.get_by_role("button", name=re.compile("^Theme"))
    button.click()
    button.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_shortcuts_can_be_turned_off(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Assign to me")
    dialog.get_by_label("Single-key shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/tickets$"))


def test_each_chart_has_a_table_behind_it(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page = open_tab("agent", "/dashboard").page
    expect(page.locator(".chart")).to_have_count(5)
    report = as_agent.get("/api/reports/overview?days=30")
    for figure in page.locator("figure").all():
        expect(figure.locator("svg[role=img]")).to_have_attribute("aria-label", re.compile(r"\d|none"))
        figure.locator("summary").click()
        expect(figure.locator("table")).to_be_visible()
    expect(page.locator("figure", has_text="Open by status").locator("tbody")).to_contain_text(
        str(report["open_by_status"]["in_progress"])
    )


def test_an_admin_changes_roles_and_deactivates(open_tab: OpenTab, as_admin: Api, expect: Any) -> None:
    name = fresh_name("newcomer")
    person = as_admin.post("/api/auth/register", {"username": name, "password": "password1", "name": "New Comer"})[
        "user"
    ]
    tab = open_tab("admin", "/people")
    tab.allow("409")
    page = tab.page
    page.get_by_label("Search people").fill(name)
    row = page.locator(".people tbody tr")
    expect(row).to_have_count(1)
    row.get_by_role("combobox").select_option("agent")
    page.get_by_role("dialog").get_by_role("button", name="Change the role").click()
    expect(page.locator(".toast", has_text="Agent")).to_be_visible()
    row.get_by_role("checkbox").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(page.locator(".toast", has_text="deactivated")).to_be_visible()
    expect(row.get_by_role("checkbox")).not_to_be_checked()
    after = as_admin.get(f"/api/users/{person['id']}")
    assert (after["role"], after["active"]) == ("agent", False)
    page.get_by_label("Search people").fill("admin")
    last_admin = page.locator(".people tbody tr", has_text="admin@example.com")
    last_admin.get_by_role("combobox").select_option("user")
    page.get_by_role("dialog").get_by_role("button", name="Change the role").click()
    expect(page.locator(".toast--bad")).to_be_visible()
    expect(last_admin.get_by_role("combobox")).to_have_value("admin")


def test_the_console_sends_replays_and_provokes(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    title = fresh_name("By console")
    tab = open_tab("agent", "/console?call=post_tickets", permissions=["clipboard-read", "clipboard-write"])
    tab.allow("409", "429")
    page = tab.page
    page.get_by_label("title required").fill(title)
    page.get_by_label("description required").fill("Made by hand")
    page.get_by_label("tags", exact=True).fill("one, two")
    page.get_by_role("button", name="Send", exact=True).click()
    answer = page.locator(".console__result")
    expect(answer.locator(".console__code")).to_have_text("201")
    page.get_by_role("button", name="Repeat with the same key").click()
    expect(answer).to_contain_text("idempotent-replayed: true")
    found = as_agent.get(f"/api/tickets?q={title.replace(' ', '+')}")["items"]
    assert [t["tags"] for t in found] == [["one", "two"]]
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator(".toast", has_text="Copied")).to_be_visible()
    curl = page.evaluate("navigator.clipboard.readText()")
    assert curl.startswith("curl -i -X POST") and title in curl and "Idempotency-Key" in curl
    assert page.evaluate("sessionStorage.getItem('helpdesk.token')") not in curl
    page.get_by_role("link", name="PATCH /tickets/{id}").click()
    page.get_by_label("id required").fill(str(found[0]["id"]))
    page.get_by_role("button", name="Send a stale version").click()
    expect(answer.locator(".console__code")).to_have_text("409")
    expect(answer).to_contain_text("VERSION_MISMATCH")
    page.get_by_role("link", name="GET /me").click()
    page.get_by_role("button", name="Burst").click()
    expect(answer).to_contain_text("75 calls in")


def test_the_console_listens_to_the_stream(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    page = open_tab("agent", "/console?call=get_events").page
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Listening for")).to_be_visible()
    page.wait_for_timeout(300)
    title = fresh_name("Heard in the console")
    as_user.ticket(title)
    expect(page.locator(".console__body")).to_contain_text(title)


def test_the_list_is_light(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    loaded = page.evaluate(
        """() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/static/'))
            .concat(performance.getEntriesByType('navigation')).reduce((sum, e) => sum + e.decodedBodySize, 0)"""
    )
    assert loaded < 215 * 1024


def test_a_page_without_scripts_points_to_the_plain_pages(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab(None, "/", java_script_enabled=False).page
    expect(page.get_by_role("link", name="The plain pages")).to_have_attribute("href", "/plain")


def test_an_app_that_does_not_come_leaves_a_link_to_the_plain_pages(browser: Any, desk: Server, expect: Any) -> None:
    page = browser.new_page()
    page.route("**/static/js/router.js", lambda route: route.abort())
    page.goto(desk.url + "/tickets")
    expect(page.locator(".boot--late a")).to_have_attribute("href", "/plain")
    expect(page.locator(".boot--late")).to_be_visible()
    page.close()
