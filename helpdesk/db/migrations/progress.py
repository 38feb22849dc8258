"""Run a migration's large statements in steps, with a line in the log for each."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, TextClause, text

log = logging.getLogger("helpdesk")

STEP_ROWS = 100_000  # about a second


def in_steps(conn: Connection, table: str, statement: TextClause) -> None:
    """Run `statement` for each range of the table's ids, bound as `after` (exclusive) and `until`.

    After each the log says how far it is. All steps are part of the migration's one transaction.
    """
    newest = int(conn.execute(text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one())
    for after in range(0, newest, STEP_ROWS):
        until = min(after + STEP_ROWS, newest)
        conn.execute(statement, {"after": after, "until": until})
        log.info("migration: %s %s of %s", table, until, newest)
