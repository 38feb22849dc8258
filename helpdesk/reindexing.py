"""Making the search index anew at the start, when it holds the words of another version of the words' function."""

from __future__ import annotations

import logging
from collections.abc import Callable

from helpdesk.db.engine import Connection
from helpdesk.db.search import rebuilding
from helpdesk.db.search.rebuilding import State
from helpdesk.desk import Desk
from helpdesk.domain.words import WORDS_VERSION, index_text

log = logging.getLogger("helpdesk")

BATCH = 1000  # rows in one transaction: what a kill costs, and how long a stop waits
_SAY_EACH_S = 5.0


async def reindex_if_outdated(desk: Desk, is_stopped: Callable[[], bool]) -> None:
    """Index all texts anew unless the index is whole and of this version; say in the log how far it is.

    Returns early once `is_stopped`; the next start goes on from there. Nothing here may be refused because it
    waited: after a large migration the writing thread is busy with the log for longer than a request would wait.
    """
    if await desk.db.read_promptly(lambda conn: rebuilding.is_whole(conn, WORDS_VERSION)):
        return
    reached = await desk.db.write_promptly(_begin)
    said_at = desk.clock.monotonic()
    while not reached.is_whole and not is_stopped():
        step, done = reached.step, reached.done
        reached = await desk.db.write_promptly(lambda conn, at=reached: _advance(conn, at))  # type: ignore[misc]
        is_step_done = reached.step != step and done > 0
        if is_step_done or desk.clock.monotonic() >= said_at + _SAY_EACH_S:
            said_at = desk.clock.monotonic()
            await _say(desk, State(WORDS_VERSION, step, (), done) if reached.step != step else reached)


def _begin(conn: Connection) -> State:
    return _advance(conn, rebuilding.begin(conn, WORDS_VERSION))


def _advance(conn: Connection, reached: State) -> State:
    """One batch; and the next, where a step ends, so that a new desk needs one transaction."""
    step = reached.step
    while not reached.is_whole:
        reached = rebuilding.advance(conn, reached, limit=BATCH, words=index_text)
        if reached.step == step:
            break
        step = reached.step
    return reached


async def _say(desk: Desk, reached: State) -> None:
    total = await desk.db.read_promptly(lambda conn: rebuilding.total(conn, reached.step))
    done = f"{reached.done} of about {total}"
    log.info("search index: %s, %s, for words of version %s", reached.step, done, WORDS_VERSION)
