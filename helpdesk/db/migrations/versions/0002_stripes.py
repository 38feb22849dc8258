"""The counts of tickets are striped, for several processes that write at once.

Revision ID: 0002
"""

from alembic import op
from sqlalchemy import inspect

from helpdesk.db.schema import ticket_counts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Count the tickets anew into a striped table, where it is not striped yet."""
    conn = op.get_bind()
    if "stripe" in {column["name"] for column in inspect(conn).get_columns("ticket_counts")}:
        return  # made by 0001, which follows schema.py
    op.drop_table("ticket_counts")
    ticket_counts.create(conn)
    op.execute(
        "INSERT INTO ticket_counts (status, priority, breached, assignee, stripe, tickets)"
        " SELECT status, priority, breached, coalesce(assignee_id, 0), 0, count(*) FROM tickets"
        " GROUP BY status, priority, breached, coalesce(assignee_id, 0)"
    )
