"""Cost follows the page, not the table: no full scan and no sorting, shown by the plans of SQLite."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import sqlite

from helpdesk.db import clocks, reports, sqlite_sources, ticket_pages, tickets, timeline
from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.ticket_lists import Filter, Order

NEWEST = Order("created_at", descending=True)


def plan(conn: Connection, where: Filter, order: Order) -> list[str]:
    """The steps of the narrowest way that is in the order of the list."""
    wanted = sqlite_sources.conditions(conn, where, now=1)
    source = sqlite_sources.in_order(where, order, wanted)[0]
    parts = [part for name, part in wanted.parts.items() if name not in source.covers]
    sql = sqlite_sources.select(source, parts, order, is_bounded=False)
    values = wanted.values | {"limit": 21, "offset": 0}
    return [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + sql, values)]


@pytest.mark.parametrize("column", ["created_at", "updated_at", "sla_deadline", "priority"])
@pytest.mark.parametrize("descending", [True, False])
def test_every_sort_walks_an_index(conn: Connection, column: str, descending: bool) -> None:
    index = f"ix_tickets_{column.replace('priority', 'priority_rank')}_id"
    assert plan(conn, Filter(), Order(column, descending)) == [f"SCAN o USING COVERING INDEX {index}"]


@pytest.mark.parametrize("column", ["created_at", "updated_at", "sla_deadline", "priority"])
@pytest.mark.parametrize("descending", [True, False])
def test_a_filtered_walk_looks_at_facts_and_sorts_nothing(conn: Connection, column: str, descending: bool) -> None:
    steps = plan(conn, Filter(status=("open", "closed"), breached=False), Order(column, descending))
    index = f"ix_tickets_{column.replace('priority', 'priority_rank')}_id"
    facts = "SEARCH f USING INTEGER PRIMARY KEY (rowid=?)"
    assert steps == [f"SCAN o USING COVERING INDEX {index}", facts]


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (Filter(owner_id=1), "ix_tickets_creator"),
        (Filter(creator_id=1), "ix_tickets_creator"),
        (Filter(assignee_id=1), "ix_tickets_assignee"),
        (Filter(unassigned=True), "ix_tickets_assignee"),
        (Filter(breached=True), "ix_tickets_breached"),
        (Filter(tag="a"), "USING PRIMARY KEY (tag=?)"),
    ],
)
def test_every_narrow_filter_is_served_by_its_list_in_order(conn: Connection, where: Filter, index: str) -> None:
    steps = plan(conn, where, NEWEST)
    assert len(steps) == 1 and index in steps[0]


def test_a_status_by_deadline_is_the_head_of_its_list(conn: Connection) -> None:
    steps = plan(conn, Filter(status=("open",)), Order("sla_deadline"))
    assert steps == ["SEARCH o USING COVERING INDEX ix_tickets_status_deadline (status=?)"]


def test_one_ticket_is_three_searches(conn: Connection) -> None:
    for query in (tickets._BY_ID, timeline._NEWEST[True], timeline._NEWEST[False], timeline._BETWEEN):
        text = re.sub(r":\w+|\?", "1", str(query.compile(dialect=sqlite.dialect())))
        steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
        assert all(step.startswith("SEARCH") for step in steps), steps


def test_what_is_due_is_found_by_its_index(conn: Connection) -> None:
    for query in (clocks._DUE, clocks._NEXT_DUE, tickets._DUE_STATUSES):
        text = re.sub(r":\w+|\?", "1", str(query.compile(dialect=sqlite.dialect())))
        steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
        assert any("ix_clocks_due_at" in step for step in steps) and not any(
            step.startswith("SCAN t") for step in steps
        ), steps


def test_lists_and_searches_are_a_few_statements_and_counts_are_one(conn: Connection) -> None:
    statements: list[str] = []
    driver(conn).set_trace_callback(statements.append)
    ticket_pages.page(conn, Filter(), NEWEST, now=1, limit=21, offset=0)
    assert len(statements) <= 3
    statements.clear()
    ticket_pages.page(conn, Filter(words=("alpha",)), NEWEST, now=1, limit=21, offset=0)
    assert len(statements) <= 4
    driver(conn).set_trace_callback(None)
    statements.clear()
    event.listen(conn, "before_cursor_execute", lambda *a: statements.append(a[2]))
    tickets.counts(conn, me=1)
    assert len(statements) == 1 and "ticket_counts" in statements[0]
    statements.clear()
    reports.open_groups(conn, now=1)
    assert len(statements) == 1
