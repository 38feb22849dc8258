"""The signed-in caller and what they may see."""

from __future__ import annotations

from msgspec import Struct

from helpdesk.db import tickets as ticket_store
from helpdesk.db import tokens as token_store
from helpdesk.db.engine import Connection
from helpdesk.db.tickets import TicketRow
from helpdesk.errors import NotFound
from helpdesk.messages.accounts import Person
from helpdesk.terms import Role


class Actor(Struct, frozen=True):
    """A signed-in caller. `token_digest` is the SHA-256 of the token they came with."""

    id: int
    username: str
    name: str | None
    role: Role
    token_digest: bytes = b""

    @property
    def is_staff(self) -> bool:
        return self.role != "user"

    @property
    def person(self) -> Person:
        return Person(self.id, self.username, self.name, self.role)

    def may_see(self, ticket: TicketRow) -> bool:
        return self.is_staff or ticket.creator_id == self.id


class ActorChanged(Exception):
    """The caller's token or role changed during the request.

    `actor` is the caller as of now, None when the token is no longer valid.
    """

    def __init__(self, actor: Actor | None) -> None:
        super().__init__()
        self.actor = actor


def confirm(conn: Connection, actor: Actor) -> None:
    """Raise ActorChanged unless the actor's token still works, with the same role.

    Both were read before this transaction began. Call this at the end of the transaction: the account is then locked
    only until the commit, so a change to the account does not wait for whatever this transaction waited for.
    """
    owner = token_store.kept_owner(conn, actor.token_digest)
    if owner is None:
        raise ActorChanged(None)
    if owner.role != actor.role:
        raise ActorChanged(Actor(owner.user_id, owner.username, owner.name, owner.role, actor.token_digest))


def ticket_to_change(conn: Connection, actor: Actor, ticket_id: int) -> TicketRow:
    """Lock the ticket until this transaction ends and return it. Raise NotFound as `visible_ticket` does."""
    ticket_store.lock(conn, ticket_id)
    return visible_ticket(conn, actor, ticket_id)


def visible_ticket(conn: Connection, actor: Actor, ticket_id: int) -> TicketRow:
    """Return the ticket.

    Raise NotFound if it does not exist or the actor may not see it; the caller cannot tell the two apart.
    """
    ticket = ticket_store.by_id(conn, ticket_id)
    if ticket is None or not actor.may_see(ticket):
        raise NotFound("ticket")
    return ticket


def may_see(conn: Connection, actor: Actor, ticket_id: int) -> bool:
    """Return whether the ticket exists and the actor may see it."""
    ticket = ticket_store.by_id(conn, ticket_id)
    return ticket is not None and actor.may_see(ticket)
