"""The timeline: one entry for each change, written with it, from which a ticket can be rebuilt."""

from __future__ import annotations

from typing import Any

import msgspec

from helpdesk.db import timeline as store
from helpdesk.db.engine import Connection
from helpdesk.messages.fields import Action


def record(
    conn: Connection,
    *,
    ticket_id: int,
    version: int,
    actor_id: int | None,
    action: Action,
    data: dict[str, Any],
    now: int,
    internal: bool = False,
) -> int:
    """Append an entry in the caller's transaction; its id. `actor_id` is None for the system."""
    return store.append(
        conn,
        ticket_id=ticket_id,
        actor_id=actor_id,
        action=action,
        data=msgspec.json.encode(data).decode(),
        version=version,
        internal=internal,
        created_at=now,
    )


def rebuild(entries: list[tuple[Action, dict[str, Any]]]) -> dict[str, Any]:
    """A ticket's fields from its entries alone, oldest first.

    Gives those that PATCH can change, and `version`, `breached`, `comment_count`.
    """
    fields: dict[str, Any] = {}
    for action, data in entries:
        if action == "created":
            fields = {**data, "version": 1, "breached": False, "comment_count": 0}
        elif action == "updated":
            fields |= {name: new for name, (_, new) in data["changes"].items()}
            fields["version"] += 1
        elif action == "commented":
            fields["comment_count"] += 1
        else:
            fields["breached"] = True
    return fields
