"""The tables, as they are after the newest migration. Moments are milliseconds since 1970 in UTC.

What must always hold is written here as a constraint, not only in Python.
"""

from __future__ import annotations

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

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only in a column that is INTEGER by name.
Key = BigInteger().with_variant(Integer, "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True),  # the username without case
    Column("name", Text),
    Column("name_key", Text, nullable=False),  # the name folded (helpdesk/folding.py), for looking up
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
    Column("digest", LargeBinary, primary_key=True),  # SHA-256; the token itself is kept nowhere
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("last_used_at", BigInteger),  # to the minute; null until it is recorded for the first time
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Key, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("priority_rank", Integer, nullable=False),  # 0 low … 3 urgent
    Column("tags", Text, nullable=False),  # sorted, with blanks between
    Column("version", Integer, nullable=False),
    Column("creator_id", ForeignKey("users.id"), nullable=False),
    Column("assignee_id", ForeignKey("users.id")),
    # Of the resolution clock, as in `clocks`: lists are sorted and filtered by these, and show them.
    Column("sla_minutes", Integer, nullable=False),
    Column("sla_deadline", BigInteger, nullable=False),
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
    CheckConstraint("internal_count BETWEEN 0 AND comment_count", name="comments"),
    # Numbers that people say aloud are never given twice.
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
    sqlite_where=text("breached = 1"),  # as a query says it; SQLite compares the words
    postgresql_where=tickets.c.breached,
)

# One row for each run of a clock.
clocks = Table(
    "clocks",
    metadata,
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    Column("clock", Text, nullable=False),
    Column("run", Integer, nullable=False),  # from 1
    Column("target_minutes", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("paused_ms", BigInteger, nullable=False),  # all the time that it stood still
    Column("stopped_at", BigInteger),  # since when it stands still; null while it runs
    Column("due_at", BigInteger),  # the deadline while it runs and no breach is on record
    Column("warned_at", BigInteger),
    Column("breached_at", BigInteger),
    PrimaryKeyConstraint("ticket_id", "clock", "run"),
    CheckConstraint("due_at IS NULL OR (stopped_at IS NULL AND breached_at IS NULL)", name="due"),
    sqlite_with_rowid=False,
)
Index(
    "ix_clocks_due_at",
    clocks.c.due_at,
    sqlite_where=clocks.c.due_at.is_not(None),
    postgresql_where=clocks.c.due_at.is_not(None),
)

ticket_tags = Table(
    "ticket_tags",
    metadata,
    Column("tag", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),  # the ticket's, so that a tag's list is in order
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    PrimaryKeyConstraint("tag", "created_at", "ticket_id"),
    Index(None, "ticket_id"),
    sqlite_with_rowid=False,
)

# How many tickets there are of each kind; `assignee` is 0 for nobody. Kept in the transaction of the
# change, so that counting a million costs as much as counting ten. Where several write at once each
# has stripes of its own, or all would wait for one row; one stripe's number may be negative.
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
    # Never given twice. On SQLite they grow in commit order, since one writer gives them out; on
    # PostgreSQL a reader stays below the horizon (see EXTRAS). So nobody who has seen entry N misses
    # one below it.
    Column("id", Key, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    Column("actor_id", ForeignKey("users.id")),
    # No CHECK lists the actions: on SQLite each new one would copy the largest table.
    Column("action", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Column("version", Integer, nullable=False),  # the ticket's, after what this entry tells
    Column("internal", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    # Of an event of a clock: which clock, and which run of it; null in all other entries.
    Column("clock", Text),
    Column("run", Integer),
    Index(None, "ticket_id", "id"),
    sqlite_autoincrement=True,
)
# A run of a clock is breached once, whoever notices it.
Index(
    "uq_timeline_clock_event",
    timeline.c.ticket_id,
    timeline.c.clock,
    timeline.c.run,
    timeline.c.action,
    unique=True,
    sqlite_where=timeline.c.clock.is_not(None),
    postgresql_where=timeline.c.clock.is_not(None),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of the request, without its secrets
    Column("by_staff", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),  # JSON
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("scope", "key"),
)

# How far the search index is made, and of which words; see db/search/rebuilding.py. One row; none before the
# first start.
search_state = Table(
    "search_state",
    metadata,
    Column("version", Text, nullable=False),
    Column("step", Text, nullable=False),  # the table that is gone through; "" when the index is whole
    Column("after", LargeBinary, nullable=False),
    Column("done", BigInteger, nullable=False),
)

# The search index on SQLite. `rowid` is `ticket id << 32 | document`: document 0 is the ticket's own
# text, any other the comment with that id, so a word leads to its ticket without a join. Contentless: the
# words are those of helpdesk/domain/words.py, and what they came from stands in the tables above. The
# `owner` is the id of the ticket's creator, so that requesters' searches pass over all others. The
# tokenizer leaves every non-ASCII character alone, since Python has done its work already. `words`
# are those longer than the index's own beginnings, to spell longer beginnings out.
_FTS5 = """
CREATE VIRTUAL TABLE search USING fts5(
    owner, title, body, internal,
    content='', detail='column', tokenize='ascii', prefix='1 2 3'
)
"""
_WORDS = "CREATE TABLE words (word TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID"

# What stood in rows that never change (see digests.py); PostgreSQL has checksums of its own.
_DIGESTS = (
    "CREATE TABLE digests (table_name TEXT NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,"
    " row_count INTEGER NOT NULL, digest BLOB NOT NULL,"
    " CONSTRAINT pk_digests PRIMARY KEY (table_name, first_id)) WITHOUT ROWID"
)
# See helpdesk/db/ticket_facts.py. `assignee` is 0 for nobody.
_FACTS = """
CREATE TABLE ticket_facts (
    id INTEGER NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL,
    assignee INTEGER NOT NULL,
    creator INTEGER NOT NULL
)
"""
# The tickets that were created, by the clock, before one with a smaller id: the clock was set back.
_MISDATED = """
CREATE TABLE misdated_tickets (
    id INTEGER NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
)
"""

# The search index on PostgreSQL: one row for each document, whose words each begin with a letter for
# the place they stand in (t title, b body, i internal), so that one index answers for any of them.
_TSVECTOR = """
CREATE TABLE search (
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    document bigint NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT pk_search PRIMARY KEY (ticket_id, document)
)
"""
_TSVECTOR_INDEX = "CREATE INDEX ix_search_words ON search USING gin (words)"

# Compared by code points, as SQLite does, so that what begins with a word is the same on both engines.
_BY_CODE_POINTS = tuple(
    f'ALTER TABLE users ALTER COLUMN {name} TYPE text COLLATE "C"' for name in ("username_key", "name_key")
)

# Transactions on PostgreSQL commit in another order than they took their ids in. Each holds, from
# before it takes one until it has ended, a shared lock that names the newest id given out by then.
# No id below the lowest such lock is still to be committed. Shared, so that no writer waits for
# another; 18500 marks these locks as ours.
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
# First the newest id, then the locks: in the other order an id could be taken in between.
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

# What each engine has beside the tables, by the name of its dialect.
EXTRAS = {
    "sqlite": (_FTS5, _WORDS, _DIGESTS, _FACTS, _MISDATED),
    "postgresql": (*_BY_CODE_POINTS, _TSVECTOR, _TSVECTOR_INDEX, _NEXT_ID, _DEFAULT_ID, _HORIZON),
}
