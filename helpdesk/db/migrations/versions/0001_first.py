"""The first tables.

Revision ID: 0001
"""

from alembic import op

from helpdesk.db.schema import SEARCH_DDL, metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    # Until 1.0.0 is out the first revision follows schema.py; the ones after it are written out.
    metadata.create_all(op.get_bind())
    op.execute(SEARCH_DDL)
