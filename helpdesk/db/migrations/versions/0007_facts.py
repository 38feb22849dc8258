"""Lists on SQLite filter by narrow rows of facts, and know which tickets a clock that was set back has dated.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"

_FACTS = """
CREATE TABLE ticket_facts (
    id INTEGER NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL,
    assignee INTEGER NOT NULL,
    creator INTEGER NOT NULL
)
"""
_FILL = (
    "INSERT INTO ticket_facts (id, kind, assignee, creator)"
    " SELECT id, CASE status WHEN 'open' THEN 0 WHEN 'in_progress' THEN 1 WHEN 'pending' THEN 2"
    " WHEN 'resolved' THEN 3 WHEN 'closed' THEN 4 END + 5 * priority_rank + 20 * breached,"
    " coalesce(assignee_id, 0), creator_id FROM tickets ORDER BY id"
)
_MISDATED = """
CREATE TABLE misdated_tickets (
    id INTEGER NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
)
"""
_FIND = (
    "INSERT INTO misdated_tickets (id, created_at) SELECT id, created_at"
    " FROM (SELECT id, created_at, max(created_at) OVER (ORDER BY id) AS newest FROM tickets)"
    " WHERE created_at < newest"
)


def upgrade() -> None:
    """Make the facts of every ticket."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in (_FACTS, _FILL, _MISDATED, _FIND):
            op.execute(statement)
