"""Processes that are told to end, at any moment."""

from __future__ import annotations

import json
import socket
import time

from tests.cluster.client import login
from tests.cluster.conftest import Cluster
from tests.process import RunningServer

NEW = json.dumps({"title": "Printer jams", "description": "On every second page."})
REQUEST = (
    "POST /api/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
)


def end_at_first_commit(process: RunningServer, token: str, after_s: float) -> None:
    """Make a ticket, and tell the process to end just after the first bytes of its answer are there."""
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(REQUEST.format(token=token, length=len(NEW), body=NEW).encode())
        assert connection.recv(12) == b"HTTP/1.1 201"
        time.sleep(after_s)
        process.process.terminate()


def test_a_process_that_is_told_to_end_at_its_first_commit_ends(cluster: Cluster) -> None:
    cluster.start(1)
    token = login(cluster.processes[0].url)
    for after_ms in (0, 1, 2, 3, 4):
        cluster.start(3)  # cold: nothing was sent to Redis yet
        cold = [cluster.processes.pop() for _ in range(3)]
        for process in cold:
            end_at_first_commit(process, token, after_ms / 1000)
        assert [process.wait() for process in cold] == [0, 0, 0]
