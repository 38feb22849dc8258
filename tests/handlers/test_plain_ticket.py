"""Working on a ticket on the plain pages: notes, states, edits, and two people at once."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.conftest import Api
from tests.plain_browser import Browser, signed_in

pytestmark = pytest.mark.gen_test


async def ticket_and_agent(api: Api, **fields: Any) -> Browser:
    user = await api.register(username="ana")
    await api.ticket(user["token"], **fields)
    browser = await signed_in(api, "agent")
    await browser.open("/plain/tickets/1")
    return browser


async def ticket(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/api/tickets/1", token=await api.token("agent"))).json
    return found


async def edit(browser: Browser, **changed: str) -> int:
    """Send the edit form as it stands on the page, with some fields changed by hand."""
    fields = {
        unescape(n): unescape(v) for n, v in re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', browser.page)
    }
    chosen = re.findall(r'<select name="([^"]+)">.*?<option value="([^"]*)" selected', browser.page, re.DOTALL)
    written = re.findall(r'<textarea name="([^"]+)"[^>]*>\n(.*?)</textarea>', browser.page, re.DOTALL)
    texts = {name: unescape(text).replace("\n", "\r\n") for name, text in written}
    fields = {n: v for n, v in (fields | dict(chosen) | texts | changed).items() if n != "_xsrf"}
    return (await browser.send("/plain/tickets/1/edit", **fields)).status


async def test_an_agent_writes_a_note_and_replies_with_a_new_status(api: Api) -> None:
    browser = await ticket_and_agent(api)
    assert (await browser.send("/plain/tickets/1", body="He broke it.", internal="true")).status == 303
    sent = await browser.send("/plain/tickets/1", body="Mended.", then="resolved", then_was="open")
    assert sent.headers["Location"].endswith("#comment-2")
    now = await ticket(api)
    assert [c["internal"] for c in now["comments"]] == [True, False] and now["status"] == "resolved"


async def test_a_reply_does_not_overwrite_a_status_that_somebody_else_set(api: Api) -> None:
    browser = await ticket_and_agent(api)
    await api.patch("/api/tickets/1", {"version": 1, "status": "closed"}, token=await api.token("agent"))
    assert (await browser.send("/plain/tickets/1", body="Mended.", then="pending", then_was="open")).status == 409
    now = await ticket(api)
    assert (now["comments"], now["status"]) == ([], "closed") and "Mended." in browser.page


async def test_a_requester_replies_to_a_comment_closes_and_opens_again(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")
    await api.post("/api/tickets/1/comments", {"body": "Which leg?"}, token=await api.token("agent"))
    await browser.open("/plain/tickets/1?parent=1")
    assert (await browser.send("/plain/tickets/1", body="The left.", parent=browser.hidden("parent"))).status == 303
    assert (await ticket(api))["comments"][1]["parent"] == 1
    for status, version in (("closed", "1"), ("open", "2")):
        await browser.open("/plain/tickets/1")
        assert (await browser.send("/plain/tickets/1", status=status, version=version)).status == 303
    assert (await ticket(api))["status"] == "open"
    assert 'name="internal"' not in browser.page and "Resolve</button>" not in browser.page


async def test_an_agent_takes_a_ticket_and_edits_everything(api: Api) -> None:
    browser = await ticket_and_agent(api)
    me = (await api.register("agent", username="other"))["user"]
    taken = await browser.send("/plain/tickets/1/edit", take="true", version="1")
    assert taken.status == 303 and (await ticket(api))["assignee"] is not None
    await browser.open("/plain/tickets/1/edit")
    values = {"title": "New", "description": "Other\r\nwords", "status": "pending", "priority": "low", "tags": "b, a"}
    assert await edit(browser, **values, assignee="other", sla_minutes="90") == 303
    now = await ticket(api)
    assert (now["title"], now["description"], now["status"], now["priority"]) == (
        "New",
        "Other\nwords",
        "pending",
        "low",
    )
    assert (now["tags"], now["assignee"]["id"], now["sla_minutes"]) == (["a", "b"], me["id"], 90)
    await browser.open("/plain/tickets/1/edit")
    assert await edit(browser, assignee="") == 303
    assert (await ticket(api))["assignee"] is None


@pytest.mark.parametrize("description", ["a\r\nb", "a\rb", "\n\nfirst", "tab\there ", "a\n\n"])
async def test_a_field_that_was_not_edited_is_not_sent(api: Api, description: str) -> None:
    browser = await ticket_and_agent(api, description=description)
    before = await ticket(api)
    await browser.open("/plain/tickets/1/edit")
    assert await edit(browser) == 303
    assert (await ticket(api))["version"] == 1
    assert await edit(browser, title="Other") == 303
    now = await ticket(api)
    assert (now["version"], now["description"]) == (2, before["description"])


async def test_edits_of_different_fields_are_both_kept(api: Api) -> None:
    browser = await ticket_and_agent(api)
    await browser.open("/plain/tickets/1/edit")
    await api.patch("/api/tickets/1", {"version": 1, "priority": "urgent"}, token=await api.token("agent"))
    assert await edit(browser, title="Mine") == 303
    now = await ticket(api)
    assert (now["title"], now["priority"], now["version"]) == ("Mine", "urgent", 3)


async def test_an_edit_of_the_same_field_is_shown_beside_ones_own(api: Api) -> None:
    browser = await ticket_and_agent(api)
    await browser.open("/plain/tickets/1/edit")
    await api.patch("/api/tickets/1", {"version": 1, "description": "Theirs."}, token=await api.token("agent"))
    assert await edit(browser, description="My half hour.") == 409
    assert "My half hour." in browser.page and "Theirs." in browser.page
    assert (await ticket(api))["description"] == "Theirs."
    assert await edit(browser) == 303
    assert (await ticket(api))["description"] == "My half hour."


@pytest.mark.parametrize(
    "changed", [{"title": ""}, {"title": "t" * 201}, {"assignee": "nobody"}, {"sla_minutes": "4h"}]
)
async def test_a_refused_edit_keeps_every_field(api: Api, changed: dict[str, str]) -> None:
    browser = await ticket_and_agent(api)
    await browser.open("/plain/tickets/1/edit")
    assert await edit(browser, **{"description": "My half hour.", **changed}) == 400
    assert "My half hour." in browser.page and all(text in browser.page for text in changed.values())
    assert (await ticket(api))["version"] == 1


async def test_a_requester_edits_the_texts_only(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")
    await browser.open("/plain/tickets/1/edit")
    assert 'name="priority"' not in browser.page
    assert await edit(browser, title="A desk", priority="urgent", take="true") == 303
    now = await ticket(api)
    assert (now["title"], now["priority"], now["assignee"]) == ("A desk", "medium", None)


async def test_a_long_conversation_comes_in_pages(api: Api) -> None:
    browser = await ticket_and_agent(api)
    token = await api.token("agent")
    for number in range(1, 61):
        await api.post("/api/tickets/1/comments", {"body": f"Number {number}."}, token=token)
    seen: list[int] = []
    await browser.open("/plain/tickets/1")
    for _ in range(3):
        seen = [int(n) for n in re.findall(r"Number (\d+)\.", browser.page)] + seen
        earlier = re.search(r'href="(\?comments=\d+)" rel="prev"', browser.page)
        if earlier:
            await browser.open("/plain/tickets/1" + earlier[1])
    assert seen == list(range(1, 61)) and earlier is None
    for odd in ("comments=999999", "comments=x", "comments=" + "9" * 5000, "parent=7777"):
        assert (await browser.open(f"/plain/tickets/1?{odd}")).status == 200


async def test_a_reply_leads_to_its_comment_on_another_page(api: Api) -> None:
    browser = await ticket_and_agent(api)
    token = await api.token("agent")
    ids = []
    for number in range(1, 61):
        sent = {"body": f"Number {number}.", "internal": number % 2 == 0}
        ids.append((await api.post("/api/tickets/1/comments", sent, token=token)).json["id"])
    await api.post("/api/tickets/1/comments", {"body": "It is that.", "parent": ids[28]}, token=token)
    requester = Browser(api)
    assert (await requester.sign_in("ana")).status == 303
    for reader, first in ((browser, "Number 26."), (requester, "Number 1.")):
        await reader.open("/plain/tickets/1")
        found = re.search(r'replies to <a href="([?]at=\d+)#comment-(\d+)"', reader.page)
        assert found is not None and int(found[2]) == ids[28]
        await reader.open("/plain/tickets/1" + found[1])
        assert f'id="comment-{ids[28]}"' in reader.page and first in reader.page
    for odd in ("at=0", "at=999999999", "at=x", "at=-1"):
        assert (await browser.open(f"/plain/tickets/1?{odd}")).status == 200
