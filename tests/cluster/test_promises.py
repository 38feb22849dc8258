"""What one process promises, kept by four behind nginx."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from helpdesk.db.migrations.run import HEAD
from tests.cluster.client import Answer, Intent, Stream, login, send
from tests.cluster.conftest import Cluster
from tests.process import refused_start, running_server, wait_until
from tests.services import Postgres, RedisServer

T = TypeVar("T")
NEW = {"title": "Printer jams", "description": "On every second page."}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis: RedisServer) -> Iterator[Cluster]:
    """Four servers without limits behind nginx, for all tests here that leave them as they are."""
    cluster = Cluster(tmp_path_factory.mktemp("four"), postgres, redis)
    cluster.start(4)
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def token(four: Cluster) -> str:
    return login(four.url)


def at_once(count: int, do: Callable[[int], T]) -> list[T]:
    """What `count` threads make of it that begin together."""
    gate = threading.Barrier(count)

    def wait_and_do(n: int) -> T:
        gate.wait()
        return do(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_do, range(count)))


def ticket(four: Cluster, token: str, **fields: Any) -> dict[str, Any]:
    answer = send(four.url, "POST", "/api/tickets", NEW | fields, token=token)
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


def test_a_first_start_of_four_at_once_seeds_once(four: Cluster) -> None:
    assert four.sql("SELECT count(*) FROM users WHERE username IN ('admin', 'agent', 'user')") == ["3"]
    assert four.sql("SELECT version_num FROM alembic_version") == [HEAD]


def test_the_same_key_at_once_on_all_has_one_effect(four: Cluster, token: str) -> None:
    for n in range(5):
        title = f"Once {n}"
        urls = [process.url for process in four.processes]
        answers = at_once(
            16,
            lambda i, title=title, urls=urls: send(  # type: ignore[misc]
                urls[i % 4], "POST", "/api/tickets", NEW | {"title": title}, token=token, key=title
            ),
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 15
        assert four.sql(f"SELECT count(*) FROM tickets WHERE title = '{title}'") == ["1"]


def test_a_registration_repeated_on_all_makes_one_account(four: Cluster) -> None:
    body = {"username": "Once", "password": "correct horse"}
    urls = [process.url for process in four.processes]
    answers = at_once(8, lambda i: send(urls[i % 4], "POST", "/api/auth/register", body, key="register-once"))
    assert [answer.status for answer in answers] == [201] * 8
    assert len({answer.json["user"]["id"] for answer in answers}) == 1
    for answer in answers:
        assert send(four.url, "GET", "/api/me", token=answer.json["token"]).status == 200


def test_one_name_registered_on_all_at_once_is_given_once(four: Cluster) -> None:
    body = {"username": "Rival", "password": "correct horse"}
    urls = [process.url for process in four.processes]
    answers = at_once(8, lambda i: send(urls[i % 4], "POST", "/api/auth/register", body))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


def test_forty_rivals_with_one_version_have_one_winner(four: Cluster, token: str) -> None:
    ticket_id = ticket(four, token)["id"]
    urls = [process.url for process in four.processes]
    answers = at_once(
        40,
        lambda i: send(
            urls[i % 4], "PATCH", f"/api/tickets/{ticket_id}", {"version": 1, "title": f"By {i}"}, token=token
        ),
    )
    won = [answer for answer in answers if answer.status == 200]
    lost = [answer for answer in answers if answer.status == 409]
    assert (len(won), len(lost)) == (1, 39)
    for answer in lost:
        assert answer.code == "VERSION_MISMATCH" and answer.json["changed"] == ["title"]
        assert answer.json["current"]["title"] == won[0].json["title"]
    timeline = send(four.url, "GET", f"/api/tickets/{ticket_id}/timeline", token=token).json["items"]
    assert [entry["action"] for entry in timeline] == ["created", "updated"]


def test_comments_at_once_are_all_counted_and_found(four: Cluster, token: str) -> None:
    ticket_id = ticket(four, token)["id"]
    urls = [process.url for process in four.processes]
    answers = at_once(
        24,
        lambda i: send(urls[i % 4], "POST", f"/api/tickets/{ticket_id}/comments", {"body": f"Word{i}x"}, token=token),
    )
    assert {answer.status for answer in answers} == {201}
    assert send(four.url, "GET", f"/api/tickets/{ticket_id}", token=token).json["comment_count"] == 24
    for i in range(24):
        found = send(four.url, "GET", f"/api/tickets?q=word{i}x", token=token).json["items"]
        assert [item["id"] for item in found] == [ticket_id]


def test_what_one_wrote_the_next_reads_at_once(four: Cluster, token: str) -> None:
    first, *others = four.processes
    made = send(first.url, "POST", "/api/tickets", NEW, token=token)
    path = made.headers["location"]
    for n, process in enumerate(others, start=2):
        answer = send(process.url, "GET", path, token=token)
        assert (answer.json["version"], answer.headers["etag"]) == (n - 1, made.headers["etag"])
        made = send(process.url, "PATCH", path, {"version": n - 1, "title": f"Version {n}"}, token=token)
        seen = send(first.url, "GET", path, token=token)
        assert (seen.json["title"], seen.headers["etag"]) == (f"Version {n}", made.headers["etag"])


def test_the_counts_of_tickets_are_right_after_all_that(four: Cluster, token: str) -> None:
    def work(i: int) -> None:
        for n in range(6):
            made = ticket(four, token, priority=("low", "urgent")[n % 2])
            path = f"/api/tickets/{made['id']}"
            send(four.url, "PATCH", path, {"version": 1, "status": ("pending", "closed")[i % 2]}, token=token)

    at_once(8, work)
    kinds = "status, priority, breached, coalesce(assignee_id, 0)"
    counted = "SELECT status, priority, breached, assignee, sum(tickets) FROM ticket_counts GROUP BY 1, 2, 3, 4"
    truth = f"SELECT {kinds}, count(*) FROM tickets GROUP BY 1, 2, 3, 4"
    assert four.sql(f"({counted} HAVING sum(tickets) <> 0 EXCEPT {truth}) UNION ALL ({truth} EXCEPT {counted})") == []
    stats = send(four.url, "GET", "/api/tickets/stats", token=token).json
    assert [str(stats["total"])] == four.sql("SELECT count(*) FROM tickets")


def test_a_revoked_token_is_dead_everywhere_at_once(four: Cluster) -> None:
    own = login(four.url, "agent", "agent123")
    for process in four.processes:
        assert send(process.url, "GET", "/api/me", token=own).status == 200
    stream = Stream(four.processes[1].url, own)
    assert send(four.processes[0].url, "POST", "/api/auth/logout", token=own).status == 204
    for process in four.processes:
        assert send(process.url, "GET", "/api/me", token=own).code == "INVALID_TOKEN"
    wait_until(lambda: stream.has_ended, within_s=6)


def test_the_last_admin_stays_though_two_demote_each_other(four: Cluster, token: str) -> None:
    for round_number in range(4):
        others = []
        for n in range(2):
            body = {"username": f"admin{round_number}{n}", "password": "correct horse", "role": "admin"}
            others.append(send(four.url, "POST", "/api/auth/register", body).json)
        me = send(four.url, "GET", "/api/me", token=token).json["id"]
        # Without the first admin these two are the last, and each demotes the other.
        ids = [other["user"]["id"] for other in others]
        four.sql(f"UPDATE users SET active = false WHERE role = 'admin' AND id NOT IN ({ids[0]}, {ids[1]})")
        answers = at_once(
            2,
            lambda i, ids=ids, others=others: send(  # type: ignore[misc]
                four.processes[i].url, "PATCH", f"/api/users/{ids[1 - i]}", {"role": "user"}, token=others[i]["token"]
            ),
        )
        four.sql(f"UPDATE users SET active = true WHERE id = {me}")
        assert [answer.status for answer in answers].count(200) == 1, [answer.body for answer in answers]


def test_a_stream_on_one_sees_the_writes_on_the_others_in_order_without_gap(four: Cluster, token: str) -> None:
    streams = [Stream(process.url, token) for process in four.processes] + [Stream(four.url, token)]
    before = int(four.sql("SELECT coalesce(max(id), 0) FROM timeline")[0])
    urls = [process.url for process in four.processes]

    def write(i: int) -> None:
        for _ in range(20):
            made = send(urls[i % 4], "POST", "/api/tickets", NEW, token=token)
            send(urls[(i + 1) % 4], "POST", f"{made.headers['location']}/comments", {"body": "Look."}, token=token)

    at_once(6, write)
    stored = [int(line) for line in four.sql(f"SELECT id FROM timeline WHERE id > {before} ORDER BY id")]
    assert len(stored) == 240
    for stream in streams:
        wait_until(lambda stream=stream: len(stream.ids) >= 240, within_s=10)
        assert [entry for entry in stream.ids if entry > before] == stored
    # Resumed in the middle, on another process.
    again = Stream(four.processes[2].url, token, since=stored[99])
    wait_until(lambda: len(again.ids) >= 140, within_s=10)
    assert again.ids == stored[100:]


def test_a_breach_is_put_on_record_once_though_four_look(four: Cluster, token: str) -> None:
    first = [ticket(four, token)["id"] for _ in range(30)]
    now = int(time.time() * 1000)
    four.sql(
        f"UPDATE tickets SET sla_deadline = {now} - 60000, created_at = created_at - 86500000 WHERE id >= {first[0]};"
        f"UPDATE clocks SET deadline = {now} - 60000, due_at = {now} - 60000 WHERE ticket_id >= {first[0]}"
    )
    counted = f"FROM timeline WHERE action = 'sla_breached' AND ticket_id >= {first[0]}"
    wait_until(lambda: four.sql(f"SELECT count(*) {counted}") == ["30"], within_s=5)
    time.sleep(2.5)  # every process has looked again
    assert four.sql(f"SELECT count(*), count(DISTINCT ticket_id) {counted}") == ["30|30"]
    assert "Traceback" not in four.errors()


def test_a_key_that_has_had_its_time_is_free_once(four: Cluster, token: str) -> None:
    def create() -> list[Answer]:
        urls = [process.url for process in four.processes]
        return at_once(
            12, lambda i: send(urls[i % 4], "POST", "/api/tickets", NEW | {"title": "Aged"}, token=token, key="aged")
        )

    first = create()
    four.sql("UPDATE idempotency SET created_at = created_at - 90000000 WHERE key = 'aged'")
    second = create()
    assert len({answer.body for answer in first}) == len({answer.body for answer in second}) == 1
    assert first[0].json["id"] != second[0].json["id"]
    assert four.sql("SELECT count(*) FROM tickets WHERE title = 'Aged'") == ["2"]


def test_no_server_met_what_nobody_foresaw(four: Cluster) -> None:
    for word in ("Traceback", "unhandled exception", "ERROR"):
        assert word not in four.errors()


def test_a_limit_of_sixty_admits_sixty_in_all(cluster: Cluster) -> None:
    cluster.start(4, "--rate-limit", "60/h")
    token = login(cluster.processes[0].url)
    urls = [process.url for process in cluster.processes]
    answers = at_once(100, lambda i: send(urls[i % 4], "GET", "/api/me", token=token))
    assert Counter(answer.status for answer in answers) == {200: 60, 429: 40}
    remaining = sorted(int(answer.headers["ratelimit"].split("r=")[1].split(";")[0]) for answer in answers)
    assert remaining == [0] * 40 + list(range(60))


def test_failed_logins_are_counted_together(cluster: Cluster) -> None:
    cluster.start(4, "--login-limit", "10/15min")
    wrong = {"username": "admin", "password": "wrong wrong"}
    urls = [process.url for process in cluster.processes]
    answers = at_once(20, lambda i: send(urls[i % 4], "POST", "/api/auth/login", wrong))
    assert Counter(answer.status for answer in answers) == {401: 10, 429: 10}
    right = send(cluster.url, "POST", "/api/auth/login", {"username": "admin", "password": "admin123"})
    assert (right.status, right.code) == (429, "RATE_LIMIT")


def test_without_redis_there_is_one_process(cluster: Cluster, tmp_path: Path) -> None:
    database = ("--port", "0", "--database-url", cluster.postgres.url(cluster.database))
    cluster.start(1)
    assert "--redis-url" in refused_start(*database)
    cluster.processes.pop().stop()
    with running_server(tmp_path / "alone", *database) as server:
        assert "another server uses this database" in refused_start(*database)
        assert "--redis-url" in refused_start(*database, "--redis-url", cluster.redis.url)
        assert send(server.url, "GET", "/api/health").json["database"] == "ok"
        # Its lock survives a connection that is cut.
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        held = f"FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND {here}"
        assert cluster.sql(f"SELECT pg_terminate_backend(pid) {held}") == ["t"]
        wait_until(lambda: cluster.sql(f"SELECT count(*) {held}") == ["1"], within_s=6)
        assert "another server uses this database" in refused_start(*database)


def test_four_that_start_in_production_make_one_admin_and_tell_its_password_once(cluster: Cluster) -> None:
    cluster.start(4, "--mode", "production")
    assert cluster.sql("SELECT username FROM users") == ["admin"]
    told = re.findall(r"with the password (\S+) \(shown only now", cluster.errors())
    assert len(told) == 1
    login(cluster.url, "admin", told[0])


def test_a_database_that_is_no_desk_is_refused(cluster: Cluster) -> None:
    cluster.sql("CREATE TABLE recipes (id int)")
    said = refused_start("--port", "0", "--database-url", cluster.postgres.url(cluster.database))
    assert "is not a database of this server" in said
    assert cluster.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == ["recipes"]


def test_a_newer_releases_database_is_refused(cluster: Cluster) -> None:
    cluster.start(1)
    cluster.processes.pop().stop()
    cluster.sql("UPDATE alembic_version SET version_num = '9999'")
    said = refused_start("--port", "0", "--database-url", cluster.postgres.url(cluster.database))
    assert "newer release" in said


def test_nginx_passes_on_what_the_server_says(four: Cluster, token: str) -> None:
    too_large = send(four.url, "POST", "/api/tickets", NEW | {"description": "x" * 1_100_000}, token=token)
    assert (too_large.status, too_large.code) == (413, "PAYLOAD_TOO_LARGE")
    far_too_large = send(four.url, "POST", "/api/tickets", NEW | {"description": "x" * 3_000_000}, token=token)
    assert (far_too_large.status, far_too_large.code) == (413, "PAYLOAD_TOO_LARGE")
    assert send(four.url, "GET", "/api/nowhere").code == "NOT_FOUND"
    assert json.loads(send(four.url, "GET", "/api/openapi.json").body)["openapi"] == "3.1.0"
    intent = Intent("POST", "/api/tickets", NEW | {"title": "Through nginx"})
    assert intent.insist(four.url, token).status == 201


def test_nginx_logs_the_method_of_what_it_answers_itself(four: Cluster) -> None:
    for method, headers in (
        ("POST", {"Content-Length": str(3 * 2**20)}),
        ("PATCH", {"Content-Length": str(3 * 2**20)}),
    ):
        request = urllib.request.Request(f"{four.url}/api/{method.lower()}", method=method, headers=headers)
        with pytest.raises(urllib.error.HTTPError, match="413"):
            urllib.request.urlopen(request, timeout=10)
    lines = (four.nginx.folder / "helpdesk.log").read_text().splitlines()
    for method in ("POST", "PATCH"):
        (line,) = [line for line in lines if f'path="/api/{method.lower()}"' in line]
        assert f" method={method} " in line and " status=413 " in line


def test_nginx_says_whose_address_it_is(cluster: Cluster) -> None:
    cluster.start(2, "--rate-limit", "5/h")
    answers = [send(cluster.url, "GET", "/api/tickets") for _ in range(8)]
    assert Counter(answer.status for answer in answers) == {401: 5, 429: 3}
    forged = send(cluster.url, "GET", "/api/tickets", headers={"X-Forwarded-For": "203.0.113.9"})
    assert forged.status == 429
    wait_until(lambda: cluster.errors().count("status=429 ") == 4)
    assert "203.0.113.9" not in cluster.errors()
