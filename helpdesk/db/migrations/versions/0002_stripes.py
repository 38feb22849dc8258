"""The counts of tickets are striped, for several processes that write at once.

Revision ID: 0002
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, Text, inspect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Count the tickets into a striped table, where there is none yet."""
    existing = inspect(op.get_bind())
    if existing.has_table("ticket_counts"):
        if "stripe" in {column["name"] for column in existing.get_columns("ticket_counts")}:
            return  # made by 0001
        op.drop_table("ticket_counts")
    op.create_table(
        "ticket_counts",
        Column("status", Text, nullable=False),
        Column("priority", Text, nullable=False),
        Column("breached", Boolean, nullable=False),
        Column("assignee", BigInteger, nullable=False),
        Column("stripe", Integer, nullable=False),
        Column("tickets", Integer, nullable=False),
        PrimaryKeyConstraint("status", "priority", "breached", "assignee", "stripe", name="pk_ticket_counts"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO ticket_counts (status, priority, breached, assignee, stripe, tickets)"
        " SELECT status, priority, breached, coalesce(assignee_id, 0), 0, count(*) FROM tickets"
        " GROUP BY status, priority, breached, coalesce(assignee_id, 0)"
    )
