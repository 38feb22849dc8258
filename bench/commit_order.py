"""Two ways to let nobody miss a timeline entry on PostgreSQL, and one that loses some, side by side.

    python -m bench.commit_order [--seconds 4]

Each writes what a create writes (ticket, entry, words, kept answer), by pgbench, durably. "lock" takes a
lock before an id is taken and holds it until the commit: ids are in commit order. "horizon" is what the
server does: a shared lock, and readers who stay below it. "neither" takes ids as they come.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from statistics import median

from helpdesk.db.engines import postgres_connection
from helpdesk.db.migrations.run import prepare_postgres
from helpdesk.db.schema import EXTRAS
from tests.services import Postgres, program

CLIENTS = (1, 4, 16, 32)
ROUNDS = 3

NEXT_ID = {
    "neither": "BEGIN RETURN nextval('timeline_id_seq'); END",
    "lock": "BEGIN PERFORM pg_advisory_xact_lock(1); RETURN nextval('timeline_id_seq'); END",
}
WORK = """
BEGIN;
INSERT INTO idempotency VALUES ('user:1', gen_random_uuid(), '', false, 0, '{}', '', 0) RETURNING key \\gset
INSERT INTO tickets (title, description, status, priority, priority_rank, tags, version, creator_id, sla_minutes,
 sla_deadline, breached, created_at, updated_at, comment_count, internal_count)
 VALUES ('Printer on floor three', 'It jams on every second page.', 'open', 'high', 2, '', 1, 1, 60,
 9999999999999, false, 0, 0, 0, 0) RETURNING id \\gset
INSERT INTO clocks (ticket_id, clock, run, target_minutes, started_at, deadline, paused_ms, due_at)
 VALUES (:id, 'resolution', 1, 60, 0, 9999999999999, 0, 9999999999999);
INSERT INTO clocks (ticket_id, clock, run, target_minutes, started_at, deadline, paused_ms, due_at)
 VALUES (:id, 'resolution', 1, 60, 0, 9999999999999, 0, 9999999999999);
INSERT INTO timeline (ticket_id, action, data, version, created_at) VALUES (:id, 'created', '{}', 1, 0);
INSERT INTO search VALUES (:id, 0, array_to_tsvector(ARRAY['tprinter', 'tfloor', 'bjams', 'bpage']));
UPDATE idempotency SET status = 201 WHERE scope = 'user:1' AND key = :key;
COMMIT;
"""


def set_up(server: Postgres) -> None:
    server.sql("CREATE DATABASE desk")
    prepare_postgres(postgres_connection.open_engine(server.url("desk")), "desk")
    server.sql(
        "INSERT INTO users (username, username_key, name_key, role, password_hash, active, created_at)"
        " VALUES ('a', 'a', '', 'user', '', true, 0)",
        "desk",
    )
    (server.folder / "work.sql").write_text(WORK)


def use(server: Postgres, way: str) -> None:
    """Make new ids that way."""
    kept = next(statement for statement in EXTRAS["postgresql"] if "FUNCTION next_timeline_id" in statement)
    body = f"CREATE FUNCTION next_timeline_id() RETURNS bigint LANGUAGE plpgsql AS $$ {NEXT_ID.get(way)} $$"
    server.sql((body if way in NEXT_ID else kept).replace("CREATE", "CREATE OR REPLACE", 1), "desk")


def measure(server: Postgres, clients: int, seconds: int) -> float:
    """Transactions a second."""
    pgbench = program("pgbench", "postgresql")
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    load = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds)]
    done = subprocess.run(
        [pgbench, *at, *load, "-f", str(server.folder / "work.sql"), "desk"], capture_output=True, text=True, check=True
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def horizon_ms(server: Postgres, clients: int) -> float:
    """The median time of one look at the horizon while so many write."""
    engine = postgres_connection.open_engine(server.url("desk"), connections=1)
    pgbench = program("pgbench", "postgresql")
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    load = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", "3", "-f", str(server.folder / "work.sql")]
    with subprocess.Popen(
        [pgbench, *at, *load, "desk"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as writers:
        time.sleep(0.5)
        times = []
        while writers.poll() is None:
            with engine.connect() as conn:
                begun = time.perf_counter()
                conn.exec_driver_sql("SELECT timeline_horizon()").scalar()
                times.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.01)
    engine.dispose()
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    seconds = parser.parse_args().seconds
    server = Postgres(fsync=True)
    try:
        set_up(server)
        print("transactions a second, the median of", ROUNDS, "rounds in turns\n")
        print(f"{'clients':>8} {'neither':>9} {'lock':>9} {'horizon':>9} {'lock':>8} {'horizon':>8}   (of neither)")
        for clients in CLIENTS:
            rates: dict[str, list[float]] = {"neither": [], "lock": [], "horizon": []}
            for _ in range(ROUNDS):
                for way, found in rates.items():
                    use(server, way)
                    found.append(measure(server, clients, seconds))
            neither, lock, horizon = (median(found) for found in rates.values())
            shares = f"{lock / neither:8.2f} {horizon / neither:8.2f}"
            print(f"{clients:8} {neither:9.0f} {lock:9.0f} {horizon:9.0f} {shares}", flush=True)
        print(f"\none look at the horizon while 32 write: {horizon_ms(server, 32):.2f} ms")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
