"""People, one's own account, figures, history and the list on the plain pages."""

from __future__ import annotations

import re
from html import unescape

import pytest

from helpdesk.handlers.plain_words import linked, span
from tests.conftest import Api, Start
from tests.plain_browser import Browser, signed_in

pytestmark = pytest.mark.gen_test


async def test_an_admin_adds_changes_and_deactivates_a_person(api: Api) -> None:
    browser = await signed_in(api, "admin")
    await browser.open("/plain/people/new")
    fields = {"username": "ines", "password": "correct horse", "name": "Inês", "role": "agent"}
    key = browser.hidden("form_key")
    made = await browser.send("/plain/people/new", **fields, form_key=key)
    again = await browser.send("/plain/people/new", **fields, form_key=key)
    assert made.status == again.status == 303 and made.headers["Location"] == again.headers["Location"]
    path = made.headers["Location"]
    assert (await browser.send("/plain/people/new", **fields)).status == 409 and "Inês" in browser.page
    other = Browser(api)
    assert (await other.sign_in("ines")).status == 303
    await browser.open(path)
    changed = {"name": "", "email": "i@example.com", "role": "agent", "active": "false"}
    assert (await browser.send(path, **changed)).status == 303
    assert (await other.open("/plain")).status == 302
    await browser.open("/plain/people?q=in&active=false&role=agent")
    assert "i@example.com" in browser.page and "deactivated" in browser.page


async def test_the_last_admin_stays_and_the_form_comes_back(api: Api) -> None:
    browser = await signed_in(api, "admin")
    await browser.open("/plain/people?role=admin")
    admins = re.findall(r'href="(/plain/people/\d+)"', browser.page)
    statuses = []
    for path in admins[::-1]:
        await browser.open(path)
        statuses.append((await browser.send(path, name="Typed", role="user", active="true")).status)
        if statuses[-1] != 303:
            assert 'value="Typed"' in browser.page
    assert 409 in statuses or 403 in statuses


@pytest.mark.parametrize(("role", "status"), [("user", 403), ("agent", 200), ("admin", 200)])
async def test_people_and_figures_are_for_agents(api: Api, role: str, status: int) -> None:
    browser = await signed_in(api, role)
    for path in ("/plain/people", "/plain/figures", "/plain/figures?days=7"):
        assert (await browser.open(path)).status == status
    assert (await browser.open("/plain/people/new")).status == (200 if role == "admin" else 403)
    assert (await browser.open("/plain/people/1")).status == (200 if role == "admin" else 403)
    assert (await browser.open("/plain/people/x")).status == (404 if role == "admin" else 403)


async def test_a_person_changes_and_clears_their_names_and_password(api: Api) -> None:
    account = await api.register(username="ana", email="a@example.com")
    browser = Browser(api)
    await browser.sign_in("ana")
    await browser.open("/plain/account")
    assert (await browser.send("/plain/account", name="Ana\tB", email="")).status == 303
    me = (await api.get("/api/me", token=account["token"])).json
    assert (me["name"], me["email"]) == ("Ana B", None)
    wrong = {"current_password": "wrong horse", "password": "another horse"}
    assert (await browser.send("/plain/account", **wrong)).status == 400 and "another horse" not in browser.page
    right = {"current_password": "correct horse", "password": "another horse"}
    assert (await browser.send("/plain/account", **right)).status == 303
    assert (await api.get("/api/me", token=account["token"])).status == 401
    assert (await browser.open("/plain/account")).status == 200


async def test_whoever_registers_is_signed_in_as_a_requester(start: Start) -> None:
    browser = Browser(await start())
    await browser.open("/plain/register")
    assert (await browser.send("/plain/register", username="ana", password="short", name="Ana")).status == 400
    assert 'value="Ana"' in browser.page
    assert (await browser.send("/plain/register", username="ana", password="correct horse")).status == 303
    assert (await browser.open("/plain/figures")).status == 403
    assert (await browser.open("/plain")).status == 200


async def test_history_shows_whole_texts_in_pages_and_is_searched(api: Api) -> None:
    browser, agent = await signed_in(api, "agent"), await api.token("agent")
    await api.ticket(await api.token("user"))
    long = "word " * 900 + "end"
    for version in range(1, 26):
        await api.patch("/api/tickets/1", {"version": version, "description": f"{version} {long}"}, token=agent)
    await browser.open("/plain/tickets/1/history")
    assert long in browser.page and "Next page" in browser.page
    following = re.findall(r'href="([^"]+)" rel="next"', browser.page)[0]
    await browser.open(unescape(following))
    assert "25 word" in browser.page and "Next page" not in browser.page and "Previous page" in browser.page
    await browser.open("/plain/tickets/1/history?q=nowhere&action=")
    assert "No events match" in browser.page
    assert (await (await signed_in(api)).open("/plain/tickets/1/history")).status == 404


async def test_the_list_is_filtered_sorted_and_paged_both_ways(api: Api) -> None:
    browser, user = await signed_in(api, "agent"), await api.token("user")
    for number in range(45):
        await api.ticket(user, title=f"Number {number}", priority="low" if number % 2 else "urgent", tags=["été"])
    seen: list[str] = []
    page = "/plain?priority=low&status=open,in_progress,pending&assignee_id=none&sort=created_at&tag=été&limit=10"
    page = page.replace("été", "%C3%A9t%C3%A9")
    while page:
        await browser.open(page)
        seen += re.findall(r"Number (\d+)<", browser.page)
        following = re.findall(r'href="([^"]+)" rel="next"', browser.page)
        page = unescape(following[0]) if following else ""
    assert [int(n) for n in seen] == [n for n in range(45) if n % 2]
    previous = unescape(re.findall(r'href="([^"]+)" rel="prev"', browser.page)[0])
    assert (await browser.open(previous)).status == 200 and "offset=10" in previous


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://en.wikipedia.org/wiki/Port_(networking).", ["https://en.wikipedia.org/wiki/Port_(networking)"]),
        ("(https://example.org/a)", ["https://example.org/a"]),
        ("。https://example.org/a。次", ["https://example.org/a"]),
        ("「https://example.org/a」、https://example.org/b！", ["https://example.org/a", "https://example.org/b"]),
        ("https://example.org/?a=1&b=[2], and", ["https://example.org/?a=1&b=[2]"]),
        ("#12 and a#3, /#4", ["/plain/tickets/12"]),
        ("http:// javascript:alert(1)", []),
    ],
)
async def test_links_end_where_the_address_does(text: str, addresses: list[str]) -> None:
    pieces = linked(text)
    assert [address for _, address in pieces if address] == addresses
    assert "".join(shown for shown, _ in pieces) == text


async def test_times_are_written_in_two_units() -> None:
    assert [span(m) for m in (0.4, 63, 1500, 1440, 4320)] == ["< 1 min", "1 h 3 min", "1 d 1 h", "1 d", "3 d"]
