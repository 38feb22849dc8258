"""The demo's tickets: a history that the rules themselves could have made."""

from __future__ import annotations

import json

from sqlalchemy import select

from helpdesk.clock import parse_rfc3339
from helpdesk.db.engine import Connection
from helpdesk.db.schema import clocks, tickets, timeline
from helpdesk.domain import demo
from tests.conftest import START


def test_every_breach_is_dated_at_its_deadline(conn: Connection) -> None:
    demo.seed(conn, ["hash"] * len(demo.ACCOUNTS), now=START)
    breaches = conn.execute(select(timeline).where(timeline.c.action == "sla_breached")).all()
    assert len(breaches) == len(conn.execute(select(tickets.c.id).where(tickets.c.breached)).all()) > 0
    for entry in breaches:
        assert entry.created_at == parse_rfc3339(json.loads(entry.data)["sla_deadline"])


def test_nothing_is_overdue_without_a_record(conn: Connection) -> None:
    demo.seed(conn, ["hash"] * len(demo.ACCOUNTS), now=START)
    assert conn.execute(select(clocks).where(clocks.c.due_at <= START)).all() == []


def test_entries_stand_in_the_order_of_their_moments(conn: Connection) -> None:
    demo.seed(conn, ["hash"] * len(demo.ACCOUNTS), now=START)
    moments = [row.created_at for row in conn.execute(select(timeline.c.created_at).order_by(timeline.c.id))]
    assert moments == sorted(moments)
