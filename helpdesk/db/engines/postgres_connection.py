"""Connections to PostgreSQL (psycopg 3), set up as the lanes need them, and what their errors mean."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from helpdesk.db.engine import COMPILED_MAX
from helpdesk.errors import StartError

CONNECT_TIMEOUT_S = 3
LOCK_TIMEOUT_S = 8  # longer than the next but one: whoever waits for a paused process gets what that one loses
STATEMENT_TIMEOUT_S = 10  # of a write; for reads see engine.py
# A process that is paused in the middle of a transaction, or whose machine is gone, loses its locks.
IDLE_IN_TRANSACTION_TIMEOUT_S = 5

# SQLSTATEs (PostgreSQL's manual, appendix A) after which the same work may succeed at once …
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
# … and those where the store is at fault, not our statement: connection, resources, operator, system,
# internal error, a lock or statement that timed out, a server that has become a standby.
_FAULT_CLASSES = frozenset({"08", "53", "57", "58", "XX"})
_FAULTS = frozenset({"55P03", "25006", "25P03"})


def open_engine(
    url: str,
    *,
    connections: int = 0,
    read_only: bool = False,
    timeout_s: float = STATEMENT_TIMEOUT_S,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    plan_by_values: bool = False,
) -> Engine:
    """An engine with that many connections kept open; with 0, each is opened for its use and closed after it.

    With `plan_by_values` each statement is planned for the values that it is sent with: what takes long
    depends on them, a word that is rare or common.

    Transactions that write run in READ COMMITTED and lock the rows that they decide by; those that
    read have one snapshot for all of their statements (REPEATABLE READ).
    """
    settings = {
        "statement_timeout": f"{timeout_s}s",
        "lock_timeout": f"{lock_timeout_s}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S}s",
        "default_transaction_isolation": "repeatable\\ read" if read_only else "read\\ committed",
        "default_transaction_read_only": "on" if read_only else "off",
        "jit": "off",  # it pays for reports over hours, and costs a search a fifth of a second
        "plan_cache_mode": "force_custom_plan" if plan_by_values else "auto",
    }
    try:
        return create_engine(
            _parsed(url),
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "helpdesk",
                "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
                # A server that vanished without a word is noticed within about 15 s.
                "keepalives_idle": 5,
                "keepalives_interval": 3,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
            },
            hide_parameters=True,  # a statement's values are what people wrote; errors are logged
            query_cache_size=COMPILED_MAX,
            use_native_hstore=False,  # or each new connection asks for a type that we do not use
            **(
                {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 0}
                if connections
                else {"poolclass": NullPool}
            ),
        )
    except ModuleNotFoundError:
        raise StartError("PostgreSQL needs psycopg; run pip install -r requirements-cluster.txt") from None


def place(url: str) -> str:
    """Where the database is: the same for all addresses of it that differ in password or options only.

    Raises StartError when the address cannot be read.
    """
    parts = _parsed(url)
    # The directory of a Unix socket is named in the query.
    query = {name: value for name, value in parts.query.items() if name in ("host", "port")}
    return URL.create(
        parts.drivername, parts.username, None, parts.host, parts.port, parts.database, query
    ).render_as_string()


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise StartError("the database address cannot be read; write postgresql+psycopg://user@host/database") from None


def sqlstate(error: DBAPIError) -> str:
    """The five characters that PostgreSQL tells errors apart by; "" where the error is not from a server."""
    return getattr(error.orig, "sqlstate", None) or ""


def may_be_repeated(error: DBAPIError) -> bool:
    """Whether the transaction did nothing and may do better at once: a conflict, or a connection that was dead."""
    return error.connection_invalidated or sqlstate(error) in _CONFLICTS


def is_timed_out(error: DBAPIError) -> bool:
    """Whether the statement was stopped because it took longer than it may."""
    return sqlstate(error) == "57014"


def is_held_up(error: DBAPIError) -> bool:
    """Whether others held what this one waited for: a lock that timed out, or a deadlock."""
    return sqlstate(error) in _CONFLICTS | {"55P03"}


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether it waited for a lock in vain."""
    return sqlstate(error) == "55P03"


def is_store_fault(error: DBAPIError) -> bool:
    """Whether the store is at fault, not our statement."""
    state = sqlstate(error)
    unanswered = not state and type(error.orig).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return error.connection_invalidated or unanswered or state in _FAULTS | _CONFLICTS or state[:2] in _FAULT_CLASSES


def reason(error: DBAPIError) -> str:
    """The first line of what the driver says of it."""
    return str(error.orig).partition("\n")[0].removeprefix("connection failed: ")
