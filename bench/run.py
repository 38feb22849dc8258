"""Measure the calls people make: against the limits of the machine, and a large desk against a small one.

    python -m bench.run --small /tmp/thousand --large /tmp/million [--seconds 3]

Both directories come from bench.load. Prints tables and writes docs/performance.json and docs/performance.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.plot import bars
from bench.servers import ROOT, Desk, Measured, Process, free_port, wrk

RATIOS = (  # ours, the limit's call, the least ratio that the design asks for
    ("same_ticket", "/ticket", 0.5),
    ("list", "/page", 0.35),
    ("create", "/api/tickets", 0.3),
)
CALLS = (
    *("ticket", "list", "list_mine_open", "list_breached", "list_tag", "list_unassigned", "list_by_deadline"),
    *("deep_page", "search_rare", "search_common", "search_three", "search_three_middling", "stats"),
    *("create", "repeated_key", "comment", "patch", "mix"),
)
ROUNDS = 3  # desk and limit in turn, so that a slow moment of the machine hits both


def say(text: str) -> None:
    print(text, flush=True)


def ratios(desk: Desk, seconds: float) -> list[dict[str, object]]:
    """Requests a second as a share of what bare Tornado does with the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        ticket, page = Path(folder) / "ticket.json", Path(folder) / "page.json"
        ticket.write_bytes(desk.get("/api/tickets/7"))
        page.write_bytes(desk.get("/api/tickets"))
        port = free_port()
        bare = Process("-m", "bench.limits", str(port), str(ticket), str(page))
    rows: list[dict[str, object]] = []
    environ = {"TOKEN": desk.token, "TICKETS": "1000", "RARE": "zozo"}
    for call, path, least in RATIOS:
        shares, ours, limits, cpu_shares = [], [], [], []
        for _ in range(ROUNDS):
            one = wrk(desk, desk.url, call, seconds=seconds, connections=32, environ=environ)
            limit_call = "create" if call == "create" else "same_ticket"
            limit = wrk(
                bare,
                f"http://127.0.0.1:{port}",
                limit_call,
                seconds=seconds,
                connections=32,
                environ=environ | {"BARE": path},
            )
            ours.append(one.per_second)
            limits.append(limit.per_second)
            shares.append(one.per_second / limit.per_second)
            cpu_shares.append(limit.cpu_us / one.cpu_us)
        rows.append(
            {
                "call": call,
                "per_second": round(median(ours)),
                "limit": round(median(limits)),
                "ratio": round(median(shares), 2),
                "cpu_ratio": round(median(cpu_shares), 2),
                "least": least,
            }
        )
        say(
            f"{call:20} {median(ours):7.0f}/s of {median(limits):7.0f}/s = {median(shares):.2f};"
            f" by CPU time {median(cpu_shares):.2f} (at least {least})"
        )
    bare.stop()
    return rows


def sizes(desks: dict[str, Desk], seconds: float, rare: str) -> list[dict[str, object]]:
    """Each call at both sizes, in turn; latencies with 4 clients."""
    rows: list[dict[str, object]] = []
    totals = {name: desk.tickets() for name, desk in desks.items()}
    for call in CALLS:
        got: dict[str, Measured] = {}
        for name, desk in desks.items():
            environ = {"TOKEN": desk.token, "TICKETS": str(totals[name]), "RARE": rare}
            got[name] = wrk(desk, desk.url, call, seconds=seconds, connections=4, environ=environ)
        small, large = got["small"], got["large"]
        row = {
            "call": call,
            "small": small._asdict(),
            "large": large._asdict(),
            "median_ratio": round(large.p50_ms / small.p50_ms, 2),
            "p99_ratio": round(large.p99_ms / small.p99_ms, 2),
        }
        rows.append(row)
        say(
            f"{call:22} {small.p50_ms:7.2f} {small.p99_ms:7.2f} ms | {large.p50_ms:7.2f} {large.p99_ms:7.2f} ms"
            f" | x{row['median_ratio']} p99 x{row['p99_ratio']}"
        )
    return rows


def measure(desks: dict[str, Desk], options: argparse.Namespace, seconds: int) -> dict[str, object]:
    """Everything, in the order in which it is printed; `desks` holds what was started."""
    small = desks["small"] = Desk(options.small)
    result: dict[str, object] = {
        "python": sys.version.split()[0],
        "resident_after_start_mb": round(small.resident_mb()),
    }
    say("\nAgainst bare Tornado (requests a second, 32 clients, one core for the server)")
    result["ratios"] = ratios(small, seconds)
    large = desks["large"] = Desk(options.large)
    result["start_s"] = {"small": round(small.start_s, 2), "large": round(large.start_s, 2)}
    settle(large)
    say(f"\nSmall ({small.tickets():,} tickets) | large ({large.tickets():,}): median and p99, 4 clients")
    result["sizes"] = sizes(desks, seconds, "zozo")
    result["resident_after_load_mb"] = {name: round(desk.resident_mb()) for name, desk in desks.items()}
    say(f"\nResident memory {result['resident_after_load_mb']} MB, start {result['start_s']} s")
    return result


def settle(desk: Desk) -> None:
    """Wait until the breaches since the loading are on record: that happens once, after the first start."""
    before = -1.0
    while desk.cpu_s() - before > 0.05:
        before = desk.cpu_s()
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=Path, required=True)
    parser.add_argument("--large", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    seconds = max(1, int(options.seconds))
    desks: dict[str, Desk] = {}
    try:
        result = measure(desks, options, seconds)
    finally:
        for desk in desks.values():
            desk.stop()
    docs = ROOT / "docs"
    (docs / "performance.json").write_text(json.dumps(result, indent=1) + "\n")
    (docs / "performance.svg").write_text(bars(result["sizes"]))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
