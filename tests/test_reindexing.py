"""The search index is made anew when it holds the words of another function, before anybody is answered."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from helpdesk import lanes, reindexing
from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.schema import users
from helpdesk.db.search import rebuilding
from helpdesk.db.search.rebuilding import State
from helpdesk.domain.words import WORDS_VERSION
from helpdesk.errors import Unavailable
from helpdesk.reindexing import reindex_if_outdated
from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def found(api: Api, token: str, q: str) -> list[int]:
    return [t["id"] for t in (await api.get(f"/api/tickets?q={quote(q)}&sort=created_at", token=token)).json["items"]]


async def people(api: Api, token: str, q: str) -> int:
    return len((await api.get(f"/api/users?q={quote(q)}", token=token)).json["items"])


async def make_old(api: Api) -> None:
    """Leave the index and the names as a release with another function would have."""

    def change(conn: Connection) -> None:
        rebuilding.store(conn, State("1", ""))
        conn.execute(users.update().values(name_key="???"))
        if is_sqlite(conn):
            conn.execute(text("INSERT INTO search (search) VALUES ('delete-all')"))
            conn.execute(text("INSERT INTO search (rowid, title) SELECT id << 32, 'oldword' FROM tickets"))
            conn.execute(text("INSERT INTO words VALUES ('oldword')"))
        else:
            conn.execute(text("UPDATE search SET words = array_to_tsvector(array['toldword'])"))

    await api.desk.db.write(change)


async def desk_of_texts(api: Api) -> tuple[str, str]:
    """Tickets with comments, tags and notes; the tokens of their requester and of an agent."""
    agent = (await api.register("agent", name="İsmail Yılmaz"))["token"]
    token = await api.token()
    for n in range(1, 8):
        await api.ticket(token, title=f"Łódź {n}", description="Wi-Fi", tags=["büro"])
        await api.post(f"/api/tickets/{n}/comments", {"body": f"Straße{n}"}, token=token)
        await api.post(f"/api/tickets/{n}/comments", {"body": "cœur", "internal": True}, token=agent)
    return token, agent


async def assert_found(api: Api, token: str, agent: str) -> None:
    """Assert that all texts are found by those who may see them, that names are, and that nothing old is left."""
    every = list(range(1, 8))
    for q in ("lodz", "wifi", "buro"):
        assert await found(api, token, q) == every, q
    assert (await found(api, token, "coeur"), await found(api, agent, "coeur")) == ([], every)
    assert [await found(api, token, f"strasse{n}") for n in every] == [[n] for n in every]
    assert await found(api, agent, "oldword") == []
    assert await people(api, agent, "ismail") == 1
    # Each document can be taken out again by its words: the index would be corrupt otherwise.
    for n in every:
        changes = {"version": 1, "title": "gone", "description": "gone", "tags": []}
        assert (await api.patch(f"/api/tickets/{n}", changes, token=agent)).status == 200
    assert await found(api, agent, "lodz") == await found(api, agent, "wifi") == await found(api, agent, "buro") == []
    assert await found(api, agent, "strasse") == every
    assert await api.desk.db.read(lambda conn: rebuilding.is_whole(conn, WORDS_VERSION))


async def rebuild(api: Api, *, steps: int | None = None) -> None:
    """Run the rebuild; with `steps`, stop it after so many transactions."""
    done = 0

    def is_stopped() -> bool:
        nonlocal done
        done += 1
        return steps is not None and done > steps

    await reindex_if_outdated(api.desk, is_stopped)


async def test_an_index_of_another_version_is_made_anew(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    token, agent = await desk_of_texts(api)
    await make_old(api)
    assert await found(api, agent, "lodz") == []
    with caplog.at_level(logging.INFO, "helpdesk"):
        await rebuild(api)
    said = [record.getMessage() for record in caplog.records if "search index" in record.getMessage()]
    for step in ("tickets, 7 of about 7", "comments, 14 of about 14"):
        assert any(step in line for line in said)
    await assert_found(api, token, agent)


@pytest.mark.parametrize("steps", range(7))
async def test_a_rebuild_that_is_killed_goes_on_where_it_was(
    api: Api, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "BATCH", 3)
    token, agent = await desk_of_texts(api)
    await make_old(api)
    await rebuild(api, steps=steps)
    assert not await api.desk.db.read(lambda conn: rebuilding.is_whole(conn, WORDS_VERSION))
    await rebuild(api)
    await assert_found(api, token, agent)


async def test_a_half_made_index_of_another_version_begins_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindexing, "BATCH", 3)
    token, agent = await desk_of_texts(api)
    await make_old(api)
    await api.desk.db.write(lambda conn: rebuilding.store(conn, State("1", "comments", (3, 7, 1), 7)))
    await rebuild(api)
    await assert_found(api, token, agent)


async def test_a_whole_index_of_this_version_is_left_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk_of_texts(api)
    await rebuild(api)

    async def write(_fn: Any) -> None:
        raise AssertionError("nothing is to be written")

    monkeypatch.setattr(api.desk.db, "write_promptly", write)
    await rebuild(api)


async def test_a_new_desk_costs_one_transaction(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = 0, api.desk.db.write_promptly

    async def counted(fn: Any) -> Any:
        nonlocal written
        written += 1
        return await write(fn)

    monkeypatch.setattr(api.desk.db, "write_promptly", counted)
    await rebuild(api)
    assert written == 1
    assert await api.desk.db.read(lambda conn: rebuilding.is_whole(conn, WORDS_VERSION))


async def test_a_rebuild_is_not_refused_though_the_writer_is_busy(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token, agent = await desk_of_texts(api)
    await make_old(api)
    with monkeypatch.context() as patch:
        patch.setattr(lanes, "WAIT_S", -1.0)  # whatever has to wait at all is refused
        with pytest.raises(Unavailable):
            await api.desk.db.write(lambda _: None)
        await rebuild(api)
    await assert_found(api, token, agent)
