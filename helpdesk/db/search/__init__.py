"""Which words stand in which ticket: FTS5 on SQLite.

A document is a ticket's own text (number 0) or its n-th comment. Words come from domain/words.py;
nothing a person typed is ever read as a search engine's syntax.
"""

from __future__ import annotations

from helpdesk.db.search.fts5 import add, remove
from helpdesk.db.search.fts5_pages import page

__all__ = ["add", "page", "remove"]
