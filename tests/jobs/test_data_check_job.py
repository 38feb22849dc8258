"""The data check: what never changes is sealed, and a change of it is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helpdesk.db import digests
from helpdesk.db.engine import Connection
from helpdesk.jobs import data_check
from helpdesk.jobs.data_check import DataCheck
from tests.conftest import Api

pytestmark = [pytest.mark.gen_test, pytest.mark.sqlite]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk1.db"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_check, "STEP_S", 0)


def check_of(api: Api) -> DataCheck:
    return DataCheck(api.desk.db, api.desk.problems)


def change(path: Path, statement: str) -> None:
    """In the place of a flipped bit."""
    with closing(sqlite3.connect(path)) as raw, raw:
        assert raw.execute(statement).rowcount == 1


async def comment(api: Api, count: int) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token)
    for n in range(count):
        await api.post(f"/api/tickets/{ticket['id']}/comments", {"body": f"Comment {n}"}, token=token)


async def ranges(api: Api, table: str) -> list[tuple[int, int, int]]:
    def read(conn: Connection) -> list[tuple[int, int, int]]:
        statement = f"SELECT first_id, last_id, row_count FROM digests WHERE table_name = '{table}' ORDER BY 1"
        return [tuple(row) for row in conn.exec_driver_sql(statement)]  # type: ignore[misc]

    return await api.desk.db.read(read)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE comments SET body = 'Comment !' WHERE id = 2", "comments 1 to 3"),
        ("UPDATE comments SET body = CAST(x'ff41' AS TEXT) WHERE id = 1", "comments 1 to 3"),
        ("UPDATE comments SET internal = 1 WHERE id = 3", "comments 1 to 3"),
        ("DELETE FROM comments WHERE id = 2", "comments 1 to 3"),
        ("UPDATE timeline SET data = replace(data, 'Printer', 'Qrinter') WHERE id = 1", "timeline entries 1 to 4"),
        ("UPDATE timeline SET created_at = created_at + 1 WHERE id = 4", "timeline entries 1 to 4"),
    ],
)
async def test_a_change_of_what_never_changes_is_found(api: Api, path: Path, statement: str, says: str) -> None:
    await comment(api, 3)
    check = check_of(api)
    await check.check()
    await check.check()
    assert api.desk.problems.current() == []
    change(path, statement)
    await check.check()
    ((part, message),) = api.desk.problems.current()
    assert part == "stored data" and says in message
    health = await api.get("/api/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    await check.check()
    assert len(api.desk.problems.current()) == 1


async def test_a_short_range_grows_and_a_full_one_stays(api: Api, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "RANGE_ROWS", 4)
    monkeypatch.setattr(digests._read, "__kwdefaults__", {"limit": 4})
    check = check_of(api)
    for count, expected in ((3, [(1, 3, 3)]), (2, [(1, 4, 4), (5, 5, 1)]), (4, [(1, 4, 4), (5, 8, 4), (9, 9, 1)])):
        await comment(api, count)
        await check.check()
        assert await ranges(api, "comments") == expected
    change(path, "UPDATE comments SET body = 'x' WHERE id = 6")
    await check.check()
    assert "comments 5 to 8" in api.desk.problems.current()[0][1]


async def test_a_damaged_short_range_is_not_sealed_again_as_it_is(api: Api, path: Path) -> None:
    await comment(api, 2)
    check = check_of(api)
    await check.check()
    change(path, "UPDATE comments SET body = 'x' WHERE id = 1")
    await comment(api, 2)
    await check.check()
    await check.check()
    assert await ranges(api, "comments") == [(1, 2, 2), (3, 4, 2)]
    assert "comments 1 to 2" in api.desk.problems.current()[0][1]
    change(path, "UPDATE comments SET body = 'Comment 0' WHERE id = 1")
    await check.check()
    assert api.desk.problems.current() == []


async def test_an_idle_desk_is_not_written_to(api: Api) -> None:
    await comment(api, 2)
    check = check_of(api)
    await check.check()
    changes = await api.desk.db.write(lambda conn: conn.exec_driver_sql("SELECT total_changes()").scalar())
    await check.check()
    assert await api.desk.db.write(lambda conn: conn.exec_driver_sql("SELECT total_changes()").scalar()) == changes
