"""Two agents on one ticket for an hour, told in steps of a minute, while the network fails at random.

At the end the ledger of what was typed and sent equals what the API holds: each reply once, in each
writer's order, and no text lost on the way.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, Tab, fresh_name

OpenTab = Callable[..., Tab]

MINUTES = 60
PATIENCE_MS = 30_000
# What a browser says of a network that is away, and of a ticket that others changed.
EXPECTED = ("ERR_", "net::", "Failed to fetch", "409", "NetworkError", "TypeError")


class Agent:
    """One person at one browser, and what they typed and sent."""

    def __init__(self, name: str, tab: Tab, ticket: Any, rnd: random.Random) -> None:
        self.name = name
        self.tab = tab
        self.page = tab.page
        self.path = f"/tickets/{ticket['id']}"
        self.rnd = rnd
        self.sent: list[str] = []
        self.notes: list[str] = []
        self.titles: list[str] = []
        self.half = ""
        self.is_away = False
        tab.allow(*EXPECTED)

    def minute(self, now: int) -> None:
        acts = [self.reply, self.reply, self.note, self.begin, self.finish, self.cut, self.mend, self.mend]
        acts += [self.look_elsewhere, self.reload, self.edit, self.lose_answers]
        self.rnd.choice(acts)(now)

    def go_to_ticket(self) -> None:
        if self.page.evaluate("location.pathname") != self.path:
            self.mend(0)  # a ticket that is not on the screen comes from the server
            self.page.go_back()
        self.page.locator(".composer__text").wait_for(timeout=PATIENCE_MS)

    def write(self, text: str) -> None:
        self.go_to_ticket()
        self.page.get_by_label("Reply", exact=True).fill(text)

    def reply(self, now: int) -> None:
        text = f"{self.name} writes in minute {now}"
        self.write(f"{self.half}{text}")
        self.page.keyboard.press("Control+Enter")
        self.sent.append(f"{self.half}{text}")
        self.half = ""

    def note(self, now: int) -> None:
        if self.half:
            return
        self.go_to_ticket()
        text = f"{self.name} notes in minute {now}"
        self.page.get_by_role("button", name="Internal note", exact=True).click()
        self.page.locator(".composer__text").fill(text)
        self.page.get_by_role("button", name="Add internal note").click()
        self.notes.append(text)

    def begin(self, now: int) -> None:
        self.half = f"{self.name} begins in minute {now}. "
        self.write(self.half)

    def finish(self, now: int) -> None:
        if not self.half:
            return
        self.go_to_ticket()
        field = self.page.get_by_label("Reply", exact=True)
        assert field.input_value() == self.half, "a draft is as it was left"
        self.reply(now)

    def cut(self, now: int) -> None:
        self.is_away = True
        self.page.context.set_offline(True)

    def mend(self, now: int) -> None:
        self.is_away = False
        self.page.context.set_offline(False)

    def look_elsewhere(self, now: int) -> None:
        self.go_to_ticket()
        self.page.get_by_role("link", name="Tickets", exact=True).first.click()

    def reload(self, now: int) -> None:
        self.go_to_ticket()
        self.mend(now)
        self.page.reload()
        self.go_to_ticket()

    def lose_answers(self, now: int) -> None:
        """The server does what the next request asks for, and the browser never hears of it."""
        lost: list[str] = []

        def lose(route: Any) -> None:
            if route.request.method != "POST" or lost or self.is_away:
                route.fallback()
                return
            lost.append(route.request.url)
            route.fetch()
            route.abort()

        self.page.route("**/comments", lose, times=3)

    def edit(self, now: int) -> None:
        if self.is_away:
            return
        self.go_to_ticket()
        title = f"{self.name} names it in minute {now}"
        self.page.get_by_role("button", name="Edit title").click()
        self.page.get_by_label("Title", exact=True).fill(title)
        self.titles.append(title)
        self.page.get_by_role("button", name="Save", exact=True).click()
        chosen = self.page.get_by_role("button", name="Save my choice")
        self.page.locator(".ticket__title", has_text=title).or_(chosen).first.wait_for(timeout=PATIENCE_MS)
        if chosen.count():
            self.page.get_by_role("dialog").locator("input[value=mine]").check()
            chosen.click()
            self.page.locator(".ticket__title", has_text=title).wait_for(timeout=PATIENCE_MS)


def in_order(texts: list[str], of: Agent) -> list[str]:
    return [text for text in texts if text.startswith(of.name)]


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_two_agents_loses_and_doubles_nothing(
    open_tab: OpenTab, as_user: Api, as_agent: Api, expect: Any, seed: int
) -> None:
    ticket = as_user.ticket(fresh_name("An hour"))
    path = f"/tickets/{ticket['id']}"
    people = [
        Agent(name, open_tab(account, path), ticket, random.Random(f"{name} {seed}"))
        for name, account in (("Ben", "agent"), ("Ada", "admin"))
    ]
    for now in range(MINUTES):
        for person in people:
            person.minute(now)
    for person in people:
        person.mend(MINUTES)
        person.page.evaluate("dispatchEvent(new Event('online'))")
        person.go_to_ticket()
    for person in people:
        expect(person.page.get_by_role("link", name="Unsent")).to_have_count(1 if person.half else 0, timeout=60_000)
        expect(person.page.get_by_label("Reply", exact=True)).to_have_value(person.half)
    comments = as_agent.get(f"/api{path}/comments?limit=100")["items"]
    stored = [c["body"] for c in comments if not c["internal"]]
    notes = [c["body"] for c in comments if c["internal"]]
    assert len(comments) > MINUTES // 3
    for person in people:
        assert in_order(stored, person) == person.sent
        assert in_order(notes, person) == person.notes
        shown = person.page.locator(".comment .prose")
        expect(shown).to_have_count(len(comments), timeout=PATIENCE_MS)
    titles = {ticket["title"], *(title for person in people for title in person.titles)}
    assert as_agent.get(f"/api{path}")["title"] in titles
