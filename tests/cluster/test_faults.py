"""Things break under load: after each, what was acknowledged is stored, once, and nothing else went wrong.

Acknowledged ⊆ stored ⊆ attempted; each key at most once; versions without gaps; one breach a ticket.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.client import Intent, Stream, login, send
from tests.cluster.conftest import Cluster
from tests.process import RunningServer, refused_start, wait_until

CLIENTS = 6
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
REQUESTS_MIN = 100  # fewer than these during a fault would prove nothing


class Client(threading.Thread):
    """Creates tickets, comments on them and changes them, on any process, until it is told to stop."""

    def __init__(self, cluster: Cluster, token: str, name: str) -> None:
        super().__init__(name=name)
        self.intents: list[Intent] = []
        self._cluster, self._token = cluster, token
        self._random = random.Random(name)
        self._enough = threading.Event()
        self.failed: BaseException | None = None

    def run(self) -> None:
        number = 0
        try:
            while not self._enough.is_set():
                number += 1
                self._work(number)
        except BaseException as error:
            self.failed = error
            raise

    def leave(self) -> None:
        """End after what is in hand."""
        self._enough.set()

    def stop(self) -> None:
        """Finish what is in hand, and end."""
        self.leave()
        self.join()
        assert self.failed is None

    def _work(self, number: int) -> None:
        title = f"{self.name} {number}"
        made = self._do("POST", "/api/tickets", {"title": title, "description": "Fault."}).json
        path = f"/api/tickets/{made['id']}"
        self._do("POST", f"{path}/comments", {"body": f"{title} comments"})
        changed = self._do("PATCH", path, {"version": 1, "priority": "high"})
        assert changed.status == 200 and changed.json["version"] == 2, changed.body

    def _do(self, method: str, path: str, body: dict[str, object]) -> object:
        """Send it until it is settled, each time to any of the processes, as a balancer would."""
        intent = Intent(method, path, body)
        self.intents.append(intent)
        end = time.monotonic() + 60
        while not intent.attempt(self._random.choice(self._cluster.processes).url, self._token, timeout_s=25):
            assert time.monotonic() < end, f"no answer to {method} {path}"
            time.sleep(0.02)
        return intent.answer


class Load:
    """Clients at work around a fault."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.token = login(cluster.processes[0].url)
        self.stream = Stream(cluster.processes[0].url, self.token)
        self.before = int(cluster.sql("SELECT max(id) FROM timeline")[0])
        self.clients = [Client(cluster, self.token, f"client{n}") for n in range(CLIENTS)]
        for client in self.clients:
            client.start()
        wait_until(lambda: self.done > 30)

    @property
    def done(self) -> int:
        """How many requests were answered so far."""
        return sum(intent.answer is not None for client in self.clients for intent in client.intents)

    def go_on(self, count: int = 60) -> None:
        """Wait until so many more requests were answered."""
        target = self.done + count
        wait_until(lambda: self.done >= target, within_s=40)

    def finish(self, *, stream_lived: bool = True) -> None:
        """Stop the clients and check that every promise was kept."""
        for client in self.clients:
            client.stop()
        intents = [intent for client in self.clients for intent in client.intents]
        assert len(intents) > REQUESTS_MIN
        self._check_stored(intents)
        self._check_replays(intents)
        assert "unhandled exception" not in self.cluster.errors()
        if stream_lived:
            self._check_stream()

    def _check_stored(self, intents: list[Intent]) -> None:
        sql = self.cluster.sql
        wanted = sorted(intent.body["title"] for intent in intents if intent.path == "/api/tickets")
        assert sorted(sql("SELECT title FROM tickets WHERE description = 'Fault.'")) == wanted
        wanted = sorted(intent.body["body"] for intent in intents if intent.path.endswith("/comments"))
        assert sorted(sql("SELECT body FROM comments WHERE body LIKE 'client%'")) == wanted
        gaps = (
            "SELECT t.id FROM tickets t WHERE version <> 1 + "
            "(SELECT count(*) FROM timeline e WHERE e.ticket_id = t.id AND e.action = 'updated')"
            " OR comment_count <> (SELECT count(*) FROM comments c WHERE c.ticket_id = t.id)"
            " OR 1 <> (SELECT count(*) FROM timeline e WHERE e.ticket_id = t.id AND e.action = 'created')"
            " OR 1 < (SELECT count(*) FROM timeline e WHERE e.ticket_id = t.id AND e.action = 'sla_breached')"
            " OR 1 + comment_count <> (SELECT count(*) FROM search s WHERE s.ticket_id = t.id)"
        )
        assert sql(gaps) == []
        kinds = "status, priority, breached, coalesce(assignee_id, 0)"
        counted = "SELECT status, priority, breached, assignee, sum(tickets) FROM ticket_counts GROUP BY 1, 2, 3, 4"
        truth = f"SELECT {kinds}, count(*) FROM tickets GROUP BY 1, 2, 3, 4"
        assert sql(f"{truth} EXCEPT {counted}") == []

    def _check_replays(self, intents: list[Intent]) -> None:
        """The same key again gives the same answer, and does nothing."""
        entries = self.cluster.sql("SELECT count(*) FROM timeline")
        for intent in random.Random(1).sample(intents, 60):
            first = intent.answer
            again = Intent(intent.method, intent.path, intent.body, intent.key)
            answer = again.insist(random.choice(self.cluster.processes).url, self.token)
            assert first is not None and (answer.status, answer.body) == (first.status, first.body)
        assert self.cluster.sql("SELECT count(*) FROM timeline") == entries

    def _check_stream(self) -> None:
        """The reader on the first process missed nothing, or was cut off and resumes where it was."""
        stored = [
            int(line) for line in self.cluster.sql(f"SELECT id FROM timeline WHERE id > {self.before} ORDER BY id")
        ]
        seen = list(self.stream.ids)
        if self.stream.has_ended:
            last = seen[-1] if seen else self.before
            resumed = Stream(self.cluster.processes[0].url, self.token, since=last)
            wait_until(lambda: len(seen) + len(resumed.ids) >= len(stored), within_s=10)
            seen += resumed.ids
        wait_until(lambda: len(self.stream.ids) >= len(stored) or self.stream.has_ended, within_s=10)
        seen = seen if self.stream.has_ended else list(self.stream.ids)
        assert seen == stored


@pytest.fixture
def load(cluster: Cluster) -> Iterator[Load]:
    cluster.start(4)
    made = Load(cluster)
    yield made
    for client in made.clients:
        client.leave()


def test_connections_that_are_cut_at_random(load: Load) -> None:
    for _ in range(25):
        load.cluster.sql(f"{CUT} AND random() < 0.4")
        time.sleep(0.06)
    load.go_on()
    load.finish()


def test_a_database_that_is_started_anew(load: Load) -> None:
    for _ in range(2):
        load.cluster.postgres.restart()
        load.go_on()
    load.finish()


def test_while_the_database_is_away_everybody_hears_503(load: Load) -> None:
    load.cluster.postgres.signal(signal.SIGQUIT)
    process = load.cluster.processes[1]
    for method, path, body in (
        ("GET", "/api/tickets/1", None),
        ("GET", "/api/tickets?q=vpn", None),
        ("POST", "/api/tickets", {"title": "Away", "description": "Nothing is written."}),
    ):
        answer = send(process.url, method, path, body, token=load.token)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE") and answer.headers["retry-after"]
        assert b"postgres" not in answer.body.lower() and b"127.0.0.1" not in answer.body
    health = send(process.url, "GET", "/api/health")
    assert (health.status, health.json["status"]) == (503, "unavailable")
    load.cluster.postgres.start()
    load.go_on()
    assert send(process.url, "GET", "/api/health").status == 200
    load.finish()


def test_redis_that_is_killed_and_comes_back_empty(load: Load) -> None:
    load.cluster.redis.signal(signal.SIGKILL)
    load.go_on(100)
    load.cluster.redis.start()
    load.go_on(100)
    load.finish()
    assert load.cluster.errors().count("Redis does not answer") <= 4  # once a minute for each process


def test_a_process_that_is_killed(load: Load) -> None:
    for _ in range(2):
        victim = load.cluster.processes.pop()
        victim.kill()
        load.go_on()
        load.cluster.start(1)
    load.finish()


def test_a_process_that_is_paused_and_wakes(load: Load) -> None:
    victim = load.cluster.processes[3]
    others = load.cluster.processes[:3]
    for _ in range(3):
        victim.process.send_signal(signal.SIGSTOP)
        load.cluster.processes.remove(victim)
        # What it held in the database is free at last, and the others never stop.
        load.go_on(90)
        time.sleep(1.0)
        victim.process.send_signal(signal.SIGCONT)
        load.cluster.processes.append(victim)
        load.go_on()
    assert all(send(process.url, "GET", "/api/health").status == 200 for process in (*others, victim))
    load.finish()


def test_breaches_come_once_though_the_sweeping_process_dies(cluster: Cluster) -> None:
    cluster.start(4)
    token = login(cluster.processes[0].url)
    now = int(time.time() * 1000)
    cluster.sql(
        "WITH made AS (INSERT INTO tickets (title, description, status, priority, priority_rank, tags, version,"
        " creator_id, sla_minutes, sla_deadline, breached, created_at, updated_at, comment_count,"
        " internal_count) SELECT 'Late', 'Late.', 'open', 'low', 0, '', 1, 1, 1, "
        f"{now} - 1000, false, {now} - 61000, {now}, 0, 0 FROM generate_series(1, 3000) RETURNING *)"
        " INSERT INTO clocks (ticket_id, clock, run, target_minutes, started_at, deadline, paused_ms, due_at)"
        " SELECT id, 'resolution', 1, sla_minutes, created_at, sla_deadline, 0, sla_deadline FROM made"
    )
    counted = (
        "FROM timeline WHERE action = 'sla_breached' AND ticket_id IN (SELECT id FROM tickets WHERE title = 'Late')"
    )
    wait_until(lambda: int(cluster.sql(f"SELECT count(*) {counted}")[0]) > 100)
    for _ in range(2):
        cluster.processes.pop().kill()
        cluster.sql(CUT)
    wait_until(
        lambda: cluster.sql(f"SELECT count(*), count(DISTINCT ticket_id) {counted}") == ["3000|3000"], within_s=30
    )
    stats = send(cluster.processes[0].url, "GET", "/api/tickets/stats", token=token).json
    assert stats["breached"] >= 3000


def health(server: RunningServer) -> dict[str, Any]:
    """What the server says of itself; it is well enough for 200."""
    answer = send(server.url, "GET", "/api/health")
    assert answer.status == 200
    said: dict[str, Any] = answer.json
    return said


def test_the_limit_holds_without_redis_for_each_process_and_with_it_again_for_all(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.start(2, "--rate-limit", "20/h")
    token = login(cluster.processes[0].url)

    def admitted(server: RunningServer) -> int:
        return [send(server.url, "GET", "/api/me", token=token).status for _ in range(30)].count(200)

    assert sum(admitted(server) for server in cluster.processes) == 20
    cluster.redis.signal(signal.SIGKILL)
    assert [admitted(server) for server in cluster.processes] == [20, 20]
    for server in cluster.processes:
        assert [problem["part"] for problem in health(server)["problems"]] == ["redis"]
    cluster.redis.start()
    wait_until(lambda: all(health(server)["status"] == "ok" for server in cluster.processes))
    assert sum(admitted(server) for server in cluster.processes) == 20


def test_a_release_that_adds_to_the_schema_while_the_old_one_works(load: Load) -> None:
    for change in (
        "ALTER TABLE tickets ADD COLUMN colour text",
        "ALTER TABLE timeline ADD COLUMN weight integer DEFAULT 1",
        "CREATE INDEX ON tickets (colour)",
        "UPDATE alembic_version SET version_num = '9999'",
    ):
        load.cluster.sql(change)
    load.go_on(100)
    victim = load.cluster.processes.pop()
    assert victim.stop() == 0
    load.finish()
    said = refused_start(
        "--port", "0", "--database-url", load.cluster.postgres.url(load.cluster.database), "--redis-url", "redis://x"
    )
    assert "newer release" in said
