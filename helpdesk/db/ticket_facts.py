"""What lists on SQLite filter by, in one narrow row for each ticket: `ticket_facts`.

A row of `tickets` holds its texts, so that a walk over a million of them reads 450 MB; the facts are
13 MB, and one is looked up in 0.2 µs. `kind` is status, priority and breach in one number: a set of
kinds is a mask of 40 bits. Written in the transaction of the change, as the counts are.

Beside them, `misdated_tickets`: where it has no row, the order of ids is the order of creation.
"""

from __future__ import annotations

from sqlalchemy import text

from helpdesk.db.engine import Connection, is_sqlite
from helpdesk.db.engines.sqlite_connection import driver
from helpdesk.terms import PRIORITIES, STATUSES, Priority, Status

BREACHED = len(STATUSES) * len(PRIORITIES)  # kinds from here on are breached
RANK = f"(f.kind / {len(STATUSES)} % {len(PRIORITIES)})"  # the priority's, in SQL

_INSERT = "INSERT INTO ticket_facts (id, kind, assignee, creator) VALUES (?, ?, ?, ?)"
_UPDATE = "UPDATE ticket_facts SET kind = ?, assignee = ? WHERE id = ?"
_STATUS_CASES = " ".join(f"WHEN '{status}' THEN {n}" for n, status in enumerate(STATUSES))
REBUILD = (
    "DELETE FROM ticket_facts",
    "INSERT INTO ticket_facts (id, kind, assignee, creator)"
    f" SELECT id, CASE status {_STATUS_CASES} END + {len(STATUSES)} * priority_rank + {BREACHED} * breached,"
    " coalesce(assignee_id, 0), creator_id FROM tickets ORDER BY id",
    "DELETE FROM misdated_tickets",
    "INSERT INTO misdated_tickets (id, created_at) SELECT id, created_at"
    " FROM (SELECT id, created_at, max(created_at) OVER (ORDER BY id) AS newest FROM tickets)"
    " WHERE created_at < newest",
)
_NEWEST = "SELECT coalesce(max(created_at), 0) FROM tickets"  # the new one too, which changes nothing
_MISDATED = "INSERT INTO misdated_tickets (id, created_at) VALUES (?, ?)"
_CROSSED = "SELECT EXISTS (SELECT 1 FROM misdated_tickets WHERE id = :id OR (id > :id AND created_at < :at))"


def kind_of(status: Status, priority: Priority, breached: bool) -> int:
    """Return the number of this kind of ticket."""
    return STATUSES.index(status) + len(STATUSES) * PRIORITIES.index(priority) + BREACHED * breached


def of_kind(kind: int) -> tuple[Status, Priority, bool]:
    """Return the status, the priority and the breach that a kind's number stands for."""
    rest, status = divmod(kind % BREACHED, len(STATUSES))
    return STATUSES[status], PRIORITIES[rest], kind >= BREACHED


def mask(statuses: tuple[Status, ...], priorities: tuple[Priority, ...], breached: bool | None) -> int:
    """Return a number whose n-th bit tells whether kind n is asked for; () and None leave a thing open."""
    return sum(
        1 << kind_of(status, priority, flag)
        for status in set(statuses or STATUSES)
        for priority in set(priorities or PRIORITIES)
        for flag in ((False, True) if breached is None else (breached,))
    )


def insert(
    conn: Connection, ticket_id: int, kind: int, *, assignee_id: int | None, creator_id: int, created_at: int
) -> None:
    """Write the facts of a new ticket; PostgreSQL has none."""
    if not is_sqlite(conn):
        return
    raw = driver(conn)
    raw.execute(_INSERT, (ticket_id, kind, assignee_id or 0, creator_id))
    # Forgotten with a transaction that is rolled back; nobody else writes.
    newest = conn.info.get("newest_created_at")
    if newest is None:
        (newest,) = raw.execute(_NEWEST).fetchone()
    if created_at < newest:
        raw.execute(_MISDATED, (ticket_id, created_at))
    conn.info["newest_created_at"] = max(created_at, newest)


def is_misdated_across(conn: Connection, ticket_id: int, created_at: int) -> bool:
    """Return whether the order of ids and that of creation differ in what stands before this ticket (SQLite only)."""
    return bool(driver(conn).execute(_CROSSED, {"id": ticket_id, "at": created_at}).fetchone()[0])


def update(conn: Connection, ticket_id: int, kind: int, *, assignee_id: int | None) -> None:
    """Write what changed of a ticket's facts."""
    if is_sqlite(conn):
        driver(conn).execute(_UPDATE, (kind, assignee_id or 0, ticket_id))


def rebuild(conn: Connection) -> None:
    """Write the facts of all tickets anew, as after a copy."""
    if is_sqlite(conn):
        for statement in REBUILD:
            conn.execute(text(statement))
