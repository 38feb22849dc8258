"""Search documents are numbered by the comment's id, not by its place among the comments of its ticket.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Have the index made anew: without a stored version the start does so before the server answers."""
    op.execute("DELETE FROM search_state")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("TRUNCATE search")
        op.execute("ALTER TABLE search ALTER COLUMN document TYPE bigint")
