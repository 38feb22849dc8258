"""A state machine over create, patch, comment and retry, against a small model of what must be true."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from helpdesk.db import users
from helpdesk.domain import comments, idempotency, ticket_changes, tickets, views
from helpdesk.domain.access import Actor, visible_ticket
from helpdesk.domain.idempotency import Answer, Claim
from helpdesk.errors import AppError, IdempotencyKeyReused, TicketClosed, VersionMismatch
from helpdesk.messages.comments import NewComment
from helpdesk.messages.tickets import NewTicket, TicketChanges
from helpdesk.terms import STATUSES
from tests.databases import Databases

words = st.sampled_from(["alpha", "beta", "gamma", "Δelta", "東京"])


class Desk(RuleBasedStateMachine):
    """Two people, one database; every request has a key and may be repeated."""

    databases: Databases
    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.engine = self.databases.engine(self.databases.new_url())
        self.conn = self.engine.connect()
        self.now = 1_700_000_000_000
        self.model: dict[int, dict[str, Any]] = {}
        self.keys = 0

    @initialize()
    def people(self) -> None:
        self.who = {}
        with self.databases.transaction(self.conn):
            for name in ("user", "agent"):
                user_id = users.insert(
                    self.conn,
                    username=name,
                    name=None,
                    email=None,
                    role=name,  # type: ignore[arg-type]
                    password_hash="",
                    created_at=0,
                )
                self.who[name] = Actor(user_id or 0, name, None, name)  # type: ignore[arg-type]

    def once(self, request: dict[str, Any]) -> Answer:
        """Do a request as the server would: in a transaction that is undone when it fails."""
        actor: Actor = self.who[request["who"]]
        claim = Claim(
            f"user:{actor.id}",
            request["key"],
            idempotency.fingerprint("POST", request["kind"], request["body"]),
            actor.is_staff,
            self.now,
            24,
        )
        with self.databases.transaction(self.conn):
            return idempotency.once(self.conn, claim, lambda conn: self.work(actor, request))

    def work(self, actor: Actor, request: dict[str, Any]) -> Answer:
        body, conn = request["body"], self.conn
        if request["kind"] == "create":
            made = tickets.create(conn, actor, NewTicket(**body), now=self.now, may_set_sla=True)
            return Answer(201, msgspec.json.encode(made.ticket.id))
        if request["kind"] == "patch":
            row = ticket_changes.change(
                conn, actor, body["id"], TicketChanges(**body["changes"]), if_match=None, now=self.now
            )
            return Answer(200, msgspec.json.encode(row.version))
        made_comment = comments.add(conn, actor, body["id"], NewComment(**body["new"]), now=self.now)
        return Answer(201, msgspec.json.encode(made_comment.id))

    def send(self, kind: str, who: str, body: dict[str, Any]) -> dict[str, Any]:
        self.keys += 1
        self.now += 60_000
        request = {"kind": kind, "who": who, "body": body, "key": f"k{self.keys}"}
        try:
            answer = self.once(request)
            request["answer"] = answer.body
            self.follow(request, msgspec.json.decode(answer.body))
        except AppError as error:
            request["error"] = type(error)
        return request

    def follow(self, request: dict[str, Any], answer: int) -> None:
        """Do to the model what was done to the database."""
        body = request["body"]
        if request["kind"] == "create":
            fields = {"title": body["title"], "status": "open", "version": 1, "comments": 0, "changes": 0}
            self.model[answer] = fields | {"words": {body["title"], body["description"]}}
            return
        ticket = self.model[body["id"]]
        if request["kind"] == "patch":
            changed = {n: v for n, v in body["changes"].items() if n != "version" and ticket[n] != v}
            if "title" in changed:
                ticket["words"] = (ticket["words"] - {ticket["title"]}) | {changed["title"]}
            ticket |= changed
            ticket["version"] += bool(changed)
            ticket["changes"] += bool(changed)
            return
        ticket["comments"] += 1
        if request["who"] == "user" and ticket["status"] in ("pending", "resolved"):
            ticket["status"] = "open"
            ticket["version"] += 1
            ticket["changes"] += 1

    @rule(target=sent, title=words, description=st.just("something else"))
    def create(self, title: str, description: str) -> dict[str, Any]:
        return self.send("create", "user", {"title": title, "description": description})

    @rule(target=sent, data=st.data(), title=words, status=st.sampled_from(STATUSES), stale=st.booleans())
    def patch(self, data: st.DataObject, title: str, status: str, stale: bool) -> dict[str, Any]:
        ticket_id = data.draw(st.sampled_from(sorted(self.model) or [1]))
        version = self.model.get(ticket_id, {}).get("version", 1)
        changes = {"title": title, "status": status, "version": version - 1 if stale and version > 1 else version}
        request = self.send("patch", "agent", {"id": ticket_id, "changes": changes})
        if ticket_id in self.model:
            assert (request.get("error") is VersionMismatch) == (stale and version > 1)
        return request

    @rule(target=sent, data=st.data(), who=st.sampled_from(["user", "agent"]), body=words)
    def comment(self, data: st.DataObject, who: str, body: str) -> dict[str, Any]:
        ticket_id = data.draw(st.sampled_from(sorted(self.model) or [1]))
        status = self.model.get(ticket_id, {}).get("status")
        request = self.send("comment", who, {"id": ticket_id, "new": {"body": body}})
        assert (request.get("error") is TicketClosed) == (status == "closed" and who == "user")
        return request

    @rule(request=sent)
    def retry(self, request: dict[str, Any]) -> None:
        """A repeated request gives the same answer; one that failed may be tried again."""
        if "answer" in request:
            again = self.once(request)
            assert again.replayed and again.body == request["answer"]

    @rule(request=sent)
    def reuse_the_key(self, request: dict[str, Any]) -> None:
        if "answer" in request:
            other = request | {"body": request["body"] | {"other": 1}}
            try:
                self.once(other)
                raise AssertionError("another request took the key")
            except IdempotencyKeyReused:
                pass

    @invariant()
    def the_database_is_the_model(self) -> None:
        for ticket_id, expected in self.model.items():
            row = visible_ticket(self.conn, self.who["agent"], ticket_id)
            assert (row.title, row.status, row.version) == (expected["title"], expected["status"], expected["version"])
            shown = views.full_ticket(self.conn, self.who["user"], row, now=self.now).ticket
            assert len(shown.comments) == shown.comment_count == expected["comments"]
            actions = [entry.action for entry in shown.timeline]
            assert actions.count("updated") == expected["changes"] == row.version - 1
            assert actions.count("commented") == expected["comments"]

    def teardown(self) -> None:
        self.conn.close()
        self.engine.dispose()


@pytest.fixture(autouse=True)
def _databases(databases: Databases) -> None:
    Desk.databases = databases


TestDesk = Desk.TestCase
TestDesk.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
