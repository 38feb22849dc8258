"""Start what is measured on one core, and wrk on another."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from bench.load import PASSWORD

ROOT = Path(__file__).resolve().parents[1]
SERVER_CPU, CLIENT_CPU = "0", "1"
SCRIPT = ROOT / "bench" / "calls.lua"


class Measured(NamedTuple):
    """`per_second` requests; milliseconds at the median and the 99th percentile; CPU µs of the server each."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Process:
    """A server pinned to its core."""

    def __init__(self, *command: str) -> None:
        pin = ["taskset", "-c", SERVER_CPU] if shutil.which("taskset") else []
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [*pin, sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.start_s = time.perf_counter() - started

    def cpu_s(self) -> float:
        """The CPU seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Its resident memory."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Desk(Process):
    """The help desk on a loaded database."""

    def __init__(self, data_dir: Path) -> None:
        options = ["--port", "0", "--rate-limit", "0", "--login-limit", "0", "--bcrypt-cost", "4"]
        super().__init__("server.py", "--data-dir", str(data_dir), *options)
        found = re.search(r"http://\S+", self.first_line)
        assert found is not None, "the server did not start"
        self.url = found[0]
        self.token = self.post("/api/auth/login", {"username": "agent0", "password": PASSWORD})["token"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read())

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as response:
            body: bytes = response.read()
        return body

    def tickets(self) -> int:
        """How many tickets there are."""
        return int(json.loads(self.get("/api/tickets/stats"))["total"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Load(NamedTuple):
    """What came of putting a call under load."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


def load(url: str, call: str, *, seconds: float, connections: int, environ: dict[str, str], cpu: str = "") -> Load:
    """Put one call under load, on that core of the machine or on any; wrk needs a tenth of what a server does."""
    pin = ["taskset", "-c", cpu] if cpu and shutil.which("taskset") else []
    done = subprocess.run(
        [*pin, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), url],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environ | {"CALL": call, "RUN": str(time.time_ns())},
    )
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    requests, duration_us, p50_us, p99_us, failed = (int(group) for group in found.groups())
    assert requests and not failed, done.stdout
    return Load(requests, requests / duration_us * 1e6, p50_us / 1000, p99_us / 1000)


def wrk(server: Process, url: str, call: str, *, seconds: float, connections: int, environ: dict[str, str]) -> Measured:
    """Put one call of a server under load, the client on a core of its own."""
    before = server.cpu_s()
    took = load(url, call, seconds=seconds, connections=connections, environ=environ, cpu=CLIENT_CPU)
    cpu_us = (server.cpu_s() - before) / took.requests * 1e6
    return Measured(took.per_second, took.p50_ms, took.p99_ms, cpu_us)
