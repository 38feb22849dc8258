"""The real server as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUIET = ("--rate-limit", "0", "--login-limit", "0", "--bcrypt-cost", "4")
START_WITHIN_S = 20.0


class RunningServer:
    """A started server: its address, and its process."""

    def __init__(self, data_dir: Path, *options: str, environ: dict[str, str] | None = None) -> None:
        self.errors = data_dir.parent / f"{data_dir.name}.stderr"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "server.py", "--port", "0", "--data-dir", str(data_dir), *options],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=clean_environ() | (environ or {}),
            )
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline().strip()
        found = re.search(r"http://\S+", self.ready_line)
        assert found is not None, f"no ready line; standard error: {self.errors.read_text()}"
        self.url = found[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself; the exit status."""
        status = self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def running_server(data_dir: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[RunningServer]:
    """A server without limits and with cheap passwords, stopped at the end."""
    server = RunningServer(data_dir, *QUIET, *options, environ=environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def refused_start(*options: str, environ: dict[str, str] | None = None) -> str:
    """What a server that must not start says; asserts that it exits with 2 and one sentence, and nothing else."""
    done = subprocess.run(
        [sys.executable, "server.py", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_WITHIN_S,
        env=clean_environ() | (environ or {}),
        check=False,
    )
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("server.py: "), done.stderr
    return lines[0]


def clean_environ() -> dict[str, str]:
    """The environment without settings of this server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HELPDESK_")}


def wait_until(condition: object, *, within_s: float = 10.0) -> None:
    """Poll `condition` until it holds; fail after `within_s`."""
    assert callable(condition)
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
