"""People, for agents and admins."""

from __future__ import annotations

from helpdesk import errors
from helpdesk.db.engine import Connection
from helpdesk.domain import accounts
from helpdesk.domain.idempotency import Answer
from helpdesk.messages.accounts import AccountChanges, User, UserPage, UsersQuery
from helpdesk.web.api import ApiHandler, answer
from helpdesk.web.calls import call


class UsersHandler(ApiHandler):
    @call("List people", params=UsersQuery, answer=UserPage)
    async def get(self) -> None:
        """GET /api/users"""
        query = self.params_as(UsersQuery)
        self.send_json(await self.read(lambda conn: accounts.page(conn, query)))


class UserHandler(ApiHandler):
    @call("One person", answer=User)
    async def get(self, user_id: int) -> None:
        """GET /api/users/:id"""
        self.send_json(await self.read(lambda conn: accounts.read(conn, user_id)))

    @call(
        "Change a person's role, names or whether they may sign in",
        body=AccountChanges,
        answer=User,
        errors=(errors.LastAdmin,),
    )
    async def patch(self, user_id: int) -> None:
        """PATCH /api/users/:id"""
        changes = self.body_as(AccountChanges)

        def work(conn: Connection) -> Answer:
            return answer(accounts.change(conn, user_id, changes, by=self.actor))

        await self.transact(work, confirms=False)
