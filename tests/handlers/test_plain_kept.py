"""What was typed on the plain pages comes back, whatever the form was refused for, and is stored once."""

from __future__ import annotations

import re
from html import unescape

import pytest

from helpdesk.config import Rate
from tests.conftest import Api, Start
from tests.plain_browser import Browser, signed_in

pytestmark = pytest.mark.gen_test

LONG = "A long <answer> & half an hour's work.\n" * 30


def given_back(page: str) -> str:
    """The text in the textarea of the page, as a browser shows it."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


async def stored(api: Api, path: str = "/api/tickets/1/comments") -> list[dict]:
    items: list[dict] = (await api.get(path, token=await api.token("agent"))).json["items"]
    return items


async def requester_with_ticket(api: Api) -> Browser:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")
    await browser.open("/plain/tickets/1")
    return browser


@pytest.mark.parametrize("path", ["/plain/login", "/plain/register", "/plain/tickets/new", "/plain/tickets/1"])
async def test_no_form_cuts_what_is_pasted(api: Api, path: str) -> None:
    browser = await requester_with_ticket(api)
    assert (await browser.open(path)).status == 200
    assert "maxlength" not in browser.page


async def test_a_text_that_is_too_long_comes_back_whole_with_by_how_much(api: Api) -> None:
    browser = await requester_with_ticket(api)
    long = "\U0001f600" * 20_003
    assert (await browser.send("/plain/tickets/1", body=long)).status == 400
    assert "3 characters too long" in browser.page and given_back(browser.page) == long
    await browser.open("/plain/tickets/new")
    assert (await browser.send("/plain/tickets/new", title="t" * 224, description="d")).status == 400
    assert "24 characters too long" in browser.page and "t" * 224 in browser.page
    assert await stored(api) == [] and len(await stored(api, "/api/tickets")) == 1


async def test_line_ends_come_as_they_were_typed_and_one_line_fields_are_one_line(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="A\tdesk\r\nwobbles", description="One\r\ntwo", tags="a\tb, c")
    (ticket,) = await stored(api, "/api/tickets")
    assert (ticket["title"], ticket["description"]) == ("A desk wobbles", "One\ntwo")
    assert ticket["tags"] == ["a", "b", "c"]


async def test_an_ended_session_keeps_the_text_through_the_sign_in(api: Api) -> None:
    browser = await requester_with_ticket(api)
    form_key, username = browser.hidden("form_key"), (await stored(api, "/api/tickets"))[0]["creator"]["username"]
    await api.post("/api/auth/logout", token=browser.cookies["helpdesk_plain"])
    assert (await browser.send("/plain/tickets/1", body=LONG, form_key=form_key)).status == 401
    waiting = dict(re.findall(r'name="(kept[^"]*)" value="([^"]*)"', browser.page))
    fields = {name: unescape(value) for name, value in waiting.items()}
    assert fields["kept.body"] == LONG and fields["kept.form_key"] == form_key
    assert (await browser.send("/plain/login", username=username, password="wrong horse", **fields)).status == 401
    assert "kept.body" in browser.page
    await browser.send("/plain/login", username=username, password="correct horse", **fields)
    assert given_back(browser.page) == LONG and 'action="/plain/tickets/1"' in browser.page
    assert await stored(api) == []
    assert (await browser.send("/plain/tickets/1", body=LONG, form_key=browser.hidden("form_key"))).status == 303
    assert [comment["body"] for comment in await stored(api)] == [LONG]


@pytest.mark.parametrize("path", ["//example.org", "https://example.org/plain", "/plain/../api/me", "/api/tickets"])
async def test_a_kept_form_goes_nowhere_else(api: Api, path: str) -> None:
    account = await api.register()
    browser = Browser(api)
    await browser.open("/plain/login")
    fields = {"username": account["user"]["username"], "password": "correct horse", "kept_path": path, "kept.body": "x"}
    assert (await browser.send("/plain/login", **fields)).status == 303


async def test_a_form_over_the_rate_limit_comes_back_and_can_be_sent_again(start: Start) -> None:
    api = await start(rate_limit=Rate(12, 60))
    browser = await requester_with_ticket(api)
    form_key = browser.hidden("form_key")
    while (refused := await browser.send("/plain/tickets/1", body=LONG, form_key=form_key)).status == 303:
        pass
    assert refused.status == 429 and refused.headers["Retry-After"]
    assert given_back(browser.page) == LONG and browser.hidden("form_key") == form_key


async def test_a_form_whose_token_is_gone_comes_back_with_a_new_one(api: Api) -> None:
    browser = await requester_with_ticket(api)
    del browser.cookies["helpdesk_plain_form"]
    assert (await browser.send("/plain/tickets/1", body=LONG)).status == 403
    assert given_back(browser.page) == LONG
    assert (await browser.send("/plain/tickets/1", body=given_back(browser.page))).status == 303


async def test_a_browser_without_cookies_is_told_what_is_missing(api: Api) -> None:
    browser = Browser(api)
    await browser.open("/plain/login")
    browser.cookies.clear()
    assert (await browser.send("/plain/login", username="ana", password="correct horse")).status == 403
    assert "need cookies" in browser.page and 'value="ana"' in browser.page and "correct horse" not in browser.page


async def test_one_form_stores_its_text_once_and_other_words_are_asked_about(api: Api) -> None:
    browser = await requester_with_ticket(api)
    fields = {"body": LONG, "form_key": browser.hidden("form_key")}
    first, again = await browser.send("/plain/tickets/1", **fields), await browser.send("/plain/tickets/1", **fields)
    assert first.status == again.status == 303 and first.headers["Location"] == again.headers["Location"]
    refused = await browser.send("/plain/tickets/1", **(fields | {"body": "Other words."}))
    assert refused.status == 422 and given_back(browser.page) == "Other words."
    await browser.send("/plain/tickets/1", body="Other words.", form_key=browser.hidden("form_key"))
    assert [comment["body"] for comment in await stored(api)] == [LONG, "Other words."]


async def test_the_same_words_from_another_form_are_stored_only_when_that_is_meant(api: Api) -> None:
    browser = await requester_with_ticket(api)
    await browser.send("/plain/tickets/1", body=LONG, form_key="one")
    assert (await browser.send("/plain/tickets/1", body=LONG, form_key="two")).status == 409
    assert given_back(browser.page) == LONG and len(await stored(api)) == 1
    await browser.send("/plain/tickets/1", body=LONG, form_key="three", again=browser.hidden("again"))
    assert len(await stored(api)) == 2
    await browser.open("/plain/tickets/new")
    assert (await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")).status == 409
    again = await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.", again="true")
    assert again.headers["Location"] == "/plain/tickets/2"


async def test_a_stored_form_is_named_for_the_script_and_a_refused_one_is_not(api: Api) -> None:
    browser = await requester_with_ticket(api)
    key = browser.hidden("form_key")
    await browser.send("/plain/tickets/1", body=" ", form_key=key)
    assert key not in browser.cookies.get("helpdesk_plain_stored", "")
    await browser.send("/plain/tickets/1", body="Words", form_key=key)
    assert browser.cookies["helpdesk_plain_stored"].split(".")[-1] == key
    await browser.send("/plain/tickets/1", body="Other words", form_key='no "key"; of ours')
    assert browser.cookies["helpdesk_plain_stored"].split(".")[-1] == key
    for n in range(9):
        await browser.send("/plain/tickets/1", body=f"More {n}", form_key=f"more-{n}")
    assert browser.cookies["helpdesk_plain_stored"].split(".") == [f"more-{n}" for n in range(1, 9)]
