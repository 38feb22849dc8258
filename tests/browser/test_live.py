"""The live connection: lost and resumed, shared among tabs, and the waits that the server asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Api, Server, Tab, fresh_name

OpenTab = Callable[..., Tab]


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for each test: these kill it or drain its buckets."""
    server = Server(tmp_path / "data", *getattr(request, "param", ()))
    server.start()
    yield server
    server.stop()


def lamp(page: Any) -> Any:
    return page.locator(".side .lamp")


def test_after_a_crash_nothing_is_missed_or_doubled(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    ticket = user.ticket(fresh_name("Crash"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("ERR_", "502", "503", "net::")
    page = tab.page
    expect(lamp(page)).to_have_attribute("data-state", "live")
    user.comment(ticket["id"], "Before the crash")
    expect(page.locator(".comment")).to_have_count(1)
    desk.kill()
    expect(lamp(page)).to_have_attribute("data-state", "lost")
    expect(page.locator(".strip")).to_contain_text("The live connection is lost")
    desk.start()
    user.comment(ticket["id"], "While it was away")
    expect(page.locator(".comment")).to_have_count(2, timeout=20000)
    expect(lamp(page)).to_have_attribute("data-state", "live")
    expect(page.locator(".strip")).to_be_hidden()
    user.comment(ticket["id"], "After it")
    expect(page.locator(".comment")).to_have_count(3)
    expect(page.locator(".comment .prose")).to_have_text(["Before the crash", "While it was away", "After it"])


def test_what_was_written_while_the_server_was_away_is_sent_once(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    ticket = user.ticket(fresh_name("Away"))
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("ERR_", "net::")
    page = tab.page
    page.get_by_label("Reply", exact=True).fill("Sent into the void")
    desk.kill()
    page.get_by_role("button", name="Send reply").click()
    expect(page.get_by_text("Trying again in")).to_be_visible()
    desk.start()
    page.get_by_role("button", name="Try now").last.click()
    expect(page.locator(".comment")).to_contain_text("Sent into the void")
    assert len(user.get(f"/api/tickets/{ticket['id']}/comments")["items"]) == 1


def test_several_tabs_share_one_stream(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    streams: list[str] = []
    first = open_tab("agent", "/tickets")
    expect(lamp(first.page)).to_have_attribute("data-state", "live")
    first.page.context.on("request", lambda r: streams.append(r.url) if r.url.endswith("/api/events") else None)
    others = [open_tab(None, "/tickets", beside=first) for _ in range(2)]
    for tab in others:
        expect(lamp(tab.page)).to_have_attribute("data-state", "live")
    assert streams == []
    user.ticket(fresh_name("To all tabs"))
    for tab in [first, *others]:
        expect(tab.page.get_by_role("button", name="1 new ticket")).to_be_visible()
    # The tab that holds the stream goes: another takes over and goes on where it was.
    first.page.close()
    user.ticket(fresh_name("After the change of hands"))
    for tab in others:
        expect(tab.page.get_by_role("button", name="2 new tickets")).to_be_visible(timeout=10000)
    assert len(streams) == 1


@pytest.mark.parametrize("desk", [("--rate-limit", "60/min")], indirect=True)
def test_a_full_bucket_is_waited_out_with_the_same_key(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    title = fresh_name("Patience")
    tab = open_tab("user", "/tickets/new")
    tab.allow("429")
    page = tab.page
    expect(lamp(page)).to_have_attribute("data-state", "live")
    keys: list[str] = []
    page.on("request", lambda r: keys.append(r.headers["idempotency-key"]) if r.method == "POST" else None)
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Description", exact=True).fill("The bucket is empty.")
    page.wait_for_timeout(700)
    drain = """async () => {
        const headers = { Authorization: `Bearer ${sessionStorage.getItem('helpdesk.token')}` };
        await Promise.all(Array.from({ length: 75 }, () => fetch('/api/me', { headers })));
    }"""
    page.evaluate(drain)
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_text(re.compile(r"Trying again in \d+ s"))).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=15000)
    assert len(keys) >= 2 and len(set(keys)) == 1


@pytest.mark.parametrize("desk", [("--rate-limit", "60/min")], indirect=True)
def test_an_ordinary_quarter_of_an_hour_stays_within_the_rate_limit(
    open_tab: OpenTab, desk: Server, expect: Any
) -> None:
    tab = open_tab("agent", "/tickets")
    page = tab.page
    expect(lamp(page)).to_have_attribute("data-state", "live")
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    calls: list[str] = []
    page.on("request", lambda r: calls.append(r.url) if "/api/" in r.url and "_meta" not in r.url else None)
    page.reload()
    expect(page.locator(".row:not(.row--skeleton)").first).to_be_visible()
    for n in range(5):
        page.locator(".row__title").nth(n).click()
        expect(page.locator(".conversation")).to_be_visible()
        page.go_back()
        expect(page.locator(".row__title").nth(n)).to_be_visible()
    # The person, the stream, the list, the counts, and one call for each ticket: going back costs none.
    assert len(calls) <= 10, calls


def test_a_deactivated_person_is_signed_out_of_the_open_page(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    admin = Api(desk, "admin")
    tab = open_tab("user", "/tickets")
    tab.allow("401")
    expect(lamp(tab.page)).to_have_attribute("data-state", "live")
    user = next(u for u in admin.get("/api/users")["items"] if u["username"] == "user")
    admin.call("PATCH", f"/api/users/{user['id']}", {"active": False})
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15000)


def test_the_desk_that_does_not_answer_says_so(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    tab = open_tab(None, "/login")
    tab.allow("ERR_", "net::")
    tab.page.route("**/api/_meta", lambda route: route.abort())
    tab.page.reload()
    expect(tab.page.get_by_text("The server cannot be reached.")).to_be_visible()
    tab.page.get_by_role("button", name="Give up").click()
    expect(tab.page.get_by_role("heading", name="The desk does not answer")).to_be_visible()


def comments_of(page: Any) -> list[str]:
    return [str(text) for text in page.locator(".comment .prose").all_inner_texts()]


def test_a_conversation_that_went_on_offline_has_no_hole(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    ticket = user.ticket(fresh_name("Holes"))
    user.comment(ticket["id"], "Comment 0")
    tab = open_tab("agent", f"/tickets/{ticket['id']}")
    tab.allow("ERR_", "net::")
    expect(lamp(tab.page)).to_have_attribute("data-state", "live")
    tab.page.context.set_offline(True)
    desk.kill()  # the open stream is cut, as a real network would
    desk.start()
    for n in range(1, 31):
        user.comment(ticket["id"], f"Comment {n}")
    tab.page.context.set_offline(False)
    expect(tab.page.locator(".comment")).to_have_count(31, timeout=20000)
    assert comments_of(tab.page) == [f"Comment {n}" for n in range(31)]


def test_thirty_comments_in_quick_succession_are_all_shown(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    ticket = user.ticket(fresh_name("Quick"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    expect(lamp(page)).to_have_attribute("data-state", "live")
    for n in range(30):
        user.comment(ticket["id"], f"Comment {n}")
    expect(page.locator(".comment")).to_have_count(30)
    assert comments_of(page) == [f"Comment {n}" for n in range(30)]


def test_an_own_reply_between_those_of_others_stands_in_its_place(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    user = Api(desk, "user")
    ticket = user.ticket(fresh_name("Between"))
    page = open_tab("agent", f"/tickets/{ticket['id']}").page
    expect(lamp(page)).to_have_attribute("data-state", "live")
    for n in range(25):
        user.comment(ticket["id"], f"Comment {n}")
    page.get_by_label("Reply", exact=True).fill("Mine")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator(".comment")).to_have_count(26)
    wanted = [c["body"] for c in user.get(f"/api/tickets/{ticket['id']}/comments?limit=100")["items"]]
    assert comments_of(page) == wanted


def test_the_lamp_goes_out_when_the_device_goes_offline(open_tab: OpenTab, desk: Server, expect: Any) -> None:
    tab = open_tab("agent", "/tickets")
    tab.allow("ERR_", "net::")
    expect(lamp(tab.page)).to_have_attribute("data-state", "live")
    tab.page.context.set_offline(True)
    expect(lamp(tab.page)).to_have_attribute("data-state", "lost")
    tab.page.context.set_offline(False)
    expect(lamp(tab.page)).to_have_attribute("data-state", "live", timeout=20000)


def test_without_locks_of_the_browser_several_tabs_share_one_stream(
    open_tab: OpenTab, desk: Server, expect: Any
) -> None:
    user = Api(desk, "user")
    first = open_tab("agent", "/tickets")
    context = first.page.context
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined})")
    streams: set[Any] = set()
    context.on("request", lambda r: streams.add(r) if r.url.endswith("/api/events") else None)
    context.on("requestfailed", lambda r: streams.discard(r))
    context.on("requestfinished", lambda r: streams.discard(r))
    first.page.reload()
    tabs = [first, *(open_tab(None, "/tickets", beside=first) for _ in range(6))]
    for tab in tabs:
        tab.allow("ERR_ABORTED")
        expect(lamp(tab.page)).to_have_attribute("data-state", "live", timeout=20000)
    assert len(streams) <= 2
    ticket = user.ticket(fresh_name("To all tabs"))
    for tab in tabs:
        expect(tab.page.get_by_role("button", name="1 new ticket")).to_be_visible()
    tabs[-1].page.goto(f"{desk.url}/tickets/{ticket['id']}")
    tabs[-1].page.get_by_label("Reply", exact=True).fill("From the seventh tab")
    tabs[-1].page.get_by_role("button", name="Send reply").click()
    expect(tabs[-1].page.locator(".comment")).to_contain_text("From the seventh tab")
