"""Changing a ticket: permissions, consequences, and conflicts between concurrent changes."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from helpdesk.db import tickets as store
from helpdesk.db import timeline as timeline_store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.domain import clocks, sla, tickets, timeline, views
from helpdesk.domain.access import Actor, ticket_to_change, visible_ticket
from helpdesk.domain.sla import SlaClock
from helpdesk.domain.tags import normal_tags
from helpdesk.errors import AppError, FieldRequired, Forbidden, PreconditionFailed, VersionMismatch
from helpdesk.messages.tickets import TicketChanges
from helpdesk.terms import Status

CHANGES_MAX = 1000  # that are looked at for what changed since a version
_FIELDS = ("title", "description", "status", "priority", "tags", "assignee_id", "sla_minutes")
_REQUESTER_FIELDS = frozenset({"title", "description", "status"})
# What a requester may set the status to, and from which others.
_REQUESTER_MOVES: dict[Status, frozenset[Status]] = {
    "closed": frozenset({"open", "in_progress", "pending", "resolved"}),
    "open": frozenset({"resolved", "closed"}),
}


def change(
    conn: Connection,
    actor: Actor,
    ticket_id: int,
    changes: TicketChanges,
    *,
    if_match: frozenset[int] | None,
    now: int,
) -> TicketRow:
    """Change a ticket and return it. Setting a field to its present value does nothing.

    `if_match` holds the versions that the If-Match header names. Raise NotFound, Forbidden, FieldRequired,
    InvalidField, or VersionMismatch or PreconditionFailed, whose response body comes from `conflict`.
    """
    ticket = ticket_to_change(conn, actor, ticket_id)
    wanted = _wanted(changes)
    _check_fields(actor, ticket, wanted)
    if changes.version is None and if_match is None:
        raise FieldRequired("version is required: the version of the ticket that you saw", "version")
    if if_match is not None and ticket.version not in if_match:
        raise _conflict(ticket, min(if_match), PreconditionFailed, "If-Match")
    if changes.version is not None and changes.version != ticket.version:
        raise _conflict(ticket, changes.version, VersionMismatch, "version")
    _check_move(actor, ticket, wanted)
    if wanted.get("assignee_id") not in (None, ticket.assignee_id):
        tickets.checked_assignee(conn, wanted["assignee_id"])
    return apply(conn, ticket, wanted, actor=actor, now=now)


def _wanted(changes: TicketChanges) -> dict[str, Any]:
    """Return the fields that the request names, with their new values."""
    names = ("title", "description", "status", "priority", "tags", "sla_minutes")
    wanted = {name: value for name in names if (value := getattr(changes, name)) not in (None, UNSET)}
    if "tags" in wanted:
        wanted["tags"] = normal_tags(wanted["tags"])
    if changes.assignee_id is not UNSET:
        wanted["assignee_id"] = changes.assignee_id
    return wanted


def _check_fields(actor: Actor, ticket: TicketRow, wanted: dict[str, Any]) -> None:
    if actor.is_staff:
        return
    for name in wanted:
        if name not in _REQUESTER_FIELDS:
            raise Forbidden(f"Only agents and admins can change {name}", name)
    if wanted.get("status", ticket.status) not in (*_REQUESTER_MOVES, ticket.status):
        raise Forbidden("You can only close or reopen your ticket; agents set its other statuses", "status")


def _check_move(actor: Actor, ticket: TicketRow, wanted: dict[str, Any]) -> None:
    status = wanted.get("status", ticket.status)
    if actor.is_staff or status == ticket.status:
        return
    if ticket.status not in _REQUESTER_MOVES[status]:
        raise Forbidden(f"A ticket that is {ticket.status} cannot be set to {status} by its requester", "status")


def _conflict(
    ticket: TicketRow, version: int, error: type[VersionMismatch | PreconditionFailed], field: str
) -> AppError:
    return error(
        f"The ticket is at version {ticket.version}, not {version}; merge with what it is now and try again", field
    )


def conflict(conn: Connection, actor: Actor, ticket_id: int, version: int, *, now: int) -> dict[str, Any]:
    """Return the body of the conflict response: the ticket as it is now, and what changed since `version`.

    Call it after the change was refused, in a transaction of its own, so that no writer waits. Raise NotFound.
    """
    ticket = visible_ticket(conn, actor, ticket_id)
    changed: set[str] = set()
    looked_at = 0
    for data in timeline_store.changes_since(conn, ticket_id, version, limit=CHANGES_MAX):
        looked_at += 1
        changed |= msgspec.json.decode(data, type=_Changes).changes.keys()
        if len(changed) == len(_FIELDS):
            break
    if looked_at == CHANGES_MAX:
        changed = set(_FIELDS)  # too far behind to list every change, so all fields count as changed
    current = views.full_ticket(conn, actor, ticket, now=now).ticket
    return {"current": current, "changed": sorted(changed)}


class _Changes(msgspec.Struct):
    """The data of an `updated` entry. The values are not decoded: they may be long."""

    changes: dict[str, msgspec.Raw]


def apply(conn: Connection, ticket: TicketRow, wanted: dict[str, Any], *, actor: Actor, now: int) -> TicketRow:
    """Set the fields and everything derived from them (clock, resolved_at, timeline, search); return the ticket.

    `wanted` uses the field names of PATCH and is already validated. Raise VersionMismatch only if another writer
    changed the row after it was read.
    """
    before = _fields(ticket)
    wanted = dict(wanted)
    if "priority" in wanted and wanted["priority"] != ticket.priority and "sla_minutes" not in wanted:
        wanted["sla_minutes"] = sla.DEFAULT_MINUTES[wanted["priority"]]
    changes = {name: [before[name], new] for name, new in wanted.items() if new != before[name]}
    if not changes:
        return ticket
    ticket = clocks.settle(conn, ticket, now=now)
    new_values = {name: new for name, (_, new) in changes.items()}
    clock = _clock_after(conn, ticket, new_values, now=now)
    after = _with(ticket, new_values, clock, now=now)
    if not store.update(conn, after, was=ticket):
        raise VersionMismatch("The ticket was changed at the same time; read it again", "version")
    if clock is not None:
        clocks.save(conn, ticket.id, clock)
    timeline.record(
        conn,
        ticket_id=ticket.id,
        version=after.version,
        actor=actor,
        action="updated",
        data={"changes": changes},
        now=now,
    )
    if after.breached and not ticket.breached:
        clocks.record_breach(conn, after, now=now)  # the new deadline has already passed
    if changes.keys() & {"title", "description", "tags"}:
        tickets.reindex(conn, ticket, after)
    # Read again: a new assignee's name comes from another table.
    return store.by_id(conn, ticket.id) or after


def _fields(ticket: TicketRow) -> dict[str, Any]:
    return {
        "title": ticket.title,
        "description": ticket.description,
        "status": ticket.status,
        "priority": ticket.priority,
        "tags": ticket.tag_list,
        "assignee_id": ticket.assignee_id,
        "sla_minutes": ticket.sla_minutes,
    }


def _clock_after(conn: Connection, ticket: TicketRow, new: dict[str, Any], *, now: int) -> SlaClock | None:
    """Return the ticket's clock after the change, or None if the change leaves it alone."""
    if not new.keys() & {"status", "sla_minutes"}:
        return None
    clock = clocks.of_ticket(conn, ticket.id)
    if "sla_minutes" in new:
        clock = sla.with_minutes(clock, new["sla_minutes"], now)
    return sla.follow(clock, new.get("status", ticket.status), now)


def _with(ticket: TicketRow, new: dict[str, Any], clock: SlaClock | None, *, now: int) -> TicketRow:
    status: Status = new.get("status", ticket.status)
    columns = {name: value for name, value in new.items() if name != "tags"}
    if clock is not None:
        columns |= clocks.columns(clock)
    if "tags" in new:
        columns["tags"] = " ".join(new["tags"])
    return replace(
        ticket,
        **columns,
        resolved_at=_resolved_at(ticket, status, now),
        version=ticket.version + 1,
        updated_at=now,
    )


def _resolved_at(ticket: TicketRow, status: Status, now: int) -> int | None:
    if status in ("resolved", "closed"):
        return ticket.resolved_at if ticket.resolved_at is not None else now
    return None
