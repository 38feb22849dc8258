"""Whether plain reads stay quick while searches, reports and stats run at full tilt.

python -m bench.fair --data-dir /tmp/million
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from bench.servers import Desk, wrk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    desk = Desk(parser.parse_args().data_dir)
    environ = {"TOKEN": desk.token, "TICKETS": str(desk.tickets()), "RARE": "zozo"}
    quiet = wrk(desk, desk.url, "ticket", seconds=4, connections=1, environ=environ)
    stop = threading.Event()

    def load(path: str) -> None:
        while not stop.is_set():
            desk.get(path)

    paths = ("/api/reports/overview?days=90", "/api/tickets?q=the+printer+login", "/api/tickets/stats")
    threads = [threading.Thread(target=load, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    busy = wrk(desk, desk.url, "ticket", seconds=4, connections=1, environ=environ)
    stop.set()
    for thread in threads:
        thread.join()
    desk.stop()
    print(
        f"one ticket, one client: quiet p99 {quiet.p99_ms:.2f} ms; "
        f"under searches, reports and stats {busy.p99_ms:.2f} ms = {busy.p99_ms / quiet.p99_ms:.1f} times"
    )


if __name__ == "__main__":
    main()
