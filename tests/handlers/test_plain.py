"""The pages without JavaScript."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from helpdesk.domain import tickets
from helpdesk.errors import Unavailable
from tests.conftest import Api
from tests.plain_browser import FORM, Browser, signed_in

pytestmark = pytest.mark.gen_test


async def test_nobody_sees_a_page_without_signing_in(api: Api) -> None:
    response = await Browser(api).open("/plain")
    assert (response.status, response.headers["Location"]) == (302, "/plain/login")


async def test_no_answer_of_a_plain_page_is_kept(api: Api) -> None:
    browser = await signed_in(api)
    again = await browser.sign_in("admin", "no such password")
    assert (again.status, again.headers["Cache-Control"]) == (401, "no-store")
    await browser.open("/plain/tickets/new")
    made = await browser.send("/plain/tickets/new", title="Lamp", description="Flickers", form_key="1")
    answers = [
        made,
        await Browser(api).open("/plain"),
        await browser.open(made.headers["Location"]),
        await browser.open("/plain/tickets/999"),
        await api.request("OPTIONS", "/plain"),
        await api.request("DELETE", "/plain"),
        await browser.send("/plain/logout", with_token=False),
    ]
    assert [answer.status for answer in answers] == [303, 302, 200, 404, 204, 405, 403]
    assert {answer.headers.get("Cache-Control") for answer in answers} == {"no-store"}


@pytest.mark.parametrize(
    "page", ["/plain/tickets/1", "/plain/tickets/new", "/plain?q=a%20%26b&status=open", "/plain/?offset=20"]
)
async def test_signing_in_leads_to_the_page_that_was_wanted(api: Api, page: str) -> None:
    await api.ticket((await api.register(username="ana"))["token"])
    browser = Browser(api)
    asked = await browser.open(page)
    assert (asked.status, asked.headers["Location"]) == (302, f"/plain/login?{urlencode({'next': page})}")
    await browser.open(asked.headers["Location"])
    action = unescape(re.findall(r'action="([^"]+)"', browser.page)[0])
    assert (await browser.send(action, username="ana", password="wrong horse")).status == 401
    assert action == unescape(re.findall(r'action="([^"]+)"', browser.page)[0])
    led = await browser.send(action, username="ana", password="correct horse")
    assert (led.status, led.headers["Location"]) == (303, page)
    assert (await browser.open(page)).status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "/",
        "/plain/login",
        "/plain/login?next=/plain/login",
        "/plain/logout",
        "/plain/./login",
        "/plain/../login",
        "/plain//example.org",
        "//example.org/plain",
        "https://example.org/plain",
        "/\\example.org",
        "/plain\\..\\..",
        "/plain\t/tickets/1",
        "/plain/tickets/1\r\nSet-Cookie: a=b",
        "/plain/tickets/\u0661",
        "/plain?" + "q" * 2000,
        "/tickets/1",
        "javascript:alert(1)",
    ],
)
async def test_next_leads_to_a_plain_page_or_to_the_list(api: Api, wanted: str) -> None:
    await api.register(username="ana")
    browser = Browser(api)
    door = f"/plain/login?{urlencode({'next': wanted})}"
    await browser.open(door)
    assert 'action="/plain/login"' in browser.page
    led = await browser.send(door, username="ana", password="correct horse")
    assert (led.status, led.headers["Location"]) == (303, "/plain")


async def test_the_cookie_is_kept_from_scripts_and_other_sites(api: Api) -> None:
    account = await api.register()
    response = await Browser(api).sign_in("nobody", "wrong password")
    assert response.status == 401
    response = await Browser(api).sign_in(account["user"]["username"])
    (cookie,) = [c for c in response.headers.get_list("Set-Cookie") if c.startswith("helpdesk_plain=")]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/plain" in cookie


async def test_the_api_does_not_look_at_the_cookie(api: Api) -> None:
    browser = await signed_in(api)
    response = await api.get("/api/me", headers={"Cookie": f"helpdesk_plain={browser.cookies['helpdesk_plain']}"})
    assert response.code == "UNAUTHENTICATED"


async def test_a_ticket_is_created_found_commented_and_closed(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    fields = {"title": "Desk <wobbles>", "description": "On one leg.", "form_key": browser.hidden("form_key")}
    first = await browser.send("/plain/tickets/new", **fields)
    again = await browser.send("/plain/tickets/new", **fields)
    assert first.status == again.status == 303
    assert first.headers["Location"] == again.headers["Location"] == "/plain/tickets/1"
    await browser.open("/plain?q=wobb&status=")
    assert "Desk &lt;wobbles&gt;" in browser.page
    await browser.open("/plain/tickets/1")
    assert (await browser.send("/plain/tickets/1", body="Since Monday.", form_key="x")).status == 303
    await browser.open("/plain/tickets/1")
    assert "Since Monday." in browser.page
    assert (await browser.send("/plain/tickets/1", status="closed", version="1")).status == 303
    await browser.open("/plain/tickets/1")
    assert "Open it again" in browser.page


async def test_a_refused_form_keeps_what_was_typed(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    response = await browser.send("/plain/tickets/new", title=" ", description="A long <story>.")
    assert response.status == 400
    assert "A long &lt;story&gt;." in browser.page and "title must not be blank" in browser.page


MARKS = "a" + "\u0301" * 31


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "closed", "version": "9" * 5000},
        {"status": "closed", "version": "\u0663"},
        {"status": "closed", "version": "1.0"},
        {"status": "closed", "version": b"\xff"},
        {"status": "closed"},
        {"status": "gone", "version": "1"},
        {"body": MARKS},
        {"body": "\u200b"},
        {"body": "nul\0"},
        {"body": b"\xff"},
        {"body": "x", "form_key": "k" * 256},
        {"body": "x", "form_key": "k\n"},
        {"body": "x", "form_key": "é"},
    ],
)
async def test_a_bad_form_on_a_ticket_changes_nothing(api: Api, fields: dict[str, str | bytes]) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")
    await browser.open("/plain/tickets/1")
    assert (await browser.send("/plain/tickets/1", **fields)).status == 400
    ticket = (await api.get("/api/tickets/1", token=await api.token("agent"))).json
    assert (ticket["version"], ticket["comment_count"], ticket["status"]) == (1, 0, "open")


@pytest.mark.parametrize(
    "fields",
    [{"title": MARKS}, {"title": "\u2800"}, {"description": MARKS}, {"priority": "asap"}, {"title": "x" * 300_000}],
)
async def test_a_bad_new_ticket_is_refused_like_the_api_does(api: Api, fields: dict[str, str]) -> None:
    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    sent = {"title": "Desk", "description": "Wobbles.", **fields}
    assert (await browser.send("/plain/tickets/new", **sent)).status == 400
    assert (await api.get("/api/tickets", token=await api.token("agent"))).json["items"] == []


async def test_a_bad_search_or_sign_in_is_refused_like_the_api_does(api: Api) -> None:
    browser = await signed_in(api)
    for query in (urlencode({"q": MARKS}), "status=open,open," * 60, "limit=" + "9" * 5000, "q=%FF"):
        assert (await browser.open(f"/plain?{query}")).status == 400, query
    assert (await browser.open("/plain?status=open,open")).status == 200
    for username in (MARKS, "x" * 300_000):
        assert (await Browser(api).sign_in(username)).status == 400
    assert (await Browser(api).sign_in("u\u017fer1")).status == 401


async def test_a_form_without_its_token_is_refused(api: Api) -> None:
    browser = await signed_in(api)
    response = await browser.send("/plain/tickets/new", with_token=False, title="x", description="y")
    assert response.status == 403
    assert (await api.get("/api/tickets", token=await api.token("agent"))).json["items"] == []


async def test_a_form_that_the_store_refuses_keeps_what_was_typed_and_is_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("Try again", cause="the disk is on fire")

    browser = await signed_in(api)
    await browser.open("/plain/tickets/new")
    monkeypatch.setattr(tickets, "create", refuse)
    refused = await browser.send("/plain/tickets/new", title="Keep me", description="y", priority="low")
    assert refused.status == 503 and refused.headers["Retry-After"]
    assert b"Keep me" in refused.body and b"fire" not in refused.body
    assert "status=503" in caplog.text and "the disk is on fire" in caplog.text


async def test_an_internal_note_is_not_shown_to_the_requester(api: Api) -> None:
    browser, agent = await signed_in(api), await api.token("agent")
    await browser.open("/plain/tickets/new")
    await browser.send("/plain/tickets/new", title="Desk", description="Wobbles.")
    await api.post("/api/tickets/1/comments", {"body": "He broke it.", "internal": True}, token=agent)
    await browser.open("/plain/tickets/1")
    assert "He broke it." not in browser.page and "Wobbles." in browser.page


async def test_signing_out_ends_the_token(api: Api) -> None:
    browser = await signed_in(api)
    await browser.open("/plain")
    token = browser.cookies["helpdesk_plain"]
    assert (await browser.send("/plain/logout")).status == 303
    assert (await api.get("/api/me", token=token)).code == "INVALID_TOKEN"


async def test_options_and_wrong_methods_name_what_a_page_takes(api: Api) -> None:
    for path, allow in (
        ("/plain", "GET, HEAD, OPTIONS"),
        ("/plain/login", "GET, HEAD, POST, OPTIONS"),
        ("/plain/logout", "POST, OPTIONS"),
        ("/plain/tickets/1", "GET, HEAD, POST, OPTIONS"),
    ):
        options = await api.request("OPTIONS", path)
        assert (options.status, options.headers["Allow"]) == (204, allow)
        wrong = await api.request("DELETE", path)
        assert (wrong.status, wrong.headers["Allow"]) == (405, allow)


async def test_a_form_of_many_fields_is_refused_before_it_is_read(api: Api) -> None:
    response = await api.post("/plain/login", raw=b"a&" * 1000, headers=FORM)
    assert response.status == 400
