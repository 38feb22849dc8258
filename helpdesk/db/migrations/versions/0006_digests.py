"""Digests of comments and timeline entries, by which a flipped bit is found; on SQLite only.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, empty: a job in the background fills it."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TABLE digests (table_name TEXT NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,"
            " row_count INTEGER NOT NULL, digest BLOB NOT NULL,"
            " CONSTRAINT pk_digests PRIMARY KEY (table_name, first_id)) WITHOUT ROWID"
        )
