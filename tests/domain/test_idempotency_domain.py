"""A key stands for one request of one caller: it is done once, and the answer is given again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from helpdesk.clock import HOUR_MS
from helpdesk.db.engine import Connection
from helpdesk.domain import idempotency
from helpdesk.domain.idempotency import Answer, Claim, fingerprint, forget, once
from helpdesk.errors import IdempotencyKeyReused, InvalidField, NotFound
from helpdesk.messages.parsing import parse_json_object

NOW = 1_700_000_000_000
CLAIM = Claim("user:1", "key", fingerprint("POST", "/api/tickets", {"a": 1}), False, NOW, 24)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=6,
)
bodies = st.dictionaries(st.text("abc", max_size=2), values, max_size=4)


class Work:
    """Counts how often it is done; its answer says which time it was."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, _conn: Connection) -> Answer:
        self.done += 1
        return Answer(201, b"answer %d" % self.done, {"Location": f"/{self.done}"})


def kept(conn: Connection) -> int:
    return int(conn.exec_driver_sql("SELECT count(*) FROM idempotency").scalar_one())


def test_the_second_time_the_first_answer_is_given(conn: Connection) -> None:
    work = Work()
    first = once(conn, CLAIM, work)
    again = once(conn, replace(CLAIM, now=NOW + 1), work)
    assert (work.done, again) == (1, replace(first, replayed=True))


@pytest.mark.parametrize("other", [{"scope": "user:2"}, {"key": "KEY"}, {"key": "key "}])
def test_another_callers_key_and_another_key_stand_for_themselves(conn: Connection, other: dict[str, str]) -> None:
    work = Work()
    once(conn, CLAIM, work)
    assert not once(conn, replace(CLAIM, **other), work).replayed
    assert work.done == 2


def test_another_request_with_the_key_is_refused(conn: Connection) -> None:
    work = Work()
    once(conn, CLAIM, work)
    with pytest.raises(IdempotencyKeyReused) as refusal:
        once(conn, replace(CLAIM, fingerprint=fingerprint("POST", "/api/tickets", {"a": 2})), work)
    assert (work.done, refusal.value.field) == (1, "Idempotency-Key")


def test_work_that_fails_keeps_nothing(conn: Connection) -> None:
    def fails(_conn: Connection) -> Answer:
        raise InvalidField("no", "title")

    with pytest.raises(InvalidField):
        once(conn, CLAIM, fails)
    conn.rollback()  # as every caller does
    assert kept(conn) == 0


def test_without_a_key_it_is_done_every_time(conn: Connection) -> None:
    work = Work()
    for _ in range(2):
        assert not once(conn, None, work).replayed
    assert (work.done, kept(conn)) == (2, 0)


@pytest.mark.parametrize(("age_ms", "times"), [(24 * HOUR_MS - 1, 1), (24 * HOUR_MS, 2)])
def test_a_key_past_its_time_is_free_again_even_if_not_forgotten_yet(conn: Connection, age_ms: int, times: int) -> None:
    work = Work()
    once(conn, CLAIM, work)
    later = replace(CLAIM, now=NOW + age_ms, fingerprint=CLAIM.fingerprint)
    assert once(conn, later, work).replayed == (times == 1)
    assert (work.done, kept(conn)) == (times, 1)


def test_an_agents_answer_is_not_for_whom_is_no_agent_any_more(conn: Connection) -> None:
    once(conn, replace(CLAIM, by_staff=True), Work())
    assert once(conn, replace(CLAIM, by_staff=True), Work()).replayed
    with pytest.raises(NotFound):
        once(conn, CLAIM, Work())


def test_what_is_kept_may_be_less_than_what_is_answered(conn: Connection) -> None:
    def without_body(answer: Answer) -> Answer:
        return replace(answer, body=b"")

    def fresh(_conn: Connection, stored: Answer) -> Answer:
        assert stored.body == b""
        return replace(stored, body=b"fresh")

    assert once(conn, CLAIM, Work(), fresh, without_body).body == b"answer 1"
    again = once(conn, CLAIM, Work(), fresh, without_body)
    assert (again.status, again.body, again.replayed) == (201, b"fresh", True)
    assert b"answer" not in msgspec.json.encode(
        [list(row) for row in conn.exec_driver_sql("SELECT body FROM idempotency")]
    )


def test_forgetting_goes_in_steps_and_leaves_what_is_in_time(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "FORGET_STEP", 4)
    for n in range(12):
        once(conn, replace(CLAIM, key=f"key {n}", now=NOW + n), Work())
    later = NOW + 24 * HOUR_MS + 8  # keys 0 to 8 have had their time
    assert [forget(conn, now=later, keep_hours=24) for _ in range(4)] == [4, 4, 1, 0]
    assert kept(conn) == 3


@given(bodies, bodies)
def test_two_bodies_are_one_request_exactly_when_their_json_is_equal(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    def canonical(body: dict[str, Any]) -> str:
        return json.dumps(body, sort_keys=True)  # unlike ==, it tells True from 1

    is_same = fingerprint("POST", "/", left) == fingerprint("POST", "/", right)
    assert is_same == (canonical(left) == canonical(right))


@given(bodies)
def test_the_order_of_the_fields_and_blanks_between_do_not_matter(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    spaced = parse_json_object(json.dumps(turned, indent=3).encode())
    assert fingerprint("PATCH", "/api/me", spaced) == fingerprint("PATCH", "/api/me", body)


@given(bodies)
def test_method_path_and_all_but_secrets_tell_requests_apart(others: dict[str, Any]) -> None:
    body = others | {"a": "secret"}
    mark = fingerprint("POST", "/x", body)
    assert mark not in (fingerprint("PATCH", "/x", body), fingerprint("POST", "/x/", body))
    changed = others | {"a": "another"}
    assert fingerprint("POST", "/x", changed) != mark
    secrets = ("a",)
    assert fingerprint("POST", "/x", changed, secrets=secrets) == fingerprint("POST", "/x", body, secrets=secrets)
