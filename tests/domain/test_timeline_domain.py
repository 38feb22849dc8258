"""From the timeline alone a ticket's fields can be rebuilt, whatever happened to it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.db import tickets as ticket_store
from helpdesk.db import timeline as timeline_store
from helpdesk.db import users
from helpdesk.db.engine import Connection
from helpdesk.domain import clocks, comments, ticket_changes, tickets
from helpdesk.domain.access import Actor
from helpdesk.domain.timeline import rebuild
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket
from helpdesk.terms import PRIORITIES, STATUSES
from tests.databases import Databases

words = st.text("ab 漢é", min_size=1, max_size=12).filter(str.strip)
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": words,
        "description": words,
        "status": st.sampled_from(STATUSES),
        "priority": st.sampled_from(PRIORITIES),
        "tags": st.lists(st.sampled_from(["a", "b", "ç"]), max_size=3, unique=True).map(sorted),
        "assignee_id": st.sampled_from([None, 1, 2]),
        "sla_minutes": st.integers(1, 400),
    },
)
comment = st.tuples(st.sampled_from(["agent", "user"]), words, st.booleans())
events = st.lists(st.tuples(st.integers(0, 200), changes | comment), max_size=12)


def people(conn: Connection) -> dict[str, Actor]:
    made = {}
    for name, role in (("admin", "admin"), ("agent", "agent"), ("user", "user")):
        user_id = users.insert(
            conn,
            username=name,
            name=None,
            email=None,
            role=role,
            password_hash="",
            created_at=0,  # type: ignore[arg-type]
        )
        assert user_id is not None
        made[name] = Actor(user_id, name, None, role)  # type: ignore[arg-type]
    return made


@given(words, events)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_ticket_rebuilt_from_its_entries_is_its_row(
    databases: Databases, title: str, history: list[tuple[int, Any]]
) -> None:
    with databases.connection(databases.new_url()) as conn:
        check(conn, title, history)


def check(conn: Connection, title: str, history: list[tuple[int, Any]]) -> None:
    who = people(conn)
    now = 1_000_000
    made = tickets.create(conn, who["user"], NewTicket(title.strip(), "text"), now=now, may_set_sla=True)
    for minutes, event in history:
        now += minutes * 60_000
        row = ticket_store.by_id(conn, made.ticket.id)
        assert row is not None
        if isinstance(event, dict):
            ticket_changes.apply(conn, row, event, actor=who["agent"], now=now)
        elif not (event[0] == "user" and row.status == "closed"):
            new = NewComment(event[1], None, event[2] and event[0] == "agent")
            comments.add(conn, who[event[0]], row.id, new, now=now)
    clocks.sweep(conn, now=now)
    row = ticket_store.by_id(conn, made.ticket.id)
    assert row is not None
    entries = timeline_store.page(conn, row.id, internal=True, action=None, limit=1000, offset=0)
    rebuilt = rebuild([(e.action, msgspec.json.decode(e.data)) for e in entries])
    assert rebuilt == {
        "title": row.title,
        "description": row.description,
        "status": row.status,
        "priority": row.priority,
        "tags": row.tag_list,
        "assignee_id": row.assignee_id,
        "sla_minutes": row.sla_minutes,
        "version": row.version,
        "breached": bool(row.breached),
        "comment_count": row.comment_count,
    }
    kind = (row.status, row.priority, bool(row.breached), row.assignee_id or 0)
    columns = "status, priority, breached, assignee"
    counted = conn.exec_driver_sql(
        f"SELECT {columns}, sum(tickets) FROM ticket_counts GROUP BY {columns} HAVING sum(tickets) <> 0"
    ).all()
    assert [tuple(counts) for counts in counted] == [(*kind, 1)]
    assert [e.id for e in entries] == sorted({e.id for e in entries})
    assert sum(e.action == "sla_breached" for e in entries) == int(row.breached)
