"""Event streams that move between processes, and who is shown what when rights change on another one."""

from __future__ import annotations

import signal

from tests.cluster.client import Stream, login, send
from tests.cluster.conftest import Cluster
from tests.process import wait_until

NEW = {"title": "Printer jams", "description": "On every second page."}


def test_a_stream_that_resumes_at_a_process_that_lags_behind_gets_nothing_twice(cluster: Cluster) -> None:
    cluster.start(3)
    writer, first, second = (process.url for process in cluster.processes)
    token = login(writer)
    cluster.redis.signal(signal.SIGKILL)  # now each process looks for entries by itself, once a second
    kept = [Stream(url, token) for url in (first, second)]  # their hubs are at work
    for n in range(8):
        made = [send(writer, "POST", "/api/tickets", NEW, token=token) for _ in range(3)]
        last = made[-1].json["timeline"][-1]["id"]
        resumed = Stream((first, second)[n % 2], token, since=last - 1)
        wait_until(lambda resumed=resumed, last=last: last in resumed.ids)
        more = send(writer, "POST", "/api/tickets", NEW, token=token).json["timeline"][-1]["id"]
        wait_until(lambda resumed=resumed, more=more: more in resumed.ids)
        assert resumed.ids == [last, more]
    cluster.redis.start()
    wait_until(lambda: all(more in stream.ids for stream in kept))
    assert all(stream.ids == sorted(set(stream.ids)) for stream in kept)


def test_a_failover_is_no_restore(cluster: Cluster) -> None:
    cluster.start(2)
    writer, other = (process.url for process in cluster.processes)
    token = login(writer)
    Stream(other, token)  # its hub is at work, and behind the writer's
    for _ in range(5):
        last = send(writer, "POST", "/api/tickets", NEW, token=token).json["timeline"][-1]["id"]
        resumed = Stream(other, token, since=last)
        ahead = Stream(other, token, since=last + 1)
        wait_until(lambda ahead=ahead: ahead.names == ["reset"])
        assert resumed.names == []


def test_an_agent_demoted_on_one_process_is_shown_nothing_more_on_another(cluster: Cluster) -> None:
    cluster.start(3)
    first, second, third = (process.url for process in cluster.processes)
    admin, agent = login(first), login(first, "agent", "agent123")
    agent_id = send(first, "GET", "/api/me", token=agent).json["id"]
    for with_redis in (True, False):
        if not with_redis:
            cluster.redis.signal(signal.SIGKILL)
        for _ in range(4):
            streams = [Stream(url, agent) for url in (second, third)]
            assert send(first, "PATCH", f"/api/users/{agent_id}", {"role": "user"}, token=admin).status == 200
            note = {"body": "secret", "internal": True}
            path = "/api/tickets/1/comments"
            notes = [send(url, "POST", path, note, token=admin) for url in (third, second, first)]
            assert {answer.status for answer in notes} == {201}
            for stream in streams:
                wait_until(lambda stream=stream: stream.has_ended, within_s=6)
                assert stream.ids == []
            assert send(first, "PATCH", f"/api/users/{agent_id}", {"role": "agent"}, token=admin).status == 200
    cluster.redis.start()


def test_who_signs_out_on_one_process_hears_nothing_more_on_another(cluster: Cluster) -> None:
    cluster.start(2)
    first, second = (process.url for process in cluster.processes)
    own = login(first, "agent", "agent123")
    stream = Stream(second, own)
    assert send(first, "POST", "/api/auth/logout", token=own).status == 204
    wait_until(lambda: stream.has_ended, within_s=5)
