"""The clocks of tickets are rows of their own.

A ticket keeps the deadline, the minutes and the breach of its resolution, by which lists are sorted and
filtered and which each of their rows shows.

Revision ID: 0009
"""

from alembic import op
from sqlalchemy import text

from helpdesk.db.migrations.progress import in_steps
from helpdesk.db.migrations.sqlite_checks import drop_check

revision = "0009"
down_revision = "0008"

_TABLE = """
CREATE TABLE clocks (
    ticket_id {key} NOT NULL,
    clock TEXT NOT NULL,
    run INTEGER NOT NULL,
    target_minutes INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    paused_ms BIGINT NOT NULL,
    stopped_at BIGINT,
    due_at BIGINT,
    warned_at BIGINT,
    breached_at BIGINT,
    CONSTRAINT pk_clocks PRIMARY KEY (ticket_id, clock, run),
    CONSTRAINT ck_clocks_due CHECK (due_at IS NULL OR (stopped_at IS NULL AND breached_at IS NULL)),
    CONSTRAINT fk_clocks_ticket_id FOREIGN KEY (ticket_id) REFERENCES tickets (id)
)"""
_FILL = """
INSERT INTO clocks (ticket_id, clock, run, target_minutes, started_at, deadline, paused_ms, stopped_at, due_at,
    breached_at)
SELECT t.id, 'resolution', 1, t.sla_minutes, t.created_at, t.sla_deadline, t.sla_paused_ms, t.sla_stopped_at,
    CASE WHEN NOT t.breached AND t.sla_stopped_at IS NULL THEN t.sla_due_at END,
    CASE WHEN t.breached THEN coalesce(e.created_at, t.sla_deadline) END
FROM tickets t LEFT JOIN timeline e
    ON e.ticket_id = t.id AND e.clock = 'resolution' AND e.run = 1 AND e.action = 'sla_breached'
WHERE t.id > :after AND t.id <= :until
"""
_MOVED = ("sla_paused_ms", "sla_stopped_at", "sla_due_at")


def upgrade() -> None:
    """Make a clock of each ticket's columns, and drop those that nothing else reads."""
    conn = op.get_bind()
    is_sqlite = conn.dialect.name == "sqlite"
    op.execute(_TABLE.format(key="INTEGER") + " WITHOUT ROWID" if is_sqlite else _TABLE.format(key="BIGINT"))
    in_steps(conn, "tickets", text(_FILL))
    op.execute("CREATE INDEX ix_clocks_due_at ON clocks (due_at) WHERE due_at IS NOT NULL")
    op.execute("DROP INDEX ix_tickets_sla_due_at")
    if is_sqlite:
        drop_check(conn, "tickets", "ck_tickets_sla_clock")
    else:
        op.execute("ALTER TABLE tickets DROP CONSTRAINT ck_tickets_sla_clock")
    for name in _MOVED:
        op.execute(f"ALTER TABLE tickets DROP COLUMN {name}")
