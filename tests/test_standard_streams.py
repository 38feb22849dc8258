"""Starting and stopping the real server with standard streams that are closed, full, or left by their reader."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.process import QUIET, ROOT, clean_environ
from tests.services import free_port


def command(redirections: str, *options: str) -> subprocess.Popen[str]:
    """The server, started by a shell that redirects its streams; the others are pipes."""
    return subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    )


def wait_until_it_answers(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.mark.parametrize(
    "redirections", ["<&-", ">&-", "2>&-", ">/dev/full", "2>/dev/full", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"]
)
def test_streams_that_cannot_be_written_stop_neither_start_nor_end(tmp_path: Path, redirections: str) -> None:
    port = free_port()
    data = tmp_path / "data"
    process = command(redirections, "server.py", "--port", str(port), "--data-dir", str(data), *QUIET)
    wait_until_it_answers(port)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors
    # No line of a log went into the file that got the number of a closed stream.
    for file in data.iterdir():
        assert b"method=GET" not in file.read_bytes()


def test_readers_that_are_gone_stop_neither_start_nor_end(tmp_path: Path) -> None:
    port = free_port()
    process = command("", "server.py", "--port", str(port), "--data-dir", str(tmp_path / "data"), *QUIET)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    wait_until_it_answers(port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", "<&- >&- 2>&-", ">/dev/full"])
def test_a_refused_start_is_status_2_whoever_hears_of_it(redirections: str) -> None:
    process = command(redirections, "server.py", "--port", "eighty")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "Traceback" not in errors


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full"])
def test_an_admin_whose_password_nobody_would_see_is_not_made(tmp_path: Path, redirections: str) -> None:
    options = ("--mode", "production", "--port", "0", "--data-dir", str(tmp_path / "data"), *QUIET)
    process = command(redirections, "server.py", *options)
    process.communicate(timeout=20)
    assert process.returncode == 2
    again = command("", "server.py", *options)
    assert again.stdout is not None and "listening" in again.stdout.readline()
    again.send_signal(signal.SIGTERM)
    _, errors = again.communicate(timeout=20)
    assert errors.count("with the password") == 1


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", ">/dev/full"])
def test_a_refused_copy_is_status_2_whoever_hears_of_it(tmp_path: Path, redirections: str) -> None:
    url = f"sqlite:///{tmp_path}/gone.db"
    process = command(redirections, "-m", "helpdesk", "copy", "--from", url, "--to", f"sqlite:///{tmp_path}/new.db")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "Traceback" not in errors


def test_a_path_that_is_no_text_can_be_shown(tmp_path: Path) -> None:
    # In a directory whose name is Latin-1, as an old archive may have it.
    script = f'exec "$@" --data-dir "$(printf "{tmp_path}/b\\374ro")"'
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", sys.executable, "server.py", "--port", "0", *QUIET],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert "listening" in line and "/b" in line and "ro/)" in line
    assert process.returncode == 0


def test_a_log_that_nobody_reads_stops_nothing_and_says_what_is_missing(tmp_path: Path) -> None:
    port = free_port()
    process = command("", "server.py", "--port", str(port), "--data-dir", str(tmp_path / "data"), *QUIET)
    errors_fd = process.stderr
    assert errors_fd is not None
    try:
        wait_until_it_answers(port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for _ in range(60):  # more than a pipe holds
            connection.request("GET", "/api/" + "n" * 2000)
            connection.getresponse().read()
        os.set_blocking(errors_fd.fileno(), False)
        assert len(os.read(errors_fd.fileno(), 2**20)) > 30_000
        connection.request("GET", "/api/health")
        connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        os.set_blocking(errors_fd.fileno(), True)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    lines = errors.splitlines()
    assert any("lines that standard error did not take are missing" in line for line in lines)
    assert all(" method=" in line or " warning " in line or " info " in line for line in lines), "a line is cut"
