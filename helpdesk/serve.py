"""One server's life: open, seed, listen, say so, and drain on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Awaitable
from typing import Any

from tornado.netutil import bind_sockets

from helpdesk import __version__, logs
from helpdesk.clock import SystemClock
from helpdesk.config import Config
from helpdesk.db.engine import Job
from helpdesk.db.engines.opening import open_database
from helpdesk.desk import Desk, open_desk
from helpdesk.errors import StartError, Unavailable, unforeseen_at_start
from helpdesk.first_start import fill_if_empty, refuse_demo_passwords
from helpdesk.http_server import Server
from helpdesk.jobs.data_check import DataCheck
from helpdesk.jobs.expiry import Expiry
from helpdesk.jobs.runner import Runner
from helpdesk.jobs.sla import SlaSweep
from helpdesk.problems import Problems
from helpdesk.reindexing import reindex_if_outdated
from helpdesk.standard_streams import write_line

log = logging.getLogger("helpdesk")

DRAIN_S = 10.0  # for the requests in hand after SIGTERM
CLOSE_S = 5.0  # for a connection to a database or Redis to end
END_S = 22  # after a signal to stop, for all of it together; the waits with limits of their own take less


async def serve(config: Config) -> int:
    """Run until a signal ends it; the exit status.

    Raises StartError when it cannot start. A failed commit ends it with 1, for a supervisor to
    start it anew.
    """
    logs.set_up(config.log_format)
    stop, failed = asyncio.Event(), asyncio.Event()
    _stop_on_signals(stop)

    def fail() -> None:
        failed.set()
        stop.set()

    sockets = _bind(config)
    problems = Problems()
    with unforeseen_at_start():
        db = open_database(config, on_failure=fail, problems=problems)
    try:
        with unforeseen_at_start():
            desk = open_desk(config, SystemClock(), db, problems)
        try:
            with unforeseen_at_start():
                await _prepare(desk, stop)
            if not stop.is_set():
                await _run(desk, sockets, stop)
        finally:
            await _close(desk.close(), "Redis")
    finally:
        await _close(db.close(), "the database")
    return 1 if failed.is_set() else 0


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` at the first SIGTERM or SIGINT. A second one ends the process at once, and so does END_S.

    Both are left to the kernel, which needs neither the loop nor Python to answer: nothing that was
    acknowledged is lost by it.
    """
    loop = asyncio.get_running_loop()

    def begin(_number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(END_S)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, begin)


async def _close(closing: Awaitable[None], part: str) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await closing
    except TimeoutError:
        log.error("%s does not close; the process ends without it", part)


async def _prepare(desk: Desk, stop: asyncio.Event) -> None:
    """Bring the search index up to date, fill a new database, and refuse one that is not safe to serve."""
    try:
        async with desk.db.alone():
            await reindex_if_outdated(desk, stop.is_set)
            if stop.is_set():
                return
            await fill_if_empty(desk)
        await refuse_demo_passwords(desk)
    except Unavailable as error:
        raise StartError(f"the database went away while the server started ({error.message})") from None


async def _run(desk: Desk, sockets: list[socket.socket], stop: asyncio.Event) -> None:
    server = Server(desk)
    runner = Runner(desk.problems)
    for name, job in background_jobs(desk).items():
        runner.start(name, job)
    _tune_collector()
    server.add_sockets(sockets)
    if not write_line(sys.stdout, _ready_line(desk.config, sockets[0].getsockname())):
        log.warning("the first line could not be written to standard output; the server runs all the same")
    await stop.wait()
    signal.alarm(END_S)  # also where no signal began it
    desk.draining = True
    desk.hub.close_all()
    await server.drain(DRAIN_S)
    await runner.stop()


def background_jobs(desk: Desk) -> dict[str, Job]:
    """Return everything that runs without a request, by the name that the log and health give it."""
    jobs = desk.db.jobs() | {
        "sla_sweep": SlaSweep(desk.db, desk.clock).run,
        "expiry": Expiry(desk.db, desk.clock, keep_hours=desk.config.idempotency_hours).run,
        "session_uses": desk.sessions.uses.run,
        "live_updates": desk.hub.run,
        "stream_tokens": desk.hub.watch_tokens,
    }
    if desk.redis is not None:
        jobs["redis_watch"] = desk.redis.watch
    if not desk.db.is_shared:
        jobs["data_check"] = DataCheck(desk.db, desk.problems).run
    if desk.wakeups is not None:
        jobs |= {"wakeups_sent": desk.wakeups.tell, "wakeups_heard": desk.wakeups.hear}
    return jobs


def _tune_collector() -> None:
    """Freeze start-up objects so that the garbage collector skips them.

    Requests make few cycles; a round every 20,000 allocations instead of 700 saves 6 % of a create.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _ready_line(config: Config, address: tuple[Any, ...]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return (
        f"HelpDesk Mini {__version__} listening on http://{host}:{address[1]} "
        f"({config.mode} mode, data in {config.data_shown})"
    )


def _bind(config: Config) -> list[socket.socket]:
    try:
        return (
            bind_sockets(config.port, config.host)[:1] if config.port == 0 else bind_sockets(config.port, config.host)
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no address of this machine"
        raise StartError(
            f"cannot listen on {config.host} port {config.port} ({reason}); "
            "stop what is using it or choose another --port"
        ) from None
