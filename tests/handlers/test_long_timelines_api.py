"""A ticket that was edited many times: its answer, its search and a stale change of it have bounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from helpdesk.db import timeline as timeline_store
from helpdesk.domain import ticket_changes, timeline, timeline_pages, views
from helpdesk.domain.words import found_words
from tests.conftest import Api

pytestmark = pytest.mark.gen_test

LONG = "The printer on the third floor jams. " * 540  # 19,980 characters


async def edited(api: Api, token: str, times: int, **first: Any) -> dict[str, Any]:
    """A ticket whose long description has been edited so often; it as it is then."""
    ticket = await api.ticket(token, description=LONG, **first)
    for n in range(times):
        change = {"version": ticket["version"], "description": f"{LONG} {n}"}
        ticket = (await api.patch(f"/api/tickets/{ticket['id']}", change, token=token)).json
    return ticket


async def whole_timeline(api: Api, token: str, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = (await api.get(f"{path}/timeline?limit=50&offset={offset}", token=token)).json
        items, offset = items + page["items"], page["next_offset"]
    return items


async def test_long_texts_are_shortened_in_the_ticket_in_full_and_whole_in_its_timeline(api: Api) -> None:
    token = await api.token("agent")
    made = (await api.post("/api/tickets", {"title": "A", "description": LONG}, token=token)).json
    shown = await edited(api, token, 1)
    short = LONG[: views.SHORT_MAX] + "…"
    created, updated = shown["timeline"]
    assert (created["data"]["description"], created["data"]["title"]) == (short, "Printer jams")
    assert updated["data"] == {"changes": {"description": [short, short]}, "shortened": ["description"]}
    assert made["timeline"][0]["data"]["shortened"] == created["data"]["shortened"] == ["description"]
    assert shown["description"] == f"{LONG} 0"
    again = (await api.get("/api/tickets/2", token=token)).json
    assert again["timeline"] == shown["timeline"]
    whole = await whole_timeline(api, token, "/api/tickets/2")
    assert [entry["id"] for entry in whole] == [entry["id"] for entry in shown["timeline"]]
    assert whole[1]["data"] == {"changes": {"description": [LONG, f"{LONG} 0"]}}


async def test_a_ticket_with_short_texts_is_shown_as_it_is_stored(api: Api) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token)
    await api.patch("/api/tickets/1", {"version": 1, "title": "Other", "tags": ["a"]}, token=token)
    shown = (await api.get("/api/tickets/1", token=token)).json["timeline"]
    assert shown == await whole_timeline(api, token, "/api/tickets/1")
    assert "shortened" not in ticket["timeline"][0]["data"]


async def test_a_hundred_edits_of_a_long_description_make_no_large_answer_and_lose_nothing(api: Api) -> None:
    token = await api.token("agent")
    ticket = await edited(api, token, 110)
    answer = await api.get("/api/tickets/1", token=token)
    assert len(answer.json["timeline"]) == 100 and len(answer.body) < 200_000
    whole = await whole_timeline(api, token, "/api/tickets/1")
    fields = timeline.rebuild([(entry["action"], entry["data"]) for entry in whole])
    assert {name: fields[name] for name in ("description", "version")} == {
        name: ticket[name] for name in ("description", "version")
    }


async def test_a_word_that_stands_nowhere_is_looked_for_without_taking_texts_apart(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await api.token("agent")
    await edited(api, token, 30)
    taken_apart: list[str] = []

    def counted(text: str, wanted: Sequence[str]) -> set[str]:
        if len(text) > 1000:
            taken_apart.append(text)
        return found_words(text, wanted)

    monkeypatch.setattr(timeline_pages, "found_words", counted)
    for query in ("zzz", "%C3%A9clair"):
        found = await api.get(f"/api/tickets/1/timeline?q={query}", token=token)
        assert found.json["items"] == []
    assert taken_apart == []
    found = await api.get("/api/tickets/1/timeline?q=printer", token=token)
    assert len(found.json["items"]) == 20 and len(taken_apart) <= 22  # each text once: an old one was new before


async def test_a_search_of_a_timeline_ends_after_so_many_characters(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await api.token("agent")
    await edited(api, token, 5)
    for n in range(5):
        await api.post("/api/tickets/1/comments", {"body": f"c{n}"}, token=token)

    async def status(query: str) -> int:
        return (await api.get(f"/api/tickets/1/timeline?{query}", token=token)).status

    assert await status("q=zzz") == 200
    monkeypatch.setattr(timeline_pages, "SEARCHED_MAX", 5 * 2 * len(LONG))
    assert [await status(query) for query in ("q=zzz", "q=printer&limit=2", "limit=100")] == [503, 200, 200]
    monkeypatch.setattr(timeline_pages, "SEARCHED_MAX", 10 * 2 * len(LONG))
    assert await status("q=zzz") == 200
    monkeypatch.setattr(timeline_pages, "ENTRY_MIN", 2 * 2 * len(LONG))  # many short entries cost as much
    assert await status("q=zzz") == 503


async def test_a_timeline_is_searched_by_the_rules_of_the_search(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, title="Wi-Fi über Łódź", description="It is re-connected\nnever.")
    await api.patch("/api/tickets/1", {"version": 1, "title": "Straße 7-b", "status": "in_progress"}, token=token)

    async def found(query: str) -> list[int]:
        answer = await api.get(f"/api/tickets/1/timeline?{urlencode({'q': query})}", token=token)
        return [entry["id"] for entry in answer.json["items"]]

    wanted = {
        "wifi": [1, 2], "lodz uber": [1, 2], "strasse": [2], "reconn": [1], "connected": [1], "onnected": [],
        "never": [1], "nnever": [], "progress": [2], "in_prog": [2], "created agent": [1], "7b": [2], "updated wi": [2],
    }  # fmt: skip
    assert {query: await found(query) for query in wanted} == wanted


@pytest.mark.sqlite
async def test_what_a_stale_change_is_answered_with_is_read_outside_the_writer_thread(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await api.token("agent")
    await edited(api, token, 3)
    threads: list[str] = []
    changes_since, full_ticket = timeline_store.changes_since, views.full_ticket

    def noted_changes(*args: Any, **options: Any) -> Iterator[str]:
        threads.append(threading.current_thread().name)
        return changes_since(*args, **options)

    def noted_full(*args: Any, **options: Any) -> Any:
        threads.append(threading.current_thread().name)
        return full_ticket(*args, **options)

    monkeypatch.setattr(timeline_store, "changes_since", noted_changes)
    monkeypatch.setattr(views, "full_ticket", noted_full)
    refused = await api.patch("/api/tickets/1", {"version": 1, "status": "closed"}, token=token)
    assert (refused.status, refused.json["changed"], refused.json["current"]["version"]) == (409, ["description"], 4)
    failed = await api.patch("/api/tickets/1", {"status": "closed"}, token=token, headers={"If-Match": '"2"'})
    assert (failed.status, failed.json["changed"]) == (412, ["description"])
    assert len(threads) == 4 and not any("writer" in name for name in threads)


async def test_somebody_who_is_very_far_behind_is_told_that_everything_changed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_changes, "CHANGES_MAX", 3)
    token = await api.token("agent")
    await edited(api, token, 3)
    near = await api.patch("/api/tickets/1", {"version": 2, "status": "closed"}, token=token)
    assert near.json["changed"] == ["description"]
    far = await api.patch("/api/tickets/1", {"version": 1, "status": "closed"}, token=token)
    assert far.json["changed"] == sorted(ticket_changes._FIELDS)


async def test_pages_of_comments_and_entries_are_the_same_with_notes_and_without(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(requester)
    for n in range(6):
        await api.post("/api/tickets/1/comments", {"body": f"c{n}", "internal": n in (1, 4)}, token=agent)

    async def pages(kind: str, token: str) -> list[Any]:
        answers = [await api.get(f"/api/tickets/1/{kind}?limit=2&offset={n}", token=token) for n in range(0, 8, 2)]
        return [item["body" if kind == "comments" else "id"] for answer in answers for item in answer.json["items"]]

    assert await pages("comments", agent) == ["c0", "c1", "c2", "c3", "c4", "c5"]
    assert await pages("comments", requester) == ["c0", "c2", "c3", "c5"]
    assert await pages("timeline", agent) == [1, 2, 3, 4, 5, 6, 7]
    assert await pages("timeline", requester) == [1, 2, 4, 5, 7]
