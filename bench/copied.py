"""A loaded desk on SQLite, and its copy on PostgreSQL, one process each: how long the calls take on either.

    python -m bench.copied --data-dir /tmp/helpdesk-bench/large

The directory comes from bench.load. The copy goes to a PostgreSQL that is made for it and removed again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.load import PASSWORD
from bench.servers import ROOT, load
from tests.cluster.client import login, send
from tests.process import QUIET, RunningServer
from tests.services import Postgres

CALLS = (
    *("ticket", "list", "list_mine_open", "list_breached", "list_tag", "deep_page"),
    *("search_rare", "search_common", "search_three", "search_three_middling", "stats", "create", "comment", "patch"),
)


def copy(data_dir: Path, server: Postgres) -> None:
    """Copy the desk, checked, and say how long it took."""
    server.sql("CREATE DATABASE desk")
    addresses = ["--from", f"sqlite:///{data_dir.resolve()}/helpdesk.db", "--to", server.url("desk")]
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "helpdesk", "copy", *addresses], cwd=ROOT, check=True)
    print(f"copied and compared in {time.monotonic() - begun:.0f} s\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    postgres = Postgres(fsync=True)
    try:
        copy(options.data_dir, postgres)
        with tempfile.TemporaryDirectory() as folder:
            desks = {
                "SQLite": RunningServer(options.data_dir.resolve(), *QUIET),
                "PostgreSQL": RunningServer(Path(folder) / "none", *QUIET, "--database-url", postgres.url("desk")),
            }
            print(f"{'ms, 4 clients':24}" + "".join(f"{name + ' p50':>16}{'p99':>8}" for name in desks))
            for call in CALLS:
                line = f"{call.replace('_', ' '):24}"
                for desk in desks.values():
                    token = login(desk.url, "agent0", PASSWORD)
                    tickets = send(desk.url, "GET", "/api/tickets/stats", token=token).json["total"]
                    environ = {"TOKEN": token, "TICKETS": str(tickets), "RARE": "zozo"}
                    took = load(desk.url, call, seconds=options.seconds, connections=4, environ=environ)
                    line += f"{took.p50_ms:16.2f}{took.p99_ms:8.1f}"
                print(line, flush=True)
            for desk in desks.values():
                desk.stop()
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()
