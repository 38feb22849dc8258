"""The timeline holds each event of a clock once, and takes actions that a later release adds.

Revision ID: 0008
"""

from alembic import op

from helpdesk.db.migrations.sqlite_checks import drop_check

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Name the clock and its run in the entries of breaches, and drop the list of actions."""
    conn = op.get_bind()
    if conn.dialect.name == "sqlite":
        drop_check(conn, "timeline", "ck_timeline_action")
    else:
        op.execute("ALTER TABLE timeline DROP CONSTRAINT ck_timeline_action")
    op.execute("ALTER TABLE timeline ADD COLUMN clock TEXT")
    op.execute("ALTER TABLE timeline ADD COLUMN run INTEGER")
    op.execute("UPDATE timeline SET clock = 'resolution', run = 1 WHERE action = 'sla_breached'")
    op.execute("DROP INDEX uq_timeline_sla_breached")
    op.execute(
        "CREATE UNIQUE INDEX uq_timeline_clock_event ON timeline (ticket_id, clock, run, action)"
        " WHERE clock IS NOT NULL"
    )
