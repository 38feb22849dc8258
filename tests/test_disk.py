"""A real server whose disk fails: it is full, limited, or cannot sync."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.client import Answer, login, send
from tests.process import QUIET, RunningServer, running_server, wait_until

KIB = 1024


class Desk:
    """A running server and an admin's token."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.token = login(server.url)
        self.numbers = 0

    @classmethod
    def on(cls, server: RunningServer, before: Desk) -> Desk:
        """The same desk after a restart: nobody needs to sign in again."""
        desk = cls.__new__(cls)
        desk.server, desk.token, desk.numbers = server, before.token, before.numbers
        return desk

    def create(self, **fields: Any) -> Answer:
        """Try to create a ticket of 20 kB."""
        self.numbers += 1
        body = {"title": f"Number {self.numbers}", "description": "x y " * 5000, **fields}
        return send(self.server.url, "POST", "/api/tickets", body, token=self.token, key=f"key{self.numbers}")

    def create_until_refused(self) -> tuple[list[int], Answer]:
        """Create until it is refused; the numbers of those created, and the refusal."""
        created = []
        for _ in range(5000):
            answer = self.create()
            if answer.status != 201:
                return created, answer
            created.append(answer.json["id"])
        raise AssertionError("nothing was refused")

    def health(self) -> tuple[int, str, list[str]]:
        """Status, word and parts with a problem."""
        answer = send(self.server.url, "GET", "/api/health")
        return answer.status, answer.json["status"], [p["part"] for p in answer.json.get("problems", [])]

    def has(self, number: int) -> bool:
        return send(self.server.url, "GET", f"/api/tickets/{number}", token=self.token).status == 200

    def limit_files_to(self, size: int) -> None:
        """Let no file of the server grow beyond `size`, as a quota does."""
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    @property
    def log(self) -> str:
        return self.server.errors.read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = RunningServer(tmp_path / "data", *QUIET)
    yield Desk(server)
    if server.process.poll() is None:
        assert server.stop() == 0


def assert_refused_without_a_change(refusal: Answer) -> None:
    assert (refusal.status, refusal.code) == (503, "UNAVAILABLE") and int(refusal.headers["retry-after"]) >= 1
    assert "nothing was changed" in refusal.json["error"]["message"]


def is_without_room(desk: Desk) -> bool:
    status, word, parts = desk.health()
    return (status, word) == (200, "degraded") and bool({"writes", "disk"} & set(parts))


def assert_goes_on_without_room(desk: Desk, created: list[int], refusal: Answer) -> None:
    """What a full disk must not stop."""
    assert_refused_without_a_change(refusal)
    assert is_without_room(desk)
    assert desk.has(created[0]) and desk.has(created[-1]) and not desk.has(created[-1] + 1)
    for _ in range(20):
        assert_refused_without_a_change(desk.create())
    assert desk.server.process.poll() is None
    assert len(re.findall(r" error a write failed \(", desk.log)) <= 2  # not once for each
    assert "status=503" in desk.log


def assert_heals(desk: Desk) -> None:
    wait_until(lambda: desk.health() == (200, "ok", []))
    desk.numbers -= 1  # the key that was refused last
    assert desk.create().status == 201


def test_a_quota_refuses_writes_until_there_is_room(desk: Desk) -> None:
    desk.limit_files_to(2048 * KIB)
    created, refusal = desk.create_until_refused()
    assert_goes_on_without_room(desk, created, refusal)
    desk.limit_files_to(resource.RLIM_INFINITY)
    assert_heals(desk)


def test_a_checkpoint_that_fails_is_logged_and_shown_and_loses_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        desk = Desk(server)
        for _ in range(120):
            desk.create()
    with running_server(tmp_path / "data") as server:
        desk = Desk.on(server, desk)
        desk.limit_files_to((tmp_path / "data/helpdesk.db").stat().st_size)  # the log, begun anew, is much shorter
        created = [desk.create().json["id"] for _ in range(25)]
        wait_until(lambda: desk.health() == (200, "degraded", ["checkpoints"]))
        assert "a checkpoint failed (SQLITE_IOERR_WRITE" in desk.log
        desk.limit_files_to(resource.RLIM_INFINITY)
        wait_until(lambda: desk.health() == (200, "ok", []))
        assert all(desk.has(number) for number in created)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, on a machine where the tests run as root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root and a machine that allows it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte on the file system of `folder`."""
    with suppress(OSError), (folder / "fill").open("ab", buffering=0) as file:
        while file.write(b"x" * 4 * KIB):
            pass


def test_a_full_disk_refuses_writes_until_there_is_room(small_disk: Path) -> None:
    with running_server(small_disk) as server:
        desk = Desk(server)
        created = [desk.create().json["id"] for _ in range(5)]
        assert desk.health() == (200, "ok", [])
        fill(small_disk)
        created_last, refusal = desk.create_until_refused()
        created += created_last
        assert_goes_on_without_room(desk, created, refusal)
        server.kill()
    with running_server(small_disk) as server:  # a start on the full disk
        desk = Desk.on(server, desk)
        assert is_without_room(desk)
        assert all(desk.has(number) for number in created)
        assert_refused_without_a_change(desk.create())
        (small_disk / "fill").unlink()
        assert_heals(desk)
        assert server.stop() == 0


def test_a_failed_sync_ends_the_server_with_1(desk: Desk) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; on Debian: apt-get install strace")
    calls = "fsync,fdatasync"
    command = [
        strace,
        "-f",
        "-p",
        str(desk.server.process.pid),
        "-e",
        f"inject={calls}:error=EIO",
        "-e",
        f"trace={calls}",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        if "attached" not in tracer.stderr.readline():
            pytest.skip("this machine forbids strace")
        refusal = desk.create()
        assert refusal.status == 503 and "same Idempotency-Key" in refusal.json["error"]["message"]
        assert desk.server.wait() == 1
        tracer.stderr.read()
    assert "critical a sync failed" in desk.log
