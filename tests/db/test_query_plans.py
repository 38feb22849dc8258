"""Cost follows the page, not the table: no full scan and no sorting, shown by the plans of SQLite."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import sqlite

from helpdesk.db import reports, search, ticket_lists, tickets, timeline
from helpdesk.db.engine import Connection
from helpdesk.db.search import fts5_pages
from helpdesk.db.sqlite_connection import driver
from helpdesk.db.ticket_lists import Filter, Order

NEWEST = Order("created_at", descending=True)
EVERYTHING: dict[str, Any] = {
    "now": 1,
    "limit": 21,
    "offset": 0,
    "owner_id": 1,
    "creator_id": 1,
    "assignee_id": 1,
    "tag": "a",
    "status": ["open"],
    "priority": ["low"],
    "ids": [1, 2],
}


def plan(conn: Connection, where: Filter, order: Order, *, any_due: bool = False) -> list[str]:
    query = ticket_lists.statement(ticket_lists.shape_of(where), order, any_due=any_due, of_ids=False)
    options = {"render_postcompile": True}
    compiled = query.params(**EVERYTHING).compile(dialect=sqlite.dialect(), compile_kwargs=options)
    text = re.sub(r"\?", "1", str(compiled))
    return [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]


@pytest.mark.parametrize("column", ["created_at", "updated_at", "sla_deadline", "priority"])
@pytest.mark.parametrize("descending", [True, False])
def test_every_sort_walks_an_index(conn: Connection, column: str, descending: bool) -> None:
    steps = plan(conn, Filter(), Order(column, descending))
    assert steps == [f"SCAN tickets USING INDEX ix_tickets_{column.replace('priority', 'priority_rank')}_id"]


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (Filter(owner_id=1), "ix_tickets_creator"),
        (Filter(creator_id=1), "ix_tickets_creator"),
        (Filter(assignee_id=1), "ix_tickets_assignee"),
        (Filter(unassigned=True), "ix_tickets_assignee"),
        (Filter(status=("open",)), "ix_tickets_status"),
        (Filter(status=("open",), unassigned=True), "ix_tickets_"),
        (Filter(breached=True), "ix_tickets_breached"),
        (Filter(tag="a"), "ticket_tags"),
    ],
)
def test_every_filter_is_served_by_its_index_in_order(conn: Connection, where: Filter, index: str) -> None:
    steps = plan(conn, where, NEWEST)
    assert index in steps[0]
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize(
    ("column", "index"), [("created_at", "ix_tickets_status"), ("sla_deadline", "ix_tickets_status_deadline")]
)
def test_several_statuses_are_the_heads_of_their_lists(conn: Connection, column: str, index: str) -> None:
    where = Filter(status=("open", "pending", "in_progress"))
    query = ticket_lists._of_each_status(ticket_lists.shape_of(where), Order(column), 3, any_due=False)
    text = re.sub(r"\?", "1", str(query.compile(dialect=sqlite.dialect())))
    steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
    assert sum(f"INDEX {index} (status=?)" in step for step in steps) == 3, steps
    heads = [step for step in steps if step.startswith("SCAN anon")]
    assert sum("TEMP B-TREE" in step for step in steps) == len(heads) == 3, steps  # of what a head holds


def test_the_look_for_a_clock_set_back_walks_along_the_times(conn: Connection) -> None:
    for query in (fts5_pages._NEWER_BELOW, fts5_pages._OLDER_ABOVE):
        text = re.sub(r"\?", "1", str(query.compile(dialect=sqlite.dialect())))
        steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
        assert any("ix_tickets_created_at_id (created_at" in step for step in steps), steps


def test_one_ticket_is_three_searches(conn: Connection) -> None:
    for query in (tickets._BY_ID, timeline._NEWEST, timeline._BETWEEN):
        text = re.sub(r":\w+|\?", "1", str(query.compile(dialect=sqlite.dialect())))
        steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
        assert all(step.startswith("SEARCH") for step in steps), steps


def test_what_is_due_is_found_by_its_index(conn: Connection) -> None:
    for query in (tickets._DUE, tickets._NEXT_DUE, tickets._DUE_STATUSES):
        text = re.sub(r":\w+|\?", "1", str(query.compile(dialect=sqlite.dialect())))
        steps = [row[3] for row in driver(conn).execute("EXPLAIN QUERY PLAN " + text)]
        assert "ix_tickets_sla_due_at" in steps[0], steps


def test_a_list_is_one_statement_and_a_search_a_few(conn: Connection) -> None:
    statements: list[str] = []
    event.listen(conn, "before_cursor_execute", lambda *a: statements.append(a[2]))
    ticket_lists.page(conn, Filter(), NEWEST, now=1, limit=21, offset=0)
    assert len(statements) == 1
    statements.clear()
    search.page(conn, Filter(words=("alpha",)), NEWEST, now=1, limit=21, offset=0)
    assert len(statements) <= 3
    statements.clear()
    tickets.counts(conn, me=1)
    assert len(statements) == 1 and "ticket_counts" in statements[0]
    statements.clear()
    reports.open_groups(conn, now=1)
    assert len(statements) == 1
