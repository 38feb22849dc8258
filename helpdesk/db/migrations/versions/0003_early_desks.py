"""Desks made before 0001 was frozen get what it makes.

Until then 0001 followed schema.py, so that desks of different commits differ under one revision. They
differ on SQLite only: the commit that brought PostgreSQL was the last to change what 0001 made.

Revision ID: 0003
"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

_INDEXES = {
    "ix_tickets_status_deadline": "ON tickets (status, sla_deadline, id)",
    "ix_tickets_resolved_at": "ON tickets (resolved_at, created_at) WHERE resolved_at IS NOT NULL",
    "ix_tickets_first_responded_at": (
        "ON tickets (first_responded_at, created_at) WHERE first_responded_at IS NOT NULL"
    ),
    "ix_tickets_breached": "ON tickets (created_at, id) WHERE breached = 1",
}
_FTS5 = """
CREATE VIRTUAL TABLE search USING fts5(
    owner, title, body, internal,
    content='', detail='column', tokenize='ascii', prefix='1 2 3'
)
"""
_WORDS = "CREATE TABLE words (word TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID"
_IDEMPOTENCY = """
CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    "key" TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    by_staff BOOLEAN NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (scope, "key")
)
"""


def upgrade() -> None:
    """Bring an early desk's triggers, indexes and tables to those of 0001; a later one is left as it is."""
    conn = op.get_bind()
    if conn.dialect.name != "sqlite":
        return
    made = {name: sql or "" for name, sql in conn.execute(text("SELECT name, sql FROM sqlite_master"))}
    for trigger in ("tickets_inserted", "tickets_updated"):
        op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for name, definition in _INDEXES.items():
        if definition not in made.get(name, ""):
            op.execute(f"DROP INDEX IF EXISTS {name}")
            op.execute(f"CREATE INDEX {name} {definition}")
    if "owner" not in made["search"] or made.get("words") != _WORDS:
        _replace_search()
    if "WITHOUT ROWID" in made["idempotency"]:
        _replace_idempotency()


def _replace_search() -> None:
    """Make the search index anew, empty: it is filled before the server answers, as its words have no version."""
    op.execute("DROP TABLE search")
    op.execute("DROP TABLE IF EXISTS words")
    op.execute(_FTS5)
    op.execute(_WORDS)


def _replace_idempotency() -> None:
    op.execute("ALTER TABLE idempotency RENAME TO idempotency_before")
    op.execute("DROP INDEX ix_idempotency_created_at")
    op.execute(_IDEMPOTENCY)
    columns = 'scope, "key", fingerprint, by_staff, status, headers, body, created_at'
    op.execute(f"INSERT INTO idempotency ({columns}) SELECT {columns} FROM idempotency_before")
    op.execute("DROP TABLE idempotency_before")
    op.execute("CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)")
