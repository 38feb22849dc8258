"""One to four processes on PostgreSQL and Redis behind nginx, against one on SQLite; and what a lost process costs.

    python -m bench.cluster [--seconds 4]

Everything runs on the cores of this machine, the client too, so that what is told apart is who uses them:
CPU time for one request, by party. Durable everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import load
from tests.cluster.client import NoAnswer, login, send
from tests.cluster.conftest import Cluster
from tests.process import QUIET, RunningServer
from tests.services import Postgres, RedisServer

CALLS = ("ticket", "list", "search_common", "create", "mix")
TICKETS = 2000
ROUNDS = 3
CONNECTIONS = 32


def cpu_s(pids: Iterable[int]) -> float:
    """The CPU seconds that processes have used, with those of their children that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found


class Party:
    """Something that a desk consists of, whose CPU time is told by itself."""

    def __init__(self, name: str, pids: Callable[[], list[int]]) -> None:
        self.name, self.pids = name, pids

    def cpu_s(self) -> float:
        return cpu_s(self.pids())


def fill(url: str, token: str) -> None:
    """Tickets to ask for."""
    words = ("printer", "login", "error", "account", "network", "password", "screen", "update")
    for n in range(TICKETS):
        body = {"title": f"The {words[n % 8]} {n}", "description": f"Since Monday the {words[(n + 3) % 8]} fails."}
        assert send(url, "POST", "/api/tickets", body, token=token).status == 201


def measure(name: str, url: str, parties: list[Party], seconds: int) -> dict[str, Any]:
    """All calls: requests a second, and CPU milliseconds of each party for one request."""
    environ = {"TOKEN": login(url), "TICKETS": str(TICKETS), "RARE": "zozo"}
    row: dict[str, Any] = {"name": name}
    for call in CALLS:
        before = {party.name: party.cpu_s() for party in parties}
        took = load(url, call, seconds=seconds, connections=CONNECTIONS, environ=environ)
        cpu = {party.name: round((party.cpu_s() - before[party.name]) / took.requests * 1000, 2) for party in parties}
        row[call] = {"per_second": round(took.per_second), "p99_ms": round(took.p99_ms, 1), "cpu_ms": cpu}
    return row


class OnSqlite:
    def __init__(self, folder: Path) -> None:
        self.server = RunningServer(folder / "sqlite", *QUIET)
        fill(self.server.url, login(self.server.url))

    def row(self, seconds: int) -> dict[str, Any]:
        server = Party("server", lambda: family(self.server.process.pid))
        return measure("SQLite, 1 process", self.server.url, [server], seconds)

    def stop(self) -> None:
        self.server.stop()


class OnPostgres:
    def __init__(self, folder: Path, count: int, services: tuple[Postgres, RedisServer]) -> None:
        postgres, redis = services
        self.count = count
        self.cluster = Cluster(folder, postgres, redis)
        self.cluster.start(count)
        fill(self.cluster.url, login(self.cluster.url))
        self.cluster.sql("VACUUM ANALYZE")

    def row(self, seconds: int) -> dict[str, Any]:
        def of(*services: Any) -> Callable[[], list[int]]:
            return lambda: [pid for service in services for pid in family(service.process.pid)]

        cluster = self.cluster
        parties = [
            Party("server", of(*cluster.processes)),
            Party("postgres", of(cluster.postgres)),
            Party("nginx", of(cluster.nginx)),
            Party("redis", of(cluster.redis)),
        ]
        plural = "process" if self.count == 1 else "processes"
        return measure(f"PostgreSQL, {self.count} {plural}", cluster.url, parties, seconds)

    def stop(self) -> None:
        self.cluster.remove()


def lost_process(services: tuple[Postgres, RedisServer], folder: Path) -> dict[str, Any]:
    """Four processes under load of 8 clients; one is killed. What the clients saw, and for how long."""
    cluster = Cluster(folder, *services)
    cluster.start(4)
    token = login(cluster.url)
    seen: list[tuple[float, float, int]] = []
    stop = threading.Event()

    def client(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            begun = time.monotonic()
            body = {"title": f"Lost {number} {count}", "description": "A process dies."}
            try:
                status = send(cluster.url, "POST", "/api/tickets", body, token=token, key=f"{number}-{count}").status
            except NoAnswer:
                status = 0
            seen.append((begun, time.monotonic() - begun, status))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(4)
    killed_at = time.monotonic()
    cluster.processes.pop().kill()
    time.sleep(6)
    stop.set()
    for thread in threads:
        thread.join()
    cluster.remove()
    before = [took for begun, took, _ in seen if begun < killed_at - 0.5]
    after = [took for begun, took, _ in seen if begun > killed_at + 0.5]
    around = [(took, status) for begun, took, status in seen if killed_at - 0.5 <= begun <= killed_at + 0.5]
    return {
        "statuses_around": dict(Counter(status for _, status in around)),
        "slowest_around_ms": round(max(took for took, _ in around) * 1000),
        "median_before_ms": round(median(before) * 1000, 1),
        "median_after_ms": round(median(after) * 1000, 1),
        "failed_later": sum(status != 201 for begun, _, status in seen if begun > killed_at + 0.5),
    }


def show(rows: list[dict[str, Any]]) -> None:
    print(f"\n{'':24}" + "".join(f"{call:>16}" for call in CALLS))
    for row in rows:
        print(f"{row['name']:24}" + "".join(f"{row[call]['per_second']:>14}/s" for call in CALLS))
        for party in row[CALLS[0]]["cpu_ms"]:
            print(f"    {party:20}" + "".join(f"{row[call]['cpu_ms'][party]:>13} ms" for call in CALLS), flush=True)


def middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several rounds of one desk, for each call the one with the median rate."""
    picked: dict[str, Any] = {"name": rounds[0]["name"]}
    for call in CALLS:
        picked[call] = sorted((row[call] for row in rounds), key=lambda one: one["per_second"])[len(rounds) // 2]
    return picked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    seconds = parser.parse_args().seconds
    services = (Postgres(fsync=True), RedisServer())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desks: list[OnSqlite | OnPostgres] = []
        try:
            desks.append(OnSqlite(folder))
            desks += [OnPostgres(folder / f"of{count}", count, services) for count in (1, 2, 4)]
            rounds = [[desk.row(seconds) for desk in desks] for _ in range(ROUNDS)]
            rows = [middle(list(of_desk)) for of_desk in zip(*rounds, strict=True)]
            show(rows)
            while desks:
                desks.pop().stop()
            lost = lost_process(services, folder / "lost")
            print("\na process of four is killed:", lost)
            Path("docs/cluster.json").write_text(json.dumps({"rows": rows, "lost": lost}, indent=1) + "\n")
        finally:
            for desk in desks:
                desk.stop()
            for service in services:
                service.remove()


if __name__ == "__main__":
    main()
