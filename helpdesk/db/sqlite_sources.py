"""The ways to come by tickets on SQLite, and what their facts must fulfil. Which way is taken: sqlite_lists.py.

The statements are text: INDEXED BY and CROSS JOIN pin what a plan relies on. Every value is bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from helpdesk.db import ticket_facts
from helpdesk.db.engine import Connection
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.db.ticket_lists import Filter, Order
from helpdesk.terms import PRIORITIES, Status

# µs a row, measured at a million tickets: an index entry with its facts, facts alone, an index entry alone.
WALKED, SCANNED, SKIPPED = 0.25, 0.05, 0.02
_COLUMNS = {"priority": "priority_rank"}
_OVERDUE = "FROM clocks INDEXED BY ix_clocks_due_at WHERE clock = 'resolution' AND due_at <="
_IS_BREACHED = f"(f.kind >= {ticket_facts.BREACHED} OR f.id IN (SELECT ticket_id {_OVERDUE} :now))"
_ANY_DUE = f"SELECT EXISTS (SELECT 1 {_OVERDUE} ?)"


class Source(msgspec.Struct, frozen=True):
    """Tickets `o`: where they stand, which they are, and what needs no look at their facts any more."""

    table: str
    ticket: str = "o.id"
    where: str = "1"
    covers: frozenset[str] = frozenset()
    key: str = ""  # the column that they are in order of, before their id; "" for none
    row_us: float = WALKED


EVERY = Source("", "f.id", row_us=SCANNED)  # the facts themselves


class Conditions(msgspec.Struct, frozen=True):
    """What a ticket's facts `f` must fulfil, by name, and the values that are bound."""

    parts: dict[str, str]
    values: dict[str, Any]
    any_due: bool  # a deadline has passed without an entry yet, so that `kind` alone does not tell breaches

    def with_part(self, name: str, part: str, value: Any) -> Conditions:
        """Return these and one more, whose value is bound under its name."""
        return Conditions(self.parts | {name: part}, self.values | {name: value}, self.any_due)


def conditions(conn: Connection, where: Filter, *, now: int) -> Conditions:
    """Return the conditions of `where`, but for its words. `now` decides which clocks have passed their deadline."""
    # Nearly always no deadline lies between its moment and its entry.
    any_due = where.breached is not None and bool(driver(conn).execute(_ANY_DUE, (now,)).fetchone()[0])
    flag = None if any_due else where.breached
    parts: dict[str, str] = {}
    if where.status or where.priority or flag is not None:
        parts["kind"] = "((:kinds >> f.kind) & 1)"
    if any_due:
        parts["breached"] = _IS_BREACHED if where.breached else f"NOT {_IS_BREACHED}"
    if where.owner_id is not None:
        parts["owner"] = "f.creator = :owner"
    if where.creator_id is not None:
        parts["creator"] = "f.creator = :creator"
    if where.assignee_id is not None or where.unassigned:
        parts["assignee"] = "f.assignee = :assignee"
    if where.tag is not None:
        parts["tag"] = "EXISTS (SELECT 1 FROM ticket_tags g WHERE g.ticket_id = f.id AND g.tag = :tag)"
    if where.without_id is not None:
        parts["without_id"] = "f.id <> :without_id"
    values = {
        "now": now,
        "without_id": where.without_id,
        "kinds": ticket_facts.mask(where.status, where.priority, flag),
        "owner": where.owner_id,
        "creator": where.creator_id,
        "assignee": 0 if where.unassigned else where.assignee_id,
        "tag": where.tag,
    }
    return Conditions(parts, values, any_due)


def in_order(where: Filter, order: Order, wanted: Conditions) -> list[Source]:
    """Return the ways that are in the order of the list, the narrowest first; the last is all tickets."""
    column = _COLUMNS.get(order.column, order.column)
    found: list[Source] = []
    if column == "created_at":
        found += narrow(where, wanted)
    elif column == "sla_deadline" and len(where.status) == 1:
        found.append(of_statuses(where))
    table = f"tickets o INDEXED BY ix_tickets_{column}_id"
    if column == "priority_rank" and where.priority:
        ranks = [PRIORITIES.index(priority) for priority in where.priority]
        between = f"o.priority_rank BETWEEN {min(ranks)} AND {max(ranks)}"
        covers = {"kind"} if _only(where, "priority") and max(ranks) - min(ranks) < len(set(ranks)) else {}
        found.append(Source(table, where=between, covers=frozenset(covers), key="o.priority_rank"))
    return [*found, Source(table, key=f"o.{column}")]


def narrow(where: Filter, wanted: Conditions) -> list[Source]:
    """Return the lists of one person, of one tag, and of what is breached; each is in order of creation."""
    has_assignee = "IS NULL" if where.unassigned else "= :assignee"
    lists = {
        "owner": ("tickets o INDEXED BY ix_tickets_creator", "o.id", "o.creator_id = :owner"),
        "creator": ("tickets o INDEXED BY ix_tickets_creator", "o.id", "o.creator_id = :creator"),
        "assignee": ("tickets o INDEXED BY ix_tickets_assignee", "o.id", f"o.assignee_id {has_assignee}"),
        "tag": ("ticket_tags o", "o.ticket_id", "o.tag = :tag"),
    }
    found = [
        Source(*lists[name], covers=frozenset({name}), key="o.created_at") for name in lists if name in wanted.parts
    ]
    if where.breached and not wanted.any_due:
        covers = frozenset({"kind"} if _only(where, "breached") else {})
        table = "tickets o INDEXED BY ix_tickets_breached"
        found.append(Source(table, where="o.breached = 1", covers=covers, key="o.created_at"))
    return found


def of_statuses(where: Filter, status: Status | None = None) -> Source:
    """Return the list of one status of the filter, in order of deadlines, or of all of them, without an order."""
    names = ", ".join(f"'{name}'" for name in ([status] if status else where.status))
    return Source(
        "tickets o INDEXED BY ix_tickets_status_deadline",
        where=f"o.status IN ({names})",
        covers=frozenset({"kind"} if _only(where, "status") else {}),
        key="o.sla_deadline" if status or len(where.status) == 1 else "",
    )


def _only(where: Filter, name: str) -> bool:
    """Return whether `kind` is looked at for this alone."""
    asked = {"status": bool(where.status), "priority": bool(where.priority), "breached": where.breached is not None}
    return [one for one in asked if asked[one]] == [name]


def select(source: Source, parts: Sequence[str], order: Order, *, is_bounded: bool) -> str:
    """Return the statement for the ids and keys of those tickets of `source` that fulfil `parts`, in order."""
    direction = "DESC" if order.descending else "ASC"
    tables = [source.table] if source.table else []
    if parts or not source.key:
        tables.append(f"ticket_facts f ON f.id = {source.ticket}" if source.table else "ticket_facts f")
    key, ticket = source.key, source.ticket
    if not key and order.column == "priority":
        key, ticket = ticket_facts.RANK, "f.id"
    elif not key:
        tables.append("tickets t ON t.id = f.id")
        key, ticket = f"t.{_COLUMNS.get(order.column, order.column)}", "t.id"
    bound = [f"({key}, {ticket}) {'>=' if order.descending else '<='} (:bound_key, :bound_id)"] if is_bounded else []
    return (
        f"SELECT {ticket}, {key} FROM {' CROSS JOIN '.join(tables)}"
        f" WHERE {' AND '.join([source.where, *bound, *parts])}"
        f" ORDER BY {key} {direction}, {ticket} {direction} LIMIT :limit OFFSET :offset"
    )
