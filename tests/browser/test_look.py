"""How the desk looks and reads: names of every script, every width and zoom, printing, focus, what is said aloud."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from helpdesk.domain.tags import normal_tags
from helpdesk.errors import InvalidField

from .conftest import ROOT, Api, Server, Tab, absent, fresh_name
from .test_pages import PAGES

OpenTab = Callable[..., Tab]

NOA = "נועה לוי"


@pytest.fixture
def as_noa(desk: Server, as_admin: Api) -> Api:
    """An agent whose name is written from right to left."""
    username = fresh_name("noa")
    as_admin.post("/api/auth/register", {"username": username, "password": "password1", "name": NOA, "role": "agent"})
    return Api(desk, username, "password1")


def order_of(element: Any, *words: str) -> list[str]:
    """The words in the order in which they stand on the line, from left to right."""
    lefts = element.evaluate(
        """(node, words) => words.map((word) => {
            const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
            for (let text = walker.nextNode(); text; text = walker.nextNode()) {
                const at = text.data.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(text, at);
                range.setEnd(text, at + word.length);
                return range.getBoundingClientRect().left;
            }
            return -1;
        })""",
        list(words),
    )
    assert -1 not in lefts, (words, element.inner_text())
    return [word for _, word in sorted(zip(lefts, words, strict=True))]


def test_a_name_from_right_to_left_turns_nothing_round(
    open_tab: OpenTab, as_noa: Api, as_user: Api, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Bidi"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    as_noa.patch(ticket["id"], priority="high")
    entry = page.locator(".entry__words", has_text=NOA)
    assert order_of(entry, NOA, "set the priority to", "now") == [NOA, "set the priority to", "now"]
    as_noa.comment(ticket["id"], "Hello.")
    toast = page.locator(".toast__text", has_text=NOA)
    assert order_of(toast, NOA, "replied.") == [NOA, "replied."]
    page.locator('.fields [data-part="assignee_id"]').click()
    page.get_by_role("option", name=NOA).click()
    toast = page.locator(".toast__text", has_text="assigned to")
    assert order_of(toast, f"Ticket {ticket['id']}: ", "assigned to", NOA) == [
        f"Ticket {ticket['id']}: ",
        "assigned to",
        NOA,
    ]
    assert page.locator("bdi", has_text=NOA).count() >= 4
    as_noa.patch(ticket["id"], title="שלום: 3 x")
    expect(page).to_have_title(re.compile("\u2068שלום: 3 x\u2069 · HelpDesk Mini$"))


def test_text_is_typed_and_shown_in_its_own_direction(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Both"), description="שלום\n\nHello")
    page = open_tab("admin", f"/tickets/{ticket['id']}").page
    expect(page.locator(".ticket__text p").nth(1)).to_be_visible()
    directions = "(nodes) => nodes.map((node) => getComputedStyle(node).direction)"
    assert page.locator(".ticket__text p").evaluate_all(directions) == ["rtl", "ltr"]
    places = {"/tickets": ".filters", "/tickets/new": ".new__form", "/people": ".filters", "/account": ".new__form"}
    for path, ready in {**places, "/console?call=post_tickets": ".call__form"}.items():
        page.goto(re.sub(r"(?<=\d)/.*", path, page.url))
        expect(page.locator(ready).first).to_be_visible()
        typed = page.locator("textarea, input[type=text], input[type=search], input:not([type])")
        assert set(typed.evaluate_all("(all) => all.map((one) => one.dir)")) == {"auto"}


def test_whoever_takes_a_ticket_reads_their_name_once(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Mine"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    page.get_by_role("button", name="Assign to me").click()
    entry = page.locator(".entry__words", has_text="took it")
    expect(entry).to_have_text(re.compile(r"^Ben Lindqvist took it "))
    expect(page.locator(".toast__text", has_text="assigned to you")).to_be_visible()
    as_agent.patch(ticket["id"], assignee_id=None)
    expect(page.locator(".entry__words", has_text="gave it back")).to_be_visible()


LAYOUTS = {
    "Russian": {"KeyJ": "о", "KeyK": "л", "KeyG": "п", "KeyD": "в"},
    "Greek": {"KeyJ": "ξ", "KeyK": "κ", "KeyG": "γ", "KeyD": "δ"},
    "Hebrew": {"KeyJ": "ח", "KeyK": "ל", "KeyG": "ע", "KeyD": "ג"},
    "Arabic": {"KeyJ": "ت", "KeyK": "ن", "KeyG": "ل", "KeyD": "ي"},
}


def press_key(page: Any, code: str, key: str, **modifiers: bool) -> None:
    page.evaluate(
        """([code, key, modifiers]) => (document.activeElement ?? document.body).dispatchEvent(
            new KeyboardEvent("keydown", {code, key, ...modifiers, bubbles: true, cancelable: true}))""",
        [code, key, modifiers],
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shortcuts_work_where_keys_type_other_scripts(open_tab: OpenTab, expect: Any, layout: str) -> None:
    keys = LAYOUTS[layout]
    page = open_tab("agent", "/tickets").page
    titles = page.locator(".row__title")
    expect(titles.nth(1)).to_be_visible()
    press_key(page, "KeyJ", keys["KeyJ"])
    expect(titles.nth(0)).to_be_focused()
    press_key(page, "KeyJ", keys["KeyJ"])
    press_key(page, "KeyK", keys["KeyK"])
    expect(titles.nth(0)).to_be_focused()
    press_key(page, "KeyX", "≈", shiftKey=False)
    expect(page.locator(".row--selected")).to_have_count(1)
    press_key(page, "KeyK", keys["KeyK"], ctrlKey=True)
    expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    page.keyboard.press("Escape")
    press_key(page, "KeyG", keys["KeyG"])
    press_key(page, "KeyD", keys["KeyD"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


def test_signs_of_a_latin_layout_are_no_letters_of_another(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("agent", "/tickets").page
    expect(page.locator(".row__title").first).to_be_visible()
    press_key(page, "KeyX", ".")  # as on a Dvorak keyboard
    expect(page.locator(".row--selected")).to_have_count(0)
    press_key(page, "Slash", "ظ", shiftKey=True)
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


PASTE = """([selector, text]) => {
    const field = document.querySelector(selector);
    field.focus();
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    if (field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true})))
        document.execCommand("insertText", false, text);
}"""


def test_tabs_and_line_breaks_pasted_into_one_line_become_blanks(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    page = open_tab("agent", "/tickets/new").page
    expect(page.locator(".new__form")).to_be_visible()
    page.evaluate(PASTE, ["input[name=title]", "one\ttwo\r\nthree\u2028four"])
    expect(page.get_by_label("Title", exact=True)).to_have_value("one two three four")
    page.evaluate(PASTE, ["textarea", "one\ttwo\nthree"])
    expect(page.get_by_label("Description", exact=True)).to_have_value("one\ttwo\nthree")
    page.locator("input[name=title]").evaluate(
        "(field) => { field.value = 'dropped\there'; field.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    expect(page.get_by_label("Title", exact=True)).to_have_value("dropped here")
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("dropped here")


def test_the_tag_picker_takes_what_the_server_takes(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Tagged"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    page.locator('.fields [data-part="tags"]').click()
    combobox = page.get_by_role("combobox", name="Tags")
    for typed, tag in {"हिन्दी": "हिन्दी", "İstanbul": "i\u0307stanbul", "two words": "two-words"}.items():
        combobox.fill(typed)
        page.get_by_role("option", name=tag).click()
    combobox.fill("m²")
    expect(page.locator(".picker__none")).to_contain_text("A tag has letters")
    combobox.fill("")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".toast", has_text="tags changed")).to_be_visible()
    assert as_agent.get(f"/api/tickets/{ticket['id']}")["tags"] == sorted(["हिन्दी", "i\u0307stanbul", "two-words"])


_TAKEN = """
import { readFileSync } from "node:fs";
import { is_tag, normal_tag } from "%s";
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((tag) => is_tag(normal_tag(tag)))));
"""


def test_the_browser_and_the_server_agree_on_each_character_of_a_tag() -> None:
    node = shutil.which("node") or absent("node is not installed")
    # Without controls and the byte order mark: which of them part words is no matter of tags.
    known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs", "Co", "Cc")]
    known.remove("\ufeff")
    tags = [tag for c in known for tag in (c, f"a{c}b")] + ["𐐀" * 40, "𐐀" * 41, "x" * 40, "x" * 41, ""]
    script = _TAKEN % (ROOT / "static" / "js" / "tags.js").as_uri()
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, input=json.dumps(tags), capture_output=True, text=True, timeout=120, check=True)

    def is_taken(tag: str) -> bool:
        try:
            normal_tags(["-".join(tag.split())])
        except InvalidField:
            return False
        return True

    pairs = zip(tags, json.loads(done.stdout), strict=True)
    assert [ascii(tag) for tag, found in pairs if is_taken(tag) != found] == []


# A link in a sentence may be smaller; a box counts with its label.
SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
    .filter((node) => node.checkVisibility({visibilityProperty: true}))
    .filter((node) => !node.closest(".prose, .entry__words, .login__other, .skip"))
    .map((node) => [node.outerHTML.slice(0, 110), (node.closest("label") ?? node).getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""
SMALL_FIELDS = """() => [...document.querySelectorAll("textarea, select, input:not([type=checkbox], [type=radio])")]
    .filter((field) => parseFloat(getComputedStyle(field).fontSize) < 16)
    .map((field) => field.outerHTML.slice(0, 110))"""
SHORT_TITLES = """() => [...document.querySelectorAll(".row__title")]
    .filter((title) => title.clientWidth < 150 && title.scrollWidth > title.clientWidth).length"""


@pytest.mark.parametrize("name", PAGES)
def test_every_width_shows_everything(open_tab: OpenTab, expect: Any, name: str) -> None:
    """No sideways scrolling, at 400 % (320 px) either; targets of 24 px; fields that a phone does not zoom into."""
    who, path, ready = PAGES[name]
    page = open_tab(who, path).page
    expect(page.locator(ready).first).to_be_visible()
    faults: dict[int, Any] = {}
    for width in (1280, 1010, 940, 861, 860, 360, 320):
        page.set_viewport_size({"width": width, "height": 256 if width == 320 else 800})
        found = [page.evaluate(check) for check in (SMALL_TARGETS, SHORT_TITLES)]
        found.append(page.evaluate("document.documentElement.scrollWidth") > width)
        found.append(page.evaluate(SMALL_FIELDS) if width < 861 else [])
        if any(found):
            faults[width] = found
    assert faults == {}
