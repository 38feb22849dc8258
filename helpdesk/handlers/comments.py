"""Comments on a ticket."""

from __future__ import annotations

import msgspec

from helpdesk import errors
from helpdesk.db.engine import Connection
from helpdesk.domain import comments
from helpdesk.domain.access import may_see
from helpdesk.domain.idempotency import Answer
from helpdesk.messages.comments import Comment, CommentPage, CommentsQuery, NewComment
from helpdesk.web.api import ApiHandler, answer
from helpdesk.web.calls import call


class CommentsHandler(ApiHandler):
    @call("A ticket's comments, oldest first", params=CommentsQuery, answer=CommentPage, errors=(errors.NotFound,))
    async def get(self, ticket_id: int) -> None:
        """GET /api/tickets/:id/comments"""
        query = self.params_as(CommentsQuery)
        self.send_json(await self.read(lambda conn: comments.page(conn, self.actor, ticket_id, query)))

    @call(
        "Comment on a ticket",
        body=NewComment,
        answer=Comment,
        status=201,
        errors=(errors.Forbidden, errors.NotFound, errors.TicketClosed),
        returns_headers=("Location",),
    )
    async def post(self, ticket_id: int) -> None:
        """POST /api/tickets/:id/comments"""
        new = self.body_as(NewComment)

        def work(conn: Connection) -> Answer:
            comment = comments.add(conn, self.actor, ticket_id, new, now=self.desk.clock.now())
            return answer(comment, 201, Location=f"/api/tickets/{ticket_id}/comments#{comment.id}")

        def still_visible(conn: Connection, made: Answer) -> bool:
            is_internal = msgspec.json.decode(made.body, type=Comment).internal
            return not is_internal and may_see(conn, self.actor, ticket_id)

        await self.transact(work, still_visible=still_visible)
