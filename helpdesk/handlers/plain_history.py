"""What happened to a ticket, on the plain pages: page by page, with every text whole."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import timeline_pages
from helpdesk.handlers.plain_base import PlainHandler
from helpdesk.handlers.plain_ticket import ticket_id_of
from helpdesk.handlers.plain_words import spoken
from helpdesk.messages.parsing import parse_query
from helpdesk.messages.timeline import Entry, TimelineQuery
from helpdesk.terms import ACTIONS

_LONG = 80  # characters; longer values are folded away


class Change(Struct, frozen=True):
    """One field of an entry; `old` is None where the ticket was created."""

    field: str
    old: str | None
    new: str

    @property
    def is_long(self) -> bool:
        return len(self.old or "") + len(self.new) > _LONG or "\n" in self.new


class Line(Struct, frozen=True):
    """An entry as the page shows it."""

    entry: Entry
    changes: list[Change]
    comment_id: int | None


class PlainHistoryHandler(PlainHandler):
    async def get(self, number: str) -> None:
        """GET /plain/tickets/:id/history"""
        ticket_id = ticket_id_of(number)
        arguments = {n: v for n, v in self.request.query_arguments.items() if any(v)}
        query = parse_query(TimelineQuery, arguments)

        def work(conn: Connection) -> tuple[list[Line], int | None]:
            page = timeline_pages.page(conn, self.actor, ticket_id, query)
            return lines(conn, page.items), page.next_offset

        shown, offset = await self.read_list(query, work)
        kept = [(n, v.decode("utf-8", "replace")) for n, vs in arguments.items() for v in vs if n != "offset"]
        back = max(0, query.offset - query.limit) if query.offset else None
        self.show(
            "history.html",
            ticket_id=ticket_id,
            lines=shown,
            query=query,
            actions=ACTIONS,
            following=None if offset is None else "?" + urlencode([*kept, ("offset", offset)]),
            previous=None if back is None else "?" + urlencode([*kept, ("offset", back)]),
        )


def lines(conn: Connection, entries: list[Entry]) -> list[Line]:
    """Return the entries with what they changed in words."""
    names: dict[int, str] = {}
    return [_line(conn, names, entry) for entry in entries]


def _line(conn: Connection, names: dict[int, str], entry: Entry) -> Line:
    data: dict[str, Any] = msgspec.json.decode(entry.data)
    fields: dict[str, Any] = {}
    if entry.action == "updated":
        fields = data["changes"]
    elif entry.action == "created":
        fields = {name: [None, value] for name, value in data.items()}
    changes = [
        Change(
            spoken(name.removesuffix("_id")),
            _written(conn, names, name, old) if entry.action == "updated" else None,
            _written(conn, names, name, new),
        )
        for name, (old, new) in fields.items()
    ]
    return Line(entry, changes, data.get("comment_id"))


def _written(conn: Connection, names: dict[int, str], field: str, value: Any) -> str:
    if field == "assignee_id" and isinstance(value, int):
        if value not in names:
            user = user_store.by_id(conn, value)
            names[value] = user.name or user.username if user else str(value)
        return names[value]
    if field in ("status", "priority"):
        return spoken(str(value))
    if isinstance(value, list):
        return " ".join(value) or "none"
    return "none" if value is None else str(value)
