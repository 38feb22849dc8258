"""The timeline: one entry per change, written in the same transaction. A ticket can be rebuilt from its entries."""

from __future__ import annotations

from typing import Any

from helpdesk.db import timeline as store
from helpdesk.db.engine import Connection
from helpdesk.db.timeline import EntryRow
from helpdesk.domain.access import Actor
from helpdesk.messages.encoding import encode
from helpdesk.terms import Action, ClockName


def record(
    conn: Connection,
    *,
    ticket_id: int,
    version: int,
    actor: Actor | None,
    action: Action,
    data: dict[str, Any],
    now: int,
    internal: bool = False,
    clock: ClockName | None = None,
    run: int | None = None,
) -> EntryRow:
    """Append an entry in the caller's transaction and return it.

    `actor` is None for the system. `clock` and `run` are set for a clock event; the database accepts each event
    once per run.
    """
    encoded = encode(data).decode()
    actor_id = actor.id if actor else None
    entry_id = store.append(
        conn,
        ticket_id=ticket_id,
        actor_id=actor_id,
        action=action,
        data=encoded,
        version=version,
        internal=internal,
        created_at=now,
        clock=clock,
        run=run,
    )
    return EntryRow(
        id=entry_id,
        ticket_id=ticket_id,
        action=action,
        data=encoded,
        internal=internal,
        created_at=now,
        actor_id=actor_id,
        actor_username=actor.username if actor else None,
        actor_name=actor.name if actor else None,
        actor_role=actor.role if actor else None,
    )


def rebuild(entries: list[tuple[Action, dict[str, Any]]]) -> dict[str, Any]:
    """Rebuild a ticket's fields from its entries, which are given oldest first.

    Return the fields that PATCH can change, and `version`, `breached` and `comment_count`.
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
