"""A real server that runs out of memory: it answers 503, logs little, and goes on."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster.client import NoAnswer, login, send
from tests.process import ROOT, RunningServer, running_server

MIB = 1024 * 1024


def limit_memory(server: RunningServer, *, more_bytes: int) -> None:
    """Let it take so much more memory than it has now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    (size,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize:"))
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + more_bytes, resource.RLIM_INFINITY))


def test_out_of_memory_is_503_and_passes(tmp_path: Path) -> None:
    statuses: Counter[int] = Counter()

    def ask(url: str, token: str, number: int) -> None:
        body = {"title": "x" * 900_000} if number % 2 else {"title": "Small", "description": "x " * 9000}
        for method, path, sent in (("POST", "/api/tickets", body), ("GET", "/api/tickets?limit=100", None)):
            try:
                statuses[send(url, method, path, sent, token=token).status] += 1
            except NoAnswer:
                statuses[0] += 1

    with running_server(tmp_path / "data") as server:
        token = login(server.url)
        limit_memory(server, more_bytes=3 * MIB)
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(lambda number: ask(server.url, token, number), range(120)))
        assert server.process.poll() is None
        limit_memory(server, more_bytes=4096 * MIB)
        assert send(server.url, "GET", "/api/health").json["status"] == "ok"
        new = {"title": "After", "description": "There is memory again."}
        assert send(server.url, "POST", "/api/tickets", new, token=token).status == 201
        assert server.stop() == 0
    assert statuses[503] > 0 and set(statuses) <= {0, 200, 201, 400, 503}
    assert statuses[0] <= 5  # nearly all are answered
    logged = [line for line in server.errors.read_text().splitlines() if " method=" not in line]
    assert any("out of memory" in line for line in logged)
    assert len(logged) <= 10


def test_encoding_without_memory_raises_instead_of_crashing() -> None:
    program = """
import resource
from helpdesk.messages.encoding import encode
big = ["x" * 20_000] * 3000
(size,) = (int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize:"))
resource.setrlimit(resource.RLIMIT_AS, (size + 20 * 1024 * 1024, resource.RLIM_INFINITY))
try:
    encode(big)
except MemoryError:
    print("raised")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "raised\n")
