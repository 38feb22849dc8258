"""The version of the words that the search index holds, and how far it is made.

Without a row the index is made anew before the server answers; the words of earlier releases have no version.

Revision ID: 0005
"""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table, empty."""
    op.create_table(
        "search_state",
        Column("version", Text, nullable=False),
        Column("step", Text, nullable=False),
        Column("after", LargeBinary, nullable=False),
        Column("done", BigInteger, nullable=False),
    )
