"""Search: words and their beginnings in title, description and the comments that the caller may see."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def found(api: Api, token: str, q: str, more: str = "") -> list[int]:
    response = await api.get(f"/api/tickets?q={quote(q)}{more}", token=token)
    assert response.status == 200, response.body
    return [ticket["id"] for ticket in response.json["items"]]


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("VPN drops", "vpn"),
        ("VPN drops", "dro"),
        ("VPN drops", "drops vpn"),
        ("Straße gesperrt", "STRASSE"),
        ("Café Zürich", "cafe zurich"),
        ("naïve", "naive"),
        ("Łódź", "łódz"),
        ("東京タワー", "東京"),
        ("東京タワー", "タワー"),
        ("서울시청", "시청"),
        ("error-code 0x8007", "error code"),
        ("error-code 0x8007", "0x80"),
        ("ﬁle ①", "file 1"),
        ("İstanbul", "istanbul"),
        ("हिन्दी में", "हिन्दी"),
        ("don't", "don't"),
        ("emoji 🎉 party", "🎉 party"),
        ("AND OR NOT NEAR", "near not"),
        ("title body internal owner", "title:body"),
    ],
)
async def test_what_is_written_is_found(api: Api, text: str, q: str) -> None:
    token = await api.token()
    await api.ticket(token, title=text)
    await api.ticket(token, title="unrelated", description=text)
    await api.ticket(token)
    assert await found(api, token, q) == [2, 1]


@pytest.mark.parametrize("q", ["rops", "vpn xyz", "vpnn", "vpn OR printer", "東北"])
async def test_what_is_not_written_is_not_found(api: Api, q: str) -> None:
    token = await api.token()
    await api.ticket(token, title="VPN drops 東京")
    assert await found(api, token, q) == []


@pytest.mark.parametrize(
    "q", ['"', "*", "(", 'a" OR "b', "^x NEAR(", "--", "{title}:", "\\", "%", "' OR 1=1", "-", "…"]
)
async def test_punctuation_breaks_nothing(api: Api, q: str) -> None:
    await found(api, await api.token(), q)


@pytest.mark.parametrize("q", ["", " ", "...", "!?", "—"])
async def test_a_query_of_punctuation_is_as_if_absent(api: Api, q: str) -> None:
    token = await api.token()
    await api.ticket(token)
    assert await found(api, token, q) == [1]


async def test_terms_may_stand_in_different_places(api: Api) -> None:
    token = await api.token()
    await api.ticket(token, title="alpha", description="beta")
    await api.post("/api/tickets/1/comments", {"body": "gamma"}, token=token)
    await api.post("/api/tickets/1/comments", {"body": "delta"}, token=token)
    await api.ticket(token, title="alpha", description="nothing")
    assert await found(api, token, "alp bet gam del") == [1]
    assert await found(api, token, "alpha") == [2, 1]


async def test_a_changed_title_is_found_by_its_new_words_only(api: Api) -> None:
    token = await api.token()
    await api.ticket(token, title="alpha keeps", description="beta")
    await api.patch("/api/tickets/1", {"version": 1, "title": "gamma keeps"}, token=token)
    assert await found(api, token, "alpha") == []
    assert await found(api, token, "gamma") == await found(api, token, "beta keeps") == [1]


async def test_requesters_find_in_their_own_tickets_only(api: Api) -> None:
    ana, ben, agent = await api.token(), await api.token(), await api.token("agent")
    await api.ticket(ana, title="alpha")
    await api.ticket(ben, title="alpha")
    assert (await found(api, ana, "alpha"), await found(api, ben, "alp")) == ([1], [2])
    assert await found(api, agent, "alpha") == [2, 1]
    assert await found(api, agent, "alpha", "&creator_id=1") == [1]


async def test_search_keeps_to_the_other_filters(api: Api) -> None:
    token = await api.token("agent")
    for n in range(60):
        await api.ticket(token, title=f"alpha {n}", priority="high" if n % 20 == 0 else "low")
    assert await found(api, token, "alpha", "&priority=high") == [41, 21, 1]
    assert await found(api, token, "alpha", "&priority=high&limit=1&offset=1") == [21]
    assert await found(api, token, "alpha", "&limit=3&offset=30") == [30, 29, 28]


async def test_the_most_relevant_come_first(api: Api) -> None:
    token = await api.token()
    await api.ticket(token, title="x", description="alpha beta")
    await api.ticket(token, title="alpha beta")
    await api.ticket(token, title="alpha", description="beta")
    await api.ticket(token, title="beta alpha")
    assert await found(api, token, "alpha beta", "&sort=relevance") == [4, 2, 3, 1]
    assert await found(api, token, "alpha beta", "&sort=-relevance") == [1, 3, 2, 4]
    assert await found(api, token, "alpha beta", "&sort=relevance&limit=2&offset=1") == [2, 3]


async def test_a_clock_set_back_does_not_disturb_the_order(api: Api) -> None:
    token = await api.token()
    for n in range(40):
        await api.ticket(token, title="alpha")
        api.clock.now_ms += 1000 if n != 20 else -10_000
    by_time = [t["id"] for t in (await api.get("/api/tickets?limit=100", token=token)).json["items"]]
    assert by_time != sorted(by_time, reverse=True)
    assert await found(api, token, "alpha", "&limit=100") == by_time
    assert await found(api, token, "alpha", "&limit=20") == by_time[:20]
    assert await found(api, token, "alpha", "&limit=25&sort=created_at") == by_time[::-1][:25]


async def test_a_refused_ticket_leaves_no_words_behind(api: Api) -> None:
    token = await api.token("agent")
    response = await api.post("/api/tickets", {"title": "zebra", "description": "x", "assignee_id": 99}, token=token)
    assert response.status == 400
    assert await found(api, token, "zebra") == []
    await api.ticket(token, title="zebras")
    assert await found(api, token, "zebra") == [1]


async def test_every_word_of_a_long_query_counts(api: Api) -> None:
    token = await api.token()
    words = [f"w{n}" for n in range(120)]
    await api.ticket(token, description=" ".join(words))
    assert await found(api, token, " ".join(words)) == [1]
    assert await found(api, token, " ".join([*words, "absent"])) == []
