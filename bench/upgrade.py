"""Bring a desk of an earlier release up to date, killed on the way, and compare every row with what it held before.

    python -m bench.upgrade --data-dir /tmp/old-desk --kills 5
    python -m bench.upgrade --database-url postgresql://…/desk --kills 5

The desk comes from bench.load of that release, or from its copy to PostgreSQL. A SQLite desk is copied first, and
stays; one on PostgreSQL is brought up to date where it is. Each kill is a SIGKILL at a random moment of the start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from sqlalchemy import Connection, create_engine, text

from bench.servers import ROOT
from helpdesk.db.engines import postgres_connection
from helpdesk.db.migrations.run import prepare_postgres, prepare_sqlite

KILLED_WITHIN_S = 10.0  # of its start; the migration of 100,000 tickets takes about as long
TABLES = {
    "users": "SELECT id, username, username_key, name, email, role, password_hash, active, created_at"
    " FROM users ORDER BY id",
    "tickets": "SELECT id, title, description, status, priority, priority_rank, tags, version, creator_id, assignee_id,"
    " sla_minutes, sla_deadline, breached, first_responded_at, resolved_at, created_at, updated_at, comment_count,"
    " internal_count FROM tickets ORDER BY id",
    "ticket_tags": "SELECT ticket_id, created_at, tag FROM ticket_tags ORDER BY ticket_id, tag {code_points}",
    "comments": "SELECT id, ticket_id, parent, author_id, body, internal, created_at FROM comments ORDER BY id",
    "timeline": "SELECT id, ticket_id, actor_id, action, data, version, internal, created_at FROM timeline ORDER BY id",
}
CLOCKS = "SELECT id, sla_minutes, created_at, sla_deadline, sla_paused_ms, sla_stopped_at, sla_due_at FROM tickets"
MOVED_CLOCKS = (
    "SELECT ticket_id, target_minutes, started_at, deadline, paused_ms, stopped_at, due_at FROM clocks"
    " WHERE clock = 'resolution' AND run = 1"
)


def digests(url: str) -> dict[str, str]:
    """Return the number of rows and their digest, of each table and of the clocks of tickets."""
    with create_engine(url).connect() as conn:
        code_points = 'COLLATE "C"' if conn.dialect.name == "postgresql" else ""
        found = {name: _digest(conn, query.format(code_points=code_points)) for name, query in TABLES.items()}
        moved = conn.execute(text("SELECT count(*) FROM alembic_version WHERE version_num >= '0009'")).scalar_one()
        found["clocks"] = _digest(conn, f"{MOVED_CLOCKS} ORDER BY ticket_id" if moved else f"{CLOCKS} ORDER BY id")
        return found


def _digest(conn: Connection, query: str) -> str:
    digest, count = hashlib.sha256(), 0
    for row in conn.execution_options(yield_per=1000).execute(text(query)):
        digest.update(msgspec.msgpack.encode([int(v) if isinstance(v, bool) else v for v in row]))
        count += 1
    return f"{count} {digest.hexdigest()}"


def start(options: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "server.py", "--port", "0", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill_starts(options: list[str], kills: int) -> None:
    """Start a server and kill it, `kills` times."""
    for n in range(kills):
        process, wait_s = start(options), random.uniform(0.3, KILLED_WITHIN_S * (n + 1) / kills)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
        print(f"killed after {wait_s:.1f} s", file=sys.stderr, flush=True)
        process.wait()


def migrate(place: Path | str) -> float:
    """Run the migrations alone, in which nothing else changes a row, and return the seconds."""
    began = time.monotonic()
    if isinstance(place, Path):
        prepare_sqlite(place)
    else:
        prepare_postgres(postgres_connection.open_engine(place), place)
    return time.monotonic() - began


def ready(options: list[str]) -> float:
    """Start a server, which indexes all texts anew if need be, and return the seconds until it is ready."""
    began = time.monotonic()
    process = start(options)
    assert process.stdout is not None and "listening" in process.stdout.readline()
    took_s = time.monotonic() - began
    process.terminate()
    process.wait()
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data-dir", type=Path)
    where.add_argument("--database-url")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(dir=options.data_dir and options.data_dir.parent) as folder:
        if options.data_dir:
            shutil.copytree(options.data_dir, folder, dirs_exist_ok=True)
            url, arguments = f"sqlite:///{folder}/helpdesk.db", ["--data-dir", folder]
        else:
            url, arguments = options.database_url, ["--data-dir", folder, "--database-url", options.database_url]
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        before = digests(url)
        kill_starts(arguments, options.kills)
        migrated_s = migrate(options.database_url or Path(folder) / "helpdesk.db")
        after = digests(url)
        ready_s = ready(arguments)
    different = [name for name in before if before[name] != after[name]]
    print(json.dumps({"migrated_s": round(migrated_s, 1), "ready_s": round(ready_s, 1), "different": different}))
    if different:
        raise SystemExit("rows differ after the migration")


if __name__ == "__main__":
    main()
