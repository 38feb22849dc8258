"""Starting and stopping the real server (the contract's section 7)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpdesk.config import SETTINGS
from tests.process import ROOT, RunningServer, clean_environ, refused_start, running_server


def call(url: str, body: object = None, token: str | None = None) -> dict[str, object]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as response:
        answer: dict[str, object] = json.loads(response.read())
    return answer


def test_the_ready_line_holds_address_mode_and_data(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        assert server.ready_line.startswith(
            f"HelpDesk Mini 1.0.0 listening on http://127.0.0.1:{server.port} (demo mode"
        )
        assert call(f"{server.url}/api/health")["status"] == "ok"
        session = call(f"{server.url}/api/auth/login", {"username": "ADMIN", "password": "admin123"})
        listed = call(f"{server.url}/api/tickets?limit=100", token=str(session["token"]))
        assert len(listed["items"]) >= 12  # type: ignore[arg-type]


def test_the_demo_is_seeded_once(tmp_path: Path) -> None:
    for _ in range(2):
        with running_server(tmp_path / "data"):
            pass
    with closing(sqlite3.connect(tmp_path / "data/helpdesk.db")) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (3,)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A shell whose new files all may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_may_read_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    with running_server(data):
        written = {path.name: path.stat().st_mode & 0o777 for path in data.iterdir()}
    assert {"helpdesk.db", "helpdesk.db-wal", "helpdesk.db-shm", "helpdesk.db.lock"} <= set(written)
    assert set(written.values()) == {0o600}


@pytest.mark.usefixtures("open_umask")
def test_commands_write_for_nobody_else(tmp_path: Path) -> None:
    program = "import os, sys; from helpdesk.__main__ import main; main(); print(oct(os.umask(0)))"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0o77"


def test_help_lists_every_option() -> None:
    done = subprocess.run([sys.executable, "server.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for setting in SETTINGS:
        assert setting.option in done.stdout
        assert (setting.default or "none") in done.stdout


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--token-days", "7", environ={"HELPDESK_TOKEN_DAYS": "9"}) as server:
        assert call(f"{server.url}/api/_meta")["limits"]["token_days"] == 7  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--port", "eighty"], "--port"),
        (["--no-such-option"], "--no-such-option"),
        (["--mode", "staging"], "demo, production"),
        (["--rate-limit", "60/fortnight"], "60/min"),
        (["--host", "0.0.0.0"], "--mode production"),
        (["--redis-url", "localhost:6379"], "redis://host:6379/0"),
        (["--database-url", "mysql://localhost/desk"], "postgresql+psycopg://"),
        (["--database-url", "postgresql+psycopg://localhost/"], "names a database"),
        (["--database-url", "postgresql+psycopg://ana:secret@127.0.0.1:1/desk"], "ana@127.0.0.1:1/desk"),
        (["--database-url", "sqlite://"], "sqlite:///"),
        (["--bcrypt-cost", "3"], "--bcrypt-cost"),
        (["--trusted-proxies", "everybody"], "10.0.0.0/8"),
    ],
)
def test_a_bad_option_is_refused_in_one_sentence(tmp_path: Path, options: list[str], says: str) -> None:
    data = tmp_path / "data"
    assert says in refused_start("--port", "0", "--data-dir", str(data), *options)
    assert not data.exists()


def test_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    assert "HELPDESK_PROT" in refused_start("--data-dir", str(tmp_path), environ={"HELPDESK_PROT": "1"})


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in refused_start("--port", port, "--data-dir", str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_too_few_descriptors_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", sys.executable, "server.py", "--data-dir", str(tmp_path / "new")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environ(),
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "more files can be opened" in line and "ulimit -n" in line
    assert not (tmp_path / "new").exists()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert "--data-dir" in refused_start("--port", "0", "--data-dir", str(tmp_path / "file" / "data"))


def test_a_directory_that_the_address_names_is_not_made(tmp_path: Path) -> None:
    said = refused_start("--port", "0", "--database-url", f"sqlite:///{tmp_path}/none/desk.db")
    assert "there is no directory" in said
    assert list(tmp_path.iterdir()) == []


def test_a_backup_beside_the_log_of_a_killed_server_is_refused(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "desk-copy.db"
    with running_server(data) as server:
        login = {"username": "admin", "password": "admin123"}
        token = str(call(f"{server.url}/api/auth/login", login)["token"])
        new = {"title": "x", "description": "y"}
        call(f"{server.url}/api/tickets", new, token)
        with closing(sqlite3.connect(data / "helpdesk.db")) as raw, closing(sqlite3.connect(backup)) as copy:
            raw.backup(copy)
        call(f"{server.url}/api/tickets", new, token)
        server.kill()
    shutil.copy(backup, data / "helpdesk.db")
    assert "helpdesk.db-wal does not belong" in refused_start("--port", "0", "--data-dir", str(data))
    for ending in ("-wal", "-shm"):  # as the README says
        (data / f"helpdesk.db{ending}").unlink()
    with running_server(data) as server:
        token = str(call(f"{server.url}/api/auth/login", login)["token"])
        assert call(f"{server.url}/api/tickets/stats", token=token)["total"] == 14


def test_a_killed_server_starts_again_with_all_that_was_answered(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        token = str(call(f"{server.url}/api/auth/login", {"username": "admin", "password": "admin123"})["token"])
        call(f"{server.url}/api/tickets", {"title": "x", "description": "y"}, token)
        server.kill()
    with running_server(tmp_path / "data") as server:
        assert call(f"{server.url}/api/tickets/stats", token=token)["total"] == 14


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "helpdesk.db").write_text("a shopping list, much longer than a database header would be" * 20)
    before = (tmp_path / "helpdesk.db").read_bytes()
    assert "helpdesk.db" in refused_start("--port", "0", "--data-dir", str(tmp_path))
    assert (tmp_path / "helpdesk.db").read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "helpdesk.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    assert "not a database of this server" in refused_start("--port", "0", "--data-dir", str(tmp_path))
    assert path.read_bytes() == before


def test_a_newer_releases_database_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "data"):
        pass
    with closing(sqlite3.connect(tmp_path / "data/helpdesk.db")) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.commit()
    assert "newer release" in refused_start("--port", "0", "--data-dir", str(tmp_path / "data"))


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "data"):
        assert "another server" in refused_start("--port", "0", "--data-dir", str(tmp_path / "data"))


def test_production_refuses_a_demo_password(tmp_path: Path) -> None:
    with running_server(tmp_path / "data"):
        pass
    assert "demo password" in refused_start("--port", "0", "--data-dir", str(tmp_path / "data"), "--mode", "production")


def test_the_first_admin_has_the_given_password(tmp_path: Path) -> None:
    secret = {"HELPDESK_ADMIN_PASSWORD": "a long secret"}
    with running_server(tmp_path / "data", "--mode", "production", environ=secret) as server:
        session = call(f"{server.url}/api/auth/login", {"username": "admin", "password": "a long secret"})
        assert session["user"]["role"] == "admin"  # type: ignore[index]
        assert "a long secret" not in server.errors.read_text()


def test_the_first_admin_has_a_random_password_that_is_printed_once(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--mode", "production") as server:
        notice = server.errors.read_text()
        password = notice.split(" with the password ")[1].split()[0]
        assert call(f"{server.url}/api/auth/login", {"username": "admin", "password": password})["token"]
    with running_server(tmp_path / "data", "--mode", "production") as server:
        assert server.errors.read_text().count("with the password") == 1


def test_sigterm_finishes_the_request_in_hand_and_ends_streams(tmp_path: Path) -> None:
    # A cost of 12 makes the login take long enough to be in hand.
    server = RunningServer(tmp_path / "data", "--bcrypt-cost", "12")
    session = call(f"{server.url}/api/auth/login", {"username": "admin", "password": "admin123"})
    stream = socket.create_connection(("127.0.0.1", server.port))
    stream.sendall(
        f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {session['token']}\r\n\r\n".encode()
    )
    assert b"200 OK" in stream.recv(4096)
    answers: list[dict[str, object]] = []
    login = {"username": "agent", "password": "agent123"}
    slow = threading.Thread(target=lambda: answers.append(call(f"{server.url}/api/auth/login", login)))
    slow.start()
    slow.join(0.1)
    assert server.stop() == 0
    slow.join()
    assert answers and answers[0]["token"]
    stream.settimeout(5)
    while stream.recv(4096):
        pass
    stream.close()


def test_the_environment_alone_configures_it(tmp_path: Path) -> None:
    environ = clean_environ() | {
        "HELPDESK_PORT": "0",
        "HELPDESK_DATA_DIR": str(tmp_path / "d"),
        "HELPDESK_MODE": "demo",
    }
    environ["HELPDESK_BCRYPT_COST"] = "4"
    process = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
    )
    assert process.stdout is not None
    with process.stdout:
        assert "listening on" in process.stdout.readline()
        process.terminate()
    assert process.wait(10) == 0
