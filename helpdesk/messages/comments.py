"""Messages about comments."""

from __future__ import annotations

import msgspec

from helpdesk.messages import fields as f
from helpdesk.messages.accounts import Person


class NewComment(msgspec.Struct, forbid_unknown_fields=True):
    body: f.Prose
    parent: f.Id | None = None
    internal: f.Flag | None = None


class CommentsQuery(msgspec.Struct, forbid_unknown_fields=True):
    limit: f.Limit = f.PAGE_DEFAULT
    offset: f.Offset = 0


class Comment(msgspec.Struct, frozen=True):
    id: int
    ticket_id: int
    parent: int | None
    author: Person
    body: str
    internal: bool
    created_at: str


class CommentPage(msgspec.Struct, frozen=True):
    items: list[Comment]
    next_offset: int | None
