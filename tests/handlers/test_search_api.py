"""Search: words and their beginnings in title, description and the comments that the caller may see."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest

from tests.conftest import Api
from tests.search_table import TABLE

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
        ("서울시청", "서울"),
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


async def test_the_shared_table_of_texts_and_queries_holds(api: Api) -> None:
    """The same table runs through the words' function and through the browser's twin."""
    token = await api.token()
    for row in TABLE:
        (number,) = [(await api.ticket(token, title="x", description=row["text"]))["id"]]
        finds = {q: number in await found(api, token, q, "&limit=100") for q in row["finds"]}
        misses = {q: number in await found(api, token, q, "&limit=100") for q in row["misses"]}
        assert all(finds.values()), {q for q, hit in finds.items() if not hit}
        assert not any(misses.values()), {q for q, hit in misses.items() if hit}


async def test_a_query_of_nothing_that_is_a_word_is_as_if_absent(api: Api) -> None:
    token = await api.token()
    await api.ticket(token)
    for q in (string.punctuation, "\u00ad", "…", "#", "\u200b\u2060"):
        assert await found(api, token, q) == [1], q


async def test_tags_count_as_text_until_they_are_taken_away(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token, tags=["wi-fi", "Büro_2", "東京"])
    await api.ticket(token)
    for q in ("wifi", "wi", "buro", "2", "京", "buro jams"):
        assert await found(api, token, q) == [1], q
    await api.patch("/api/tickets/1", {"version": 1, "tags": ["büro_2", "lan"]}, token=token)
    assert [await found(api, token, q) for q in ("wifi", "京", "buro", "lan")] == [[], [], [1], [1]]
    await api.patch("/api/tickets/1", {"version": 2, "title": "Renamed", "tags": []}, token=token)
    assert [await found(api, token, q) for q in ("lan", "buro", "renamed", "printer")] == [[], [], [1], [2]]


async def test_a_number_alone_finds_its_ticket_first(api: Api) -> None:
    requester, agent = await api.token(), await api.token("agent")
    await api.ticket(agent)
    await api.ticket(requester, title="Like ticket 2, 3 and 1")
    for _ in range(3):
        await api.ticket(requester, title="Again, 3 times", priority="high")
    assert await found(api, requester, "#3") == [3, 5, 4, 2]
    assert await found(api, requester, " #3 ", "&sort=created_at") == [3, 2, 4, 5]
    assert await found(api, requester, "#3", "&sort=relevance") == [3, 5, 4, 2]
    assert await found(api, requester, "3") == [5, 4, 3, 2]
    assert await found(api, requester, "#3 again") == [5, 4, 3]
    # In pages, under other filters, and only for those who may see it.
    pages = [await found(api, requester, "#3", f"&limit=1&offset={n}") for n in range(5)]
    assert pages == [[3], [5], [4], [2], []]
    assert await found(api, requester, "#3", "&priority=medium") == [2]
    assert await found(api, requester, "#2", "&priority=medium") == [2]
    assert (await found(api, requester, "#1"), await found(api, agent, "#1")) == ([2], [1, 2])
    assert await found(api, agent, "#99") == [] and await found(api, agent, "#" + "9" * 400) == []
    response = await api.get("/api/tickets?q=%233&limit=4", token=requester)
    assert response.json["next_offset"] is None
    assert (await api.get("/api/tickets?q=%233&limit=3", token=requester)).json["next_offset"] == 3


async def test_a_hyphenated_word_of_a_comment_and_a_change_is_found_joined(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    await api.post("/api/tickets/1/comments", {"body": "See the know-how."}, token=token)
    await api.patch("/api/tickets/1", {"version": 1, "description": "The Wi-Fi is off."}, token=token)
    assert [await found(api, token, q) for q in ("knowhow", "wifi", "wi-fi off")] == [[1], [1], [1]]
    entries = (await api.get("/api/tickets/1/timeline?q=wifi", token=token)).json["items"]
    assert [entry["action"] for entry in entries] == ["updated"]


async def test_people_are_found_without_case_and_diacritics(api: Api) -> None:
    staff = await api.token("agent")
    names = ["İsmail Yılmaz", "Łukasz Żak", "Ana-María Núñez", "山田太郎", "ＡＮＡ", "Straße", "Zoe\u0308"]
    ids = {name: (await api.register(username=f"p{n}", name=name))["user"]["id"] for n, name in enumerate(names)}

    async def people(q: str) -> list[int]:
        return [u["id"] for u in (await api.get(f"/api/users?q={quote(q)}", token=staff)).json["items"]]

    for q, name in [
        ("ismail", "İsmail Yılmaz"),
        ("ISMAIL Y", "İsmail Yılmaz"),
        ("ısmaıl yilmaz", "İsmail Yılmaz"),
        ("lukasz zak", "Łukasz Żak"),
        ("ana maria", "Ana-María Núñez"),
        ("ana-m", "Ana-María Núñez"),
        ("山田", "山田太郎"),
        ("strasse", "Straße"),
        ("zoé", "Zoe\u0308"),
        ("p0", "İsmail Yılmaz"),
    ]:
        assert await people(q) == [ids[name]], q
    assert await people("ana") == [ids["Ana-María Núñez"], ids["ＡＮＡ"]]
    assert await people("yilmaz") == [] and await people("*") == [] and await people("%") == []
    me = (await api.register(name="before"))["token"]
    await api.patch("/api/me", {"name": "Øyvind"}, token=me)
    assert len(await people("oyvind")) == 1
