"""The first tables, frozen: what db/schema.py said when this was written. Never change it; add a revision.

Revision ID: 0001
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

revision = "0001"
down_revision = None

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = BigInteger().with_variant(Integer, "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("name_key", Text, nullable=False),
    Column("email", Text),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("role IN ('user', 'agent', 'admin')", name="role"),
    Index(None, "name_key"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Key, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("priority_rank", Integer, nullable=False),
    Column("tags", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("creator_id", ForeignKey("users.id"), nullable=False),
    Column("assignee_id", ForeignKey("users.id")),
    Column("sla_minutes", Integer, nullable=False),
    Column("sla_deadline", BigInteger, nullable=False),
    Column("sla_paused_ms", BigInteger, nullable=False),
    Column("sla_stopped_at", BigInteger),
    Column("sla_due_at", BigInteger),
    Column("breached", Boolean, nullable=False),
    Column("first_responded_at", BigInteger),
    Column("resolved_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("comment_count", Integer, nullable=False),
    Column("internal_count", Integer, nullable=False),
    CheckConstraint("status IN ('open', 'in_progress', 'pending', 'resolved', 'closed')", name="status"),
    CheckConstraint("priority IN ('low', 'medium', 'high', 'urgent')", name="priority"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("sla_minutes BETWEEN 1 AND 525600", name="sla_minutes"),
    CheckConstraint("(status IN ('open', 'in_progress')) = (sla_stopped_at IS NULL)", name="sla_clock"),
    CheckConstraint("internal_count BETWEEN 0 AND comment_count", name="comments"),
    sqlite_autoincrement=True,
)
Index("ix_tickets_created_at_id", tickets.c.created_at, tickets.c.id)
Index("ix_tickets_updated_at_id", tickets.c.updated_at, tickets.c.id)
Index("ix_tickets_sla_deadline_id", tickets.c.sla_deadline, tickets.c.id)
Index("ix_tickets_priority_rank_id", tickets.c.priority_rank, tickets.c.id)
Index("ix_tickets_status", tickets.c.status, tickets.c.created_at, tickets.c.id)
Index("ix_tickets_status_deadline", tickets.c.status, tickets.c.sla_deadline, tickets.c.id)
Index("ix_tickets_creator", tickets.c.creator_id, tickets.c.created_at, tickets.c.id)
Index("ix_tickets_assignee", tickets.c.assignee_id, tickets.c.created_at, tickets.c.id)
Index(
    "ix_tickets_resolved_at",
    tickets.c.resolved_at,
    tickets.c.created_at,
    sqlite_where=tickets.c.resolved_at.is_not(None),
    postgresql_where=tickets.c.resolved_at.is_not(None),
)
Index(
    "ix_tickets_first_responded_at",
    tickets.c.first_responded_at,
    tickets.c.created_at,
    sqlite_where=tickets.c.first_responded_at.is_not(None),
    postgresql_where=tickets.c.first_responded_at.is_not(None),
)
Index(
    "ix_tickets_breached",
    tickets.c.created_at,
    tickets.c.id,
    sqlite_where=text("breached = 1"),
    postgresql_where=tickets.c.breached,
)
Index(
    "ix_tickets_sla_due_at",
    tickets.c.sla_due_at,
    sqlite_where=tickets.c.sla_due_at.is_not(None),
    postgresql_where=tickets.c.sla_due_at.is_not(None),
)

ticket_tags = Table(
    "ticket_tags",
    metadata,
    Column("tag", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    PrimaryKeyConstraint("tag", "created_at", "ticket_id"),
    Index(None, "ticket_id"),
    sqlite_with_rowid=False,
)

ticket_counts = Table(
    "ticket_counts",
    metadata,
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("breached", Boolean, nullable=False),
    Column("assignee", BigInteger, nullable=False),
    Column("stripe", Integer, nullable=False),
    Column("tickets", Integer, nullable=False),
    PrimaryKeyConstraint("status", "priority", "breached", "assignee", "stripe"),
    sqlite_with_rowid=False,
)

comments = Table(
    "comments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    Column("parent", ForeignKey("comments.id")),
    Column("author_id", ForeignKey("users.id"), nullable=False),
    Column("body", Text, nullable=False),
    Column("internal", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "ticket_id", "id"),
    sqlite_autoincrement=True,
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    Column("actor_id", ForeignKey("users.id")),
    Column("action", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("internal", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("action IN ('created', 'updated', 'commented', 'sla_breached')", name="action"),
    Index(None, "ticket_id", "id"),
    sqlite_autoincrement=True,
)
Index(
    "uq_timeline_sla_breached",
    timeline.c.ticket_id,
    unique=True,
    sqlite_where=timeline.c.action == "sla_breached",
    postgresql_where=timeline.c.action == "sla_breached",
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("by_staff", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("scope", "key"),
)

_FTS5 = """
CREATE VIRTUAL TABLE search USING fts5(
    owner, title, body, internal,
    content='', detail='column', tokenize='ascii', prefix='1 2 3'
)
"""
_WORDS = "CREATE TABLE words (word TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID"

_TSVECTOR = """
CREATE TABLE search (
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    document integer NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT pk_search PRIMARY KEY (ticket_id, document)
)
"""
_TSVECTOR_INDEX = "CREATE INDEX ix_search_words ON search USING gin (words)"

_BY_CODE_POINTS = tuple(
    f'ALTER TABLE users ALTER COLUMN {name} TYPE text COLLATE "C"' for name in ("username_key", "name_key")
)

_NEXT_ID = """
CREATE FUNCTION next_timeline_id() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        (CAST(18500 AS bigint) << 48) | (CASE WHEN is_called THEN last_value ELSE 0 END)
    ) FROM timeline_id_seq;
    RETURN nextval('timeline_id_seq');
END $$
"""
_DEFAULT_ID = "ALTER TABLE timeline ALTER COLUMN id SET DEFAULT next_timeline_id()"
_HORIZON = """
CREATE FUNCTION timeline_horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE newest bigint; settled bigint;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO newest FROM timeline_id_seq;
    SELECT min((CAST(classid AS bigint) & 65535) << 32 | CAST(objid AS bigint)) INTO settled
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND CAST(classid AS bigint) >> 16 = 18500
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(newest, settled);
END $$
"""

_EXTRAS = {
    "sqlite": (_FTS5, _WORDS),
    "postgresql": (*_BY_CODE_POINTS, _TSVECTOR, _TSVECTOR_INDEX, _NEXT_ID, _DEFAULT_ID, _HORIZON),
}


def upgrade() -> None:
    """Make all tables, and what each engine has beside them."""
    conn = op.get_bind()
    metadata.create_all(conn)
    for statement in _EXTRAS[conn.dialect.name]:
        op.execute(statement)
