"""Reading a ticket's timeline, page by page, and searching it."""

from __future__ import annotations

from typing import Any

import msgspec

from helpdesk.db import timeline as store
from helpdesk.db.engine import Connection
from helpdesk.db.timeline import EntryRow
from helpdesk.domain import views
from helpdesk.domain.access import Actor, visible_ticket
from helpdesk.domain.words import is_found, query_words
from helpdesk.messages.timeline import EntryPage, TimelineQuery

_SCAN_STEP = 200  # entries read at once while searching


def page(conn: Connection, actor: Actor, ticket_id: int, query: TimelineQuery) -> EntryPage:
    """A page of what happened to a ticket, oldest first.

    Raises NotFound. `query.q` is searched in action, actor and data, with the rules of the search.
    """
    visible_ticket(conn, actor, ticket_id)
    words = query_words(query.q)
    wanted = query.limit + 1
    if words:
        rows = _search(conn, actor, ticket_id, query, words, wanted)
    else:
        rows = store.page(
            conn,
            ticket_id,
            internal=actor.is_staff,
            action=query.action,
            limit=wanted,
            offset=query.offset,
        )
    more = len(rows) > query.limit
    return EntryPage([views.entry(r) for r in rows[: query.limit]], query.offset + query.limit if more else None)


def _search(
    conn: Connection, actor: Actor, ticket_id: int, query: TimelineQuery, words: tuple[str, ...], wanted: int
) -> list[EntryRow]:
    found: list[EntryRow] = []
    skipped, after = 0, 0
    while rows := store.of_ticket_after(conn, ticket_id, after, internal=actor.is_staff, limit=_SCAN_STEP):
        for row in rows:
            if query.action not in (None, row.action) or not _matches(row, words):
                continue
            if skipped < query.offset:
                skipped += 1
                continue
            found.append(row)
            if len(found) == wanted:
                return found
        after = rows[-1].id
    return found


def _matches(row: EntryRow, words: tuple[str, ...]) -> bool:
    names = f"{row.action} {row.actor_username or 'system'} {row.actor_name or ''}"
    data = " ".join(_texts(msgspec.json.decode(row.data)))
    return is_found(f"{names} {row.action.replace('_', ' ')} {data}", words)


def _texts(value: Any) -> list[str]:
    """Every name and value in decoded JSON, as text."""
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, *_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None else [str(value)]
