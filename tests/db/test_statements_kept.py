"""What is kept of statements is bounded, whatever filters clients combine."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

from helpdesk.db import ticket_lists
from helpdesk.db.engine import COMPILED_MAX
from helpdesk.db.ticket_lists import Filter, Order
from tests.databases import Databases

FILTERS: dict[str, Any] = {
    "status": ("open",),
    "priority": ("high",),
    "creator_id": 1,
    "assignee_id": 1,
    "tag": "vpn",
    "breached": True,
    "owner_id": 1,
}


def test_each_combination_of_filters_adds_a_statement_only_up_to_a_limit(databases: Databases) -> None:
    engine = databases.engine(databases.new_url())
    shapes = [names for n in range(len(FILTERS) + 1) for names in combinations(FILTERS, n)]
    orders = [Order(column, descending) for column in ("created_at", "priority") for descending in (True, False)]
    assert len(shapes) * len(orders) > 2 * COMPILED_MAX
    with engine.connect() as conn:
        for names, order in product(shapes, orders):
            where = Filter(**{name: FILTERS[name] for name in names})
            ticket_lists.page(conn, where, order, now=0, limit=20, offset=0)
    assert COMPILED_MAX <= len(engine._compiled_cache or ()) <= 1.5 * COMPILED_MAX + 1
    assert ticket_lists.statement.cache_info().currsize <= COMPILED_MAX
    engine.dispose()
