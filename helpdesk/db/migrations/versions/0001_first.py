"""The first tables.

Revision ID: 0001
"""

from alembic import op

from helpdesk.db.schema import EXTRAS, metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables of schema.py, and what each engine has beside them."""
    # Until 1.0.0 is out the first revision follows schema.py; the ones after it are written out.
    conn = op.get_bind()
    metadata.create_all(conn)
    for statement in EXTRAS[conn.dialect.name]:
        op.execute(statement)
