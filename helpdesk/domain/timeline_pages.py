"""Paging through a ticket's timeline, and searching it."""

from __future__ import annotations

from typing import Any

import msgspec

from helpdesk.db import timeline as store
from helpdesk.db.engine import Connection
from helpdesk.db.timeline import EntryRow
from helpdesk.domain import views
from helpdesk.domain.access import Actor, visible_ticket
from helpdesk.domain.words import found_words, query_words
from helpdesk.errors import TooSlow
from helpdesk.folding import fold
from helpdesk.messages.timeline import EntryPage, TimelineQuery

_SCAN_STEP = 20  # entries read at once while searching; 3 MB with the longest texts
# Most characters that one search reads (an entry counts as at least ENTRY_MIN). They take 2 to 5 s of CPU, which no
# statement timeout would interrupt. A ticket with 1,250 edits of the longest description has that many.
SEARCHED_MAX, ENTRY_MIN = 50_000_000, 500
_FEW_WORDS = 8  # that are looked for in a text before it is taken apart
_KEPT_TEXTS = 64  # texts cached by a search: an old value is nearly always the new value of the entry before


def page(conn: Connection, actor: Actor, ticket_id: int, query: TimelineQuery) -> EntryPage:
    """Return a page of a ticket's timeline entries, oldest first.

    `query.q` is matched against action, actor and data, with the rules of ticket search. Raise NotFound, and
    TooSlow if the search would have to read more than SEARCHED_MAX characters.
    """
    ticket = visible_ticket(conn, actor, ticket_id)
    internal = actor.is_staff or not ticket.internal_count  # without internal notes there is nothing to filter out
    words = query_words(query.q)
    wanted = query.limit + 1
    if words:
        rows = _search(conn, ticket_id, query, words, wanted, internal=internal)
    else:
        rows = store.page(
            conn,
            ticket_id,
            internal=internal,
            action=query.action,
            limit=wanted,
            offset=query.offset,
        )
    more = len(rows) > query.limit
    return EntryPage([views.entry(r) for r in rows[: query.limit]], query.offset + query.limit if more else None)


def _search(
    conn: Connection, ticket_id: int, query: TimelineQuery, words: tuple[str, ...], wanted: int, *, internal: bool
) -> list[EntryRow]:
    found: list[EntryRow] = []
    skipped, after, searched, finder = 0, 0, 0, _Finder(words)
    while rows := store.of_ticket_after(conn, ticket_id, after, internal=internal, limit=_SCAN_STEP):
        for row in rows:
            searched += max(ENTRY_MIN, len(row.data))
            if searched > SEARCHED_MAX:
                raise TooSlow()
            if query.action not in (None, row.action) or not finder.matches(row):
                continue
            if skipped < query.offset:
                skipped += 1
                continue
            found.append(row)
            if len(found) == wanted:
                return found
        after = rows[-1].id
    return found


class _Finder:
    """Matches entries in which every search word is a prefix of some word.

    A text is split into words only if it contains a search word at all: over 300 edits of a long description, a
    word that occurs in none of them costs 30 ms instead of 2 s.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._kept: dict[str, frozenset[str]] = {}

    def matches(self, row: EntryRow) -> bool:
        """Return whether the entry's action, actor and data contain all the words."""
        names = f"{row.action} {row.actor_username or 'system'} {row.actor_name or ''} {row.action.replace('_', ' ')}"
        missing = set(self._words) - self._found_in(names)
        for text in _texts(msgspec.json.decode(row.data)) if missing else ():
            missing -= self._found_in(text)
            if not missing:
                break
        return not missing

    def _found_in(self, text: str) -> frozenset[str]:
        found = self._kept.get(text)
        if found is None:
            if len(self._kept) >= _KEPT_TEXTS:
                self._kept.clear()
            found = self._kept[text] = frozenset(self._look(text))
        return found

    def _look(self, text: str) -> set[str]:
        there = self._words
        if len(there) <= _FEW_WORDS:
            # Hyphenated words also match when written as one word.
            folded = (text.lower() if text.isascii() else fold(text)).replace("-", "")
            there = tuple(word for word in there if word in folded)
        return found_words(text, there) if there else set()


def _texts(value: Any) -> list[str]:
    """Return every key and value in decoded JSON as text."""
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, *_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None else [str(value)]
