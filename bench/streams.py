"""A thousand open event streams: what each costs, and how soon all of them have an entry.

python -m bench.streams --data-dir /tmp/thousand [--streams 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.servers import Desk
from helpdesk.live.streams import STREAMS_OF_ACCOUNT

ENTRIES = 10


async def open_stream(host: str, port: int, token: str) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    await reader.readuntil(b": connected\n\n")
    reader._writer = writer  # type: ignore[attr-defined]  # kept open as long as its reader
    return reader


async def measure(desk: Desk, count: int) -> None:
    address = urlsplit(desk.url)
    assert address.hostname and address.port
    tokens = [await asyncio.to_thread(agent, desk, n) for n in range(0, count, STREAMS_OF_ACCOUNT)]
    before_mb = desk.resident_mb()
    readers = []
    for n in range(count):
        readers.append(await open_stream(address.hostname, address.port, tokens[n // STREAMS_OF_ACCOUNT]))
    grown_kb = (desk.resident_mb() - before_mb) * 1024 / count
    delays = []
    for n in range(ENTRIES):
        done = [asyncio.ensure_future(reader.readuntil(b"ticket.created")) for reader in readers]
        started = time.perf_counter()
        await asyncio.to_thread(create, desk, n)
        await asyncio.gather(*done)
        delays.append((time.perf_counter() - started) * 1000)
    print(
        f"{count} streams: {grown_kb:.1f} KB each; all have an entry after {median(delays):.0f} ms "
        f"(most {max(delays):.0f} ms), the create included"
    )


def agent(desk: Desk, n: int) -> str:
    """The token of a new agent."""
    name = f"stream{time.time_ns()}-{n}"
    return str(desk.post("/api/auth/register", {"username": name, "password": name, "role": "agent"})["token"])


def create(desk: Desk, n: int) -> None:
    import json
    import urllib.request

    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {desk.token}"}
    body = json.dumps({"title": f"Stream {n}", "description": "Who hears of it?"}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{desk.url}/api/tickets", body, headers)).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=1000)
    options = parser.parse_args()
    desk = Desk(options.data_dir)
    try:
        asyncio.run(measure(desk, options.streams))
    finally:
        desk.stop()


if __name__ == "__main__":
    main()
