"""A ticket: writing, conflicts, drafts, threads, what each role sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]


def path(ticket: Any) -> str:
    return f"/tickets/{ticket['id']}"


def field(page: Any, name: str) -> Any:
    return page.locator(f'.fields [data-part="{name}"]')


def choose(page: Any, name: str, option: str) -> None:
    field(page, name).click()
    page.get_by_role("option", name=option).click()


def deaf(tab: Tab) -> None:
    """Reload the tab so that it does not hear of changes: they come to it as conflicts."""
    tab.allow("ERR_FAILED", "409")
    tab.page.route("**/api/events", lambda route: route.abort())
    tab.page.reload()
    tab.page.locator(".ticket__title").wait_for()


def test_a_new_ticket_shows_similar_ones_while_the_title_is_typed(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    word = fresh_name("Plotter").replace("-", "")
    as_user.ticket(f"{word} prints only stripes")
    page = open_tab("user", "/tickets/new").page
    page.get_by_label("Title", exact=True).press_sequentially(f"My {word} prints", delay=10)
    similar = page.get_by_role("complementary", name="Similar tickets")
    expect(similar.get_by_role("link")).to_contain_text("prints only stripes")


def test_creating_a_ticket_leads_to_it(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("user", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill("The door does not open")
    page.get_by_label("Description", exact=True).fill("Since noon.\n\n> it said so\n\nSee https://example.org/door.")
    page.get_by_label("Priority").select_option("high")
    page.get_by_label("Tags").fill("door, Building")
    page.get_by_role("button", name="Create ticket").click()
    expect(page).to_have_url(re.compile(r"/tickets/\d+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("The door does not open")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator(".ticket__text blockquote")).to_have_text("it said so")
    expect(page.locator(".ticket__text a")).to_have_attribute("href", "https://example.org/door")
    expect(page.locator(".fields")).to_contain_text("building")


def test_a_double_submit_makes_one_ticket(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    title = fresh_name("Only once")
    page = open_tab("user", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Description", exact=True).fill("Click, click.")
    page.get_by_role("button", name="Create ticket").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert len(as_user.get(f"/api/tickets?q={title.replace(' ', '+')}")["items"]) == 1


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_key(
    open_tab: OpenTab, as_user: Api, expect: Any
) -> None:
    title = fresh_name("Lost answer")
    tab = open_tab("user", "/tickets/new")
    tab.allow("ERR_FAILED")
    page = tab.page
    keys: list[str] = []

    def lose_first(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # the server does it, the browser never hears of it
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r"/api/tickets$"), lose_first)
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Description", exact=True).fill("The network is bad here.")
    page.get_by_role("button", name="Create ticket").click()
    expect(page.get_by_text("Trying again in")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert len(keys) == 2 and keys[0] == keys[1]
    assert len(as_user.get(f"/api/tickets?q={title.replace(' ', '+')}")["items"]) == 1


def test_a_draft_survives_a_reload_and_is_gone_once_sent(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Draft"))
    page = open_tab("user", path(ticket)).page
    page.get_by_label("Reply", exact=True).fill("What I wanted to say")
    page.reload()
    expect(page.get_by_label("Reply", exact=True)).to_have_value("What I wanted to say")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator(".comment")).to_contain_text("What I wanted to say")
    page.reload()
    expect(page.locator(".comment")).to_have_count(1)
    expect(page.get_by_label("Reply", exact=True)).to_have_value("")


def test_a_draft_of_a_new_ticket_survives_and_can_be_thrown_away(open_tab: OpenTab, expect: Any) -> None:
    page = open_tab("user", "/tickets/new").page
    page.get_by_label("Title", exact=True).fill("Half a title")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("New ticket")
    page.get_by_role("link", name="New ticket").first.click()
    expect(page.get_by_label("Title", exact=True)).to_have_value("Half a title")
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_label("Title", exact=True)).to_have_value("")


def test_a_reply_comes_to_the_other_browser_without_reload(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Talk"))
    agent, user = open_tab("agent", path(ticket)).page, open_tab("user", path(ticket)).page
    expect(user.locator(".lamp").first).to_have_attribute("data-state", "live")
    agent.get_by_label("Reply", exact=True).fill("Have you tried turning it off?")
    agent.get_by_role("button", name="Send reply").click()
    expect(user.locator(".comment")).to_contain_text("Have you tried turning it off?")
    expect(user.locator(".toast", has_text="Ben Lindqvist replied.")).to_be_visible()
    expect(agent.locator(".comment")).to_have_count(1)
    choose(agent, "status", "Pending")
    expect(user.locator(".fields")).to_contain_text("Pending")
    expect(user.locator(".fields .clock")).to_have_attribute("data-tone", "paused")
    user.get_by_label("Reply", exact=True).fill("Yes.")
    user.get_by_role("button", name="Send reply").click()
    expect(field(agent, "status")).to_contain_text("Open")
    expect(agent.locator(".comment")).to_have_count(2)


def test_a_conflict_elsewhere_is_merged(open_tab: OpenTab, as_admin: Api, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Merge"))
    tab = open_tab("agent", path(ticket))
    deaf(tab)
    as_admin.patch(ticket["id"], priority="urgent")
    choose(tab.page, "status", "In progress")
    expect(tab.page.locator(".toast", has_text="both are kept")).to_be_visible()
    now = as_agent.get(f"/api{path(ticket)}")
    assert (now["status"], now["priority"]) == ("in_progress", "urgent")
    expect(field(tab.page, "priority")).to_contain_text("Urgent")


def test_tags_of_both_sides_are_kept(open_tab: OpenTab, as_admin: Api, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Tags"), tags=["old", "stays"])
    tab = open_tab("agent", path(ticket))
    deaf(tab)
    as_admin.patch(ticket["id"], tags=["stays", "theirs"])
    field(tab.page, "tags").click()
    tab.page.keyboard.type("mine")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("button", name="Done").click()
    expect(field(tab.page, "tags")).to_contain_text("theirs")
    assert as_agent.get(f"/api{path(ticket)}")["tags"] == ["mine", "stays", "theirs"]


@pytest.mark.parametrize("side", ["theirs", "mine"])
def test_a_conflict_on_the_same_field_is_chosen_by_the_person(
    open_tab: OpenTab, as_admin: Api, as_agent: Api, expect: Any, side: str
) -> None:
    ticket = as_agent.ticket(fresh_name("Choose"))
    tab = open_tab("agent", path(ticket))
    tab.allow("409")
    page = tab.page
    expect(page.locator(".lamp").first).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Edit title").click()
    page.get_by_label("Title", exact=True).fill("My title")
    as_admin.patch(ticket["id"], title="Their title")
    expect(page.get_by_text("changed the title meanwhile")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="changed while you were editing")
    expect(dialog).to_contain_text("Their title")
    expect(dialog.locator("textarea")).to_have_value("My title")
    dialog.get_by_label("Theirs" if side == "theirs" else "Yours", exact=False).first.check()
    dialog.get_by_role("button", name="Save my choice").click()
    wanted = "Their title" if side == "theirs" else "My title"
    expect(page.get_by_role("heading", level=1)).to_have_text(wanted)
    assert as_agent.get(f"/api{path(ticket)}")["title"] == wanted


def test_an_edit_that_was_begun_before_a_reload_still_notices_the_conflict(
    open_tab: OpenTab, as_admin: Api, as_agent: Api, expect: Any
) -> None:
    ticket = as_agent.ticket(fresh_name("Edit draft"))
    tab = open_tab("agent", path(ticket))
    tab.allow("409")
    page = tab.page
    page.get_by_role("button", name="Edit title").click()
    page.get_by_label("Description", exact=True).fill("My long text")
    page.reload()
    as_admin.patch(ticket["id"], description="Their long text")
    expect(page.get_by_label("Description", exact=True)).to_have_value("My long text")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Their long text")
    page.get_by_role("button", name="Save my choice").click()
    expect(page.locator(".ticket__text")).to_have_text("My long text")


def test_an_internal_note_is_plain_to_the_desk_and_nothing_to_the_requester(
    open_tab: OpenTab, as_user: Api, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Note"))
    agent, user = open_tab("agent", path(ticket)).page, open_tab("user", path(ticket)).page
    expect(user.locator(".lamp").first).to_have_attribute("data-state", "live")
    agent.get_by_role("button", name="Internal note", exact=True).click()
    expect(agent.locator(".composer--internal")).to_be_visible()
    agent.get_by_label("Internal note", exact=True).last.fill("The customer owes us money")
    agent.get_by_role("button", name="Add internal note").click()
    expect(agent.locator(".comment--internal")).to_contain_text("The customer owes us money")
    # After a note the next one is a reply again: nobody stays in the wrong kind by accident.
    agent.get_by_label("Reply", exact=True).fill("We look into it.")
    agent.get_by_role("button", name="Send reply").click()
    expect(user.locator(".comment")).to_contain_text("We look into it.")
    expect(user.locator(".comment")).to_have_count(1)
    assert "owes us money" not in user.content()
    user.reload()
    expect(user.locator(".comment")).to_have_count(1)
    assert "owes us money" not in user.content()


def test_a_reply_to_a_note_is_a_note(open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Note thread"))
    note = as_agent.comment(ticket["id"], "Secret", internal=True)
    page = open_tab("agent", path(ticket)).page
    page.locator(f"#comment-{note['id']}").get_by_role("button", name="Reply", exact=False).first.click()
    expect(page.locator(".composer--internal")).to_be_visible()
    expect(page.get_by_role("button", name="Reply to requester")).to_be_disabled()


def test_replies_nest_collapse_and_can_be_linked(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Threads"))
    parent = None
    comments = []
    for n in range(7):
        comment = as_agent.comment(ticket["id"], f"Depth {n}", **({"parent": parent} if parent else {}))
        parent = comment["id"]
        comments.append(comment)
    page = open_tab("agent", path(ticket)).page
    first = page.locator(f"#comment-{comments[0]['id']}")
    expect(page.locator(".comment")).to_have_count(7)
    page.get_by_role("button", name="Hide 6 replies").click()
    expect(page.locator(f"#comment-{comments[1]['id']}")).to_be_hidden()
    expect(first).to_be_visible()
    last = page.locator(f"#comment-{comments[6]['id']}")
    page.evaluate(f"location.hash = '#comment-{comments[6]['id']}'")
    expect(last).to_be_in_viewport()
    page.goto(f"{page.url.split('#')[0]}#comment-{comments[6]['id']}")
    page.reload()
    expect(last).to_be_in_viewport()
    expect(last).to_have_class(re.compile("comment--lit"))


def test_a_link_to_an_old_reply_reads_back_to_it(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Long talk"))
    comments = [as_agent.comment(ticket["id"], f"Reply {n}") for n in range(130)]
    page = open_tab("agent", f"{path(ticket)}#comment-{comments[3]['id']}").page
    expect(page.locator(f"#comment-{comments[3]['id']}")).to_be_in_viewport()
    expect(page.locator(".comment")).to_have_count(130)


def test_a_long_timeline_can_be_read_to_its_beginning(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    ticket = as_agent.ticket(fresh_name("Long story"))
    for n in range(110):
        as_agent.patch(ticket["id"], priority=("low", "high")[n % 2])
    page = open_tab("agent", path(ticket)).page
    page.get_by_role("button", name="Timeline", exact=True).click()
    expect(page.locator(".entry")).to_have_count(100)
    page.get_by_role("button", name="Show what happened before").click()
    expect(page.locator(".entry")).to_have_count(111)
    expect(page.locator(".entry").first).to_contain_text("opened the ticket")


def test_quoting_puts_the_words_into_the_reply(open_tab: OpenTab, as_user: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Quote"))
    as_user.comment(ticket["id"], "Two\nlines")
    page = open_tab("agent", path(ticket)).page
    page.locator(".comment").hover()
    page.get_by_role("button", name="Quote", exact=False).click()
    expect(page.get_by_label("Reply", exact=True)).to_have_value("Carla Mendes wrote:\n> Two\n> lines\n\n")


def test_conversation_and_timeline_together_or_apart(
    open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any
) -> None:
    ticket = as_user.ticket(fresh_name("Apart"))
    as_user.comment(ticket["id"], "Words")
    as_agent.patch(ticket["id"], priority="urgent")
    page = open_tab("agent", path(ticket)).page
    expect(page.locator(".comment")).to_have_count(1)
    expect(page.locator(".entry", has_text="set the priority to Urgent")).to_be_visible()
    page.get_by_role("button", name="Conversation", exact=True).click()
    expect(page.locator(".entry")).to_have_count(0)
    expect(page.locator(".comment")).to_have_count(1)
    page.get_by_role("button", name="Timeline", exact=True).click()
    expect(page.locator(".comment")).to_have_count(0)
    expect(page.locator(".entry")).to_have_count(3)
    page.get_by_role("link", name="a reply").click()
    expect(page.locator(".comment")).to_be_focused()


def test_a_requester_closes_and_reopens(open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Close"))
    as_agent.patch(ticket["id"], status="resolved")
    page = open_tab("user", path(ticket)).page
    page.get_by_role("button", name="Yes, it is solved").click()
    expect(page.locator(".fields")).to_contain_text("Closed")
    expect(page.locator(".composer")).to_be_hidden()
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator(".fields")).to_contain_text("Open")
    expect(page.locator(".composer")).to_be_visible()


def test_sending_can_set_the_status_too(open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any) -> None:
    ticket = as_user.ticket(fresh_name("Send and resolve"))
    page = open_tab("agent", path(ticket)).page
    page.get_by_label("Reply", exact=True).fill("Done.")
    page.get_by_label("After sending").select_option("resolved")
    page.get_by_role("button", name="Send reply").click()
    expect(field(page, "status")).to_contain_text("Resolved")
    assert as_agent.get(f"/api{path(ticket)}")["status"] == "resolved"


def test_hostile_words_are_shown_as_words(open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}} \u202e gnp.exe"
    ticket = as_user.ticket(evil)
    as_user.comment(ticket["id"], f"javascript:alert(3) {evil}\n> {evil}")
    tab = open_tab("agent", path(ticket))
    dialogs: list[str] = []
    tab.page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(evil)
    expect(tab.page.locator(".comment")).to_contain_text("<img src=x onerror=alert(1)>")
    assert tab.page.locator(".main img, .main script").count() == 0
    assert tab.page.locator(".comment .prose a").count() == 0
    tab.open(f"/tickets?q={fresh_name('x')}")
    tab.open("/tickets?q=img+onerror")
    expect(tab.page.locator(".row__title")).to_have_text(evil)
    assert dialogs == []


def test_a_ticket_that_one_may_not_see_is_not_there(open_tab: OpenTab, as_agent: Api, expect: Any) -> None:
    tab = open_tab("user", path(as_agent.ticket(fresh_name("Hidden"))))
    tab.allow("404")
    expect(tab.page.get_by_role("heading", name="No such ticket")).to_be_visible()
