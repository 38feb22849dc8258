"""`python -m helpdesk copy`: a desk brought to another database. Its command line, and what people see of it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from helpdesk.db.copy import desk as store
from helpdesk.db.copy import rows as copied_rows
from helpdesk.db.copy.desk import CopyFailed, Mark, Place
from helpdesk.db.copy.rows import TABLES
from helpdesk.db.engine import Connection
from helpdesk.db.engines.opening import open_for_copy, place_of
from helpdesk.domain.words import WORDS_VERSION, index_text
from helpdesk.errors import StartError
from helpdesk.option_values import parse_database_url
from helpdesk.standard_streams import write, write_line

BATCH = 1000  # rows in one transaction: an fsync for each is little then, and what a kill costs is too
BAR_WIDTH = 16
_TICKET_WORDS, _COMMENT_WORDS = "ticket words", "comment words"
_LABEL_WIDTH = 13

_Batch = Callable[[Place], Place]

_ABOUT = """\
Copy a desk, with everything in it, to an empty database: from SQLite to PostgreSQL, back, or within one of them.
Addresses are sqlite:////var/lib/helpdesk/helpdesk.db or postgresql+psycopg://user@host/database; a password
may come from PGPASSWORD or ~/.pgpass.
"""
_MORE = """\
No server may use either of them meanwhile. The source is only read. When the copy was interrupted the same command
goes on where it was; until it is finished, no server starts on the target. At the end all rows are compared.
Exit status: 0 copied and checked, 1 failed on the way, 2 could not begin, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise StartError(f"{message}; see --help")


def main(argv: Sequence[str]) -> int:
    """Run the copy with the given options and return the exit status."""
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of all that follows from an error
    try:
        options = _parser().parse_args(argv)
        _run(_address("--from", options.source), _address("--to", options.target))
        return 0
    except (StartError, CopyFailed) as error:
        write_line(sys.stderr, f"helpdesk copy: {' '.join(str(error).split())}")
        return 2 if isinstance(error, StartError) else 1
    except KeyboardInterrupt:
        write_line(sys.stderr, "helpdesk copy: interrupted; repeat the command to go on from here")
        return 130


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m helpdesk copy",
        description=_ABOUT,
        epilog=_MORE,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="source", metavar="URL", required=True, help="the database to copy")
    parser.add_argument(
        "--to", dest="target", metavar="URL", required=True, help="where to; made when it is a new file"
    )
    return parser


def _address(option: str, text: str) -> str:
    try:
        url = parse_database_url(text)
    except ValueError as error:
        raise StartError(f"{option} must be {error}") from None
    if url is None:
        raise StartError(f"{option} must name a database")
    return url


def _run(source_url: str, target_url: str) -> None:
    source_place, target_place = place_of(source_url), place_of(target_url)
    if source_place == target_place:
        raise StartError("--from and --to name the same database")
    with (
        store.faults_told(),
        open_for_copy(source_url, as_source=True) as source,
        open_for_copy(target_url, as_source=False) as target,
    ):
        mark = store.mark(source)
        place = store.begin(target, source=source_place, of=mark, shown=target_place)
        _copy(source, target, mark, place)
        store.finish(source, target, version=WORDS_VERSION)
        _compare(source, target, mark, target_place)
        store.end(target)
    what = ", ".join(f"{mark.rows[name]:,} {name}" for name in ("tickets", "comments", "users"))
    write_line(sys.stdout, f"copied {what} and all else from {source_place} to {target_place}; every row was compared")


def _copy(source: Connection, target: Connection, mark: Mark, place: Place) -> None:
    """All batches of all steps from `place` on."""
    steps = _steps(source, target)
    names = list(steps)
    for name in names[names.index(place.step) :]:
        if name != place.step:
            place = Place(name)
        with _bar(name, mark.rows[_TABLE_OF.get(name, name)], place.done) as bar:
            while (moved := steps[name](place)) != place:
                bar.add(moved.done - place.done)
                place = moved


_TABLE_OF = {_TICKET_WORDS: "tickets", _COMMENT_WORDS: "comments"}


def _steps(source: Connection, target: Connection) -> dict[str, _Batch]:
    """Return the function that copies one batch of each step, in the order of the steps."""

    def copy(place: Place) -> Place:
        return store.copy_batch(source, target, place, limit=BATCH)

    def index_tickets(place: Place) -> Place:
        return store.index_tickets(target, place, limit=BATCH, words=index_text)

    def index_comments(place: Place) -> Place:
        return store.index_comments(target, place, limit=BATCH, words=index_text)

    # Last, when all tickets are there: the index wants its documents in the order of the tickets.
    return {**dict.fromkeys(TABLES, copy), _TICKET_WORDS: index_tickets, _COMMENT_WORDS: index_comments}


def _compare(source: Connection, target: Connection, mark: Mark, shown: str) -> None:
    """Raise CopyFailed, naming the table, unless the target has what the source has."""

    def differs(name: str) -> CopyFailed:
        return CopyFailed(f"the copy differs from the source in {name}; empty {shown} and start over")

    with _bar("comparing", 2 * sum(mark.rows.values())) as bar:
        for name, table in TABLES.items():
            digests = {copied_rows.digest(conn, table, limit=BATCH, told=bar.add) for conn in (source, target)}
            if len(digests) > 1:
                raise differs(name)
    if store.documents(target) != mark.rows["tickets"] + mark.rows["comments"]:
        raise differs("search")
    if store.counted_tickets(target) != mark.rows["tickets"]:
        raise differs("ticket_counts")


class _Bar:
    """A line of standard error that shows how far one step is; drawn again and again on a terminal."""

    def __init__(self, label: str, total: int, done: int) -> None:
        self._label = label
        self._total = total
        self._done = done
        self._shown = ""
        self._is_terminal = sys.stderr.isatty()
        if self._is_terminal:
            self._draw()

    def add(self, rows: int) -> None:
        """Note that so many more are done."""
        self._done += rows
        if self._is_terminal:
            self._draw()

    def _draw(self) -> None:
        line = _line(self._label, self._done, self._total)
        if line != self._shown:
            write(sys.stderr, "\r" + line)
            self._shown = line

    def end(self) -> None:
        """Leave the line as it is."""
        write(sys.stderr, "\n" if self._is_terminal else _line(self._label, self._done, self._total) + "\n")


@contextmanager
def _bar(label: str, total: int, done: int = 0) -> Iterator[_Bar]:
    bar = _Bar(label, total, done)
    try:
        yield bar
    finally:
        bar.end()


def _line(label: str, done: int, total: int) -> str:
    part = done / total if total else 1.0
    bar = "█" * int(part * BAR_WIDTH)
    return f"{label:<{_LABEL_WIDTH}} {bar:░<{BAR_WIDTH}} {int(100 * part):3} %  {done:,} of {total:,}"
