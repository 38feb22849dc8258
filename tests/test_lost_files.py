"""The data file deleted, moved, replaced or made read-only under a running server."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpdesk.config import Config
from helpdesk.db.engines.open_files import OpenFiles
from helpdesk.problems import Problems
from tests.conftest import Api, Start
from tests.process import RunningServer, refused_start, running_server, wait_until
from tests.test_server import call

pytestmark = pytest.mark.sqlite
NEW = {"title": "x", "description": "y"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk1.db"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path, bcrypt_cost=4)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


@pytest.mark.gen_test
@pytest.mark.parametrize("lose", [delete, replace, move])
async def test_nothing_is_acknowledged_once_the_data_file_is_gone(
    api: Api, path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    token = await api.token("agent")
    ticket = await api.ticket(token)
    assert (await api.get(f"/api/tickets/{ticket['id']}", token=token)).status == 200  # in memory now
    lose(path)
    created = await api.post("/api/tickets", NEW, token=token)
    assert (created.status, created.code) == (503, "UNAVAILABLE")
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/api/tickets/{ticket['id']}", None),
        ("GET", "/api/tickets", None),
        ("GET", "/api/tickets?q=printer", None),
        ("GET", "/api/me", None),
        ("PATCH", f"/api/tickets/{ticket['id']}", {"version": 1, "title": "z"}),
        ("POST", "/api/auth/register", {"username": "zoe", "password": "correct horse"}),
    ]
    for method, target, body in calls:
        response = await api.request(method, target, body, token=token)
        assert (response.status, response.headers.get("Retry-After")) == (503, "30"), target
    health = await api.get("/api/health")
    assert (health.status, health.json["status"]) == (503, "unavailable")
    assert str(path) not in health.body.decode()
    (said,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert str(path) in said.getMessage()


@pytest.mark.gen_test
async def test_a_file_that_is_put_back_is_served_again(api: Api, path: Path) -> None:
    token = await api.token("agent")
    folder = path.parent
    elsewhere = folder.with_name("renamed")
    folder.rename(elsewhere)
    assert (await api.post("/api/tickets", NEW, token=token)).status == 503
    elsewhere.rename(folder)
    assert (await api.get("/api/health")).json["status"] == "ok"
    assert (await api.post("/api/tickets", NEW, token=token)).status == 201


@pytest.mark.gen_test
async def test_a_link_that_leads_elsewhere_is_another_file(start: Start, path: Path) -> None:
    api = await start()
    link, other = path.with_name("link.db"), path.with_name("other.db")
    link.symlink_to(path)
    files = OpenFiles(link, Problems(), on_lost_log=lambda: None)
    shutil.copy(path, other)
    link.unlink()
    link.symlink_to(other)
    problems = files._problems
    files.look()
    assert [part for part, _ in problems.current()] == ["data file place"]
    assert (await api.get("/api/health")).status == 200


@pytest.mark.gen_test
async def test_files_that_became_read_only_degrade_health(api: Api, path: Path) -> None:
    assert (await api.get("/api/health")).json["status"] == "ok"
    with immutable(path):
        health = await api.get("/api/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert health.json["problems"][0]["part"] == "data file access"
    assert (await api.get("/api/health")).json["status"] == "ok"


def tickets_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(conn.execute("SELECT count(*) FROM tickets").fetchone()[0])


def create(server: RunningServer, token: str) -> None:
    call(f"{server.url}/api/tickets", NEW, token)


def signed_in(server: RunningServer) -> str:
    session = call(f"{server.url}/api/auth/login", {"username": "admin", "password": "admin123"})
    return str(session["token"])


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_deleted_log_ends_the_server_and_loses_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "data" / "helpdesk.db"
    with running_server(path.parent) as server:
        token = signed_in(server)
        before = tickets_in(path)
        create(server, token)
        path.with_name(path.name + ending).unlink()
        assert server.wait() == 1
        assert "helpdesk.db" + ending in server.errors.read_text()
    assert tickets_in(path) == before + 1


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_file_that_is_cut_takes_nothing_more(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "data" / "helpdesk.db"
    with running_server(path.parent) as server:
        token = signed_in(server)
        create(server, token)
        with path.with_name(path.name + ending).open("r+b") as file:
            file.truncate(0)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            create(server, token)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            call(f"{server.url}/api/health")
        assert server.stop() == 1
    assert "was cut, or written over" in server.errors.read_text()


def test_a_backup_that_is_copied_over_the_file_of_a_running_server_stays_as_it_is(tmp_path: Path) -> None:
    path, backup = tmp_path / "data" / "helpdesk.db", tmp_path / "backup.db"
    with running_server(path.parent) as server:
        create(server, signed_in(server))
    shutil.copy(path, backup)
    with running_server(path.parent) as server:
        token = signed_in(server)
        create(server, token)
        with path.open("r+b") as file:  # as cp does it
            file.truncate(0)
            file.write(backup.read_bytes())
        with pytest.raises(urllib.error.HTTPError, match="503"):
            create(server, token)
        assert server.stop() == 1
    assert path.read_bytes() == backup.read_bytes()
    assert "helpdesk.db-wal does not belong to" in refused_start("--port", "0", "--data-dir", str(path.parent))


def test_a_log_that_began_anew_is_told_from_another_by_its_first_page(tmp_path: Path) -> None:
    path, backup = tmp_path / "data" / "helpdesk.db", tmp_path / "backup.db"
    with running_server(path.parent):
        pass
    shutil.copy(path, backup)
    with running_server(path.parent) as server:
        token = signed_in(server)
        while path.with_name(path.name + "-wal").stat().st_size < 600 * 4096:
            call(f"{server.url}/api/tickets", NEW | {"description": "x" * 19_000}, token)
        wait_until(lambda: not_copied(path) == 0)
        call(f"{server.url}/api/tickets/1/comments", {"body": "x"}, token)
        server.kill()
    shutil.copy(backup, path)
    assert "helpdesk.db-wal does not belong to" in refused_start("--port", "0", "--data-dir", str(path.parent))


def not_copied(path: Path) -> int:
    """Return how many pages of the log are not in the data file."""
    index = path.with_name(path.name + "-shm").read_bytes()
    return int.from_bytes(index[16:20], sys.byteorder) - int.from_bytes(index[96:100], sys.byteorder)


def test_a_renamed_directory_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    data, moved = tmp_path / "data", tmp_path / "moved"
    with running_server(data) as server:
        token = signed_in(server)
        create(server, token)
        expected = tickets_in(data / "helpdesk.db")
        data.rename(moved)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            create(server, token)
        with running_server(data) as other:  # a new desk in the old place
            create(other, signed_in(other))
            fresh = tickets_in(data / "helpdesk.db")
            server.stop()
            create(other, signed_in(other))
    assert tickets_in(data / "helpdesk.db") == fresh + 1
    with running_server(moved):
        pass
    assert tickets_in(moved / "helpdesk.db") == expected


def test_a_desk_whose_file_is_gone_is_no_new_one(tmp_path: Path) -> None:
    with running_server(tmp_path / "data"):
        pass
    path = tmp_path / "data" / "helpdesk.db"
    path.rename(tmp_path / "kept")
    assert "helpdesk.db is missing" in refused_start("--port", "0", "--data-dir", str(path.parent))
    path.touch()
    assert "helpdesk.db is empty" in refused_start("--port", "0", "--data-dir", str(path.parent))
    (tmp_path / "kept").replace(path)
    with running_server(tmp_path / "data"):
        pass
