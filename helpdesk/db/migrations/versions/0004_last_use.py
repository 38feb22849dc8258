"""A session remembers when it was last used, so that the one that ends for a new one is the right one.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column, empty: until a session is used again, the moment it was made counts."""
    op.execute("ALTER TABLE tokens ADD COLUMN last_used_at BIGINT")
