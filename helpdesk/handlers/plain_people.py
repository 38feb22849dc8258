"""People, one's own account and the desk's figures, on the plain pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.db.users import UserRow
from helpdesk.domain import access, accounts, reports, tickets
from helpdesk.domain.idempotency import Answer
from helpdesk.domain.sign_in import until_verified
from helpdesk.errors import AppError
from helpdesk.handlers.plain_base import PlainHandler
from helpdesk.messages.accounts import AccountChanges, MyChanges, NewAccount, UsersQuery
from helpdesk.messages.parsing import parse_body, parse_form, parse_query
from helpdesk.messages.reports import OverviewQuery
from helpdesk.messages.tickets import StatsQuery
from helpdesk.terms import ROLES
from helpdesk.web.api import ID


class _StaffHandler(PlainHandler):
    def check_role(self) -> None:
        if self._actor is not None and not self._actor.is_staff:
            raise errors.Forbidden("Only agents and admins may see this")


class _AdminHandler(PlainHandler):
    def check_role(self) -> None:
        if self._actor is not None and self._actor.role != "admin":
            raise errors.Forbidden("Only admins may do this")


class PlainPeopleHandler(_StaffHandler):
    async def get(self) -> None:
        """GET /plain/people"""
        arguments = {n: v for n, v in self.request.query_arguments.items() if any(v)}
        query = parse_query(UsersQuery, arguments)
        page = await self.read_list(query, lambda conn: accounts.page(conn, query))
        kept = [(n, v.decode("utf-8", "replace")) for n, vs in arguments.items() for v in vs if n != "offset"]
        back = max(0, query.offset - query.limit) if query.offset else None
        self.show(
            "people.html",
            people=page.items,
            query=query,
            roles=ROLES,
            following=None if page.next_offset is None else "?" + urlencode([*kept, ("offset", page.next_offset)]),
            previous=None if back is None else "?" + urlencode([*kept, ("offset", back)]),
        )


class PlainNewPersonHandler(_AdminHandler):
    _FIELDS = ("username", "password", "name", "email", "role")

    async def get(self) -> None:
        """GET /plain/people/new"""
        self.show("new_person.html", roles=ROLES)

    async def post(self) -> None:
        """POST /plain/people/new"""
        await self.attempt(self._create, self._again)

    async def _create(self) -> None:
        fields = self.form(*self._FIELDS)
        new = parse_form(NewAccount, fields)
        password_hash = await self.desk.passwords.hash(new.password)

        def work(conn: Connection) -> Answer:
            now, role = self.desk.clock.now(), new.role or "user"
            user = accounts.register(conn, new, password_hash=password_hash, role=role, now=now)
            return Answer(303, headers={"Location": f"/plain/people/{user.id}"})

        done = await self.once(work, {n: t for n, t in fields.items() if n != "password"})  # no digest may hold it
        self.redirect(done.headers["Location"], status=303)

    async def _again(self, error: AppError) -> None:
        self.show("new_person.html", roles=ROLES, error=error, sent=self.typed("username", "name", "email", "role"))


class PlainPersonHandler(_AdminHandler):
    _FIELDS = ("name", "email", "role", "active")

    async def get(self, number: str) -> None:
        """GET /plain/people/:id"""
        await self._show(number)

    async def post(self, number: str) -> None:
        """POST /plain/people/:id"""
        await self.attempt(lambda: self._save(number), lambda error: self._show(number, error))

    async def _show(self, number: str, error: AppError | None = None) -> None:
        user_id = _user_id(number)
        person = await self.read(lambda conn: accounts.read(conn, user_id))
        values = {"name": person.name or "", "email": person.email or "", "role": person.role}
        values |= {"active": "true" if person.active else "false"}
        sent = {name: self.typed_as(name, name) for name in values if name in self.request.body_arguments}
        self.show("person.html", person=person, values=values | sent, sent=sent, roles=ROLES, error=error)

    async def _save(self, number: str) -> None:
        user_id = _user_id(number)
        fields = {n: self.typed_as(n, n) for n in self._FIELDS if n in self.request.body_arguments}
        self.form(*self._FIELDS)  # refuses what stands twice or is not UTF-8
        changes = parse_form(AccountChanges, fields)

        def work(conn: Connection) -> Answer:
            accounts.change(conn, user_id, changes, by=self.actor)
            return Answer(303)

        await self.once(work, fields)
        self.redirect("/plain/people", status=303)


class PlainAccountHandler(PlainHandler):
    async def get(self) -> None:
        """GET /plain/account"""
        await self._show()

    async def post(self) -> None:
        """POST /plain/account: names, or a new password, which signs one out everywhere else"""
        is_secret = "password" in self.request.body_arguments
        await self.attempt(self._set_password if is_secret else self._set_names, self._show)

    async def _show(self, error: AppError | None = None) -> None:
        person = await self.read(lambda conn: accounts.read(conn, self.actor.id))
        values = {"name": person.name or "", "email": person.email or ""}
        sent = {name: self.typed_as(name, name) for name in values if name in self.request.body_arguments}
        done = (
            ""
            if error
            else {"names": "Saved.", "password": "Your password is changed."}.get(
                self.get_query_argument("saved", ""), ""
            )
        )
        self.show("account.html", person=person, values=values | sent, sent=sent, error=error, done=done)

    async def _set_names(self) -> None:
        self.form("name", "email")  # refuses what stands twice or is not UTF-8
        fields: dict[str, str] = {
            str(n): self.typed_as(n, n) for n in ("name", "email") if n in self.request.body_arguments
        }
        changes = parse_body(MyChanges, fields)
        await self.once(self._work(changes, None, None), fields)
        self.redirect("/plain/account?saved=names", status=303)

    async def _set_password(self) -> None:
        changes = parse_form(MyChanges, self.form("password", "current_password"))
        password, current = changes.password, changes.current_password
        if password is None or current is None:
            name = "current_password" if password else "password"
            raise errors.FieldRequired(f"{name.replace('_', ' ')} is required", name)
        try:
            await until_verified(lambda: self._change_password(changes, password, current))
        except errors.InvalidCredentials:
            raise errors.InvalidField("The current password is wrong", "current_password") from None
        self.redirect("/plain/account?saved=password", status=303)

    async def _change_password(self, changes: MyChanges, password: str, current: str) -> None:
        user = await self.read(lambda conn: user_store.by_id(conn, self.actor.id))
        await self.check_password(self.actor.username, current, user)
        password_hash = await self.desk.passwords.hash(password)
        await self.perform(self._work(changes, user, password_hash), confirms=False)

    def _work(self, changes: MyChanges, verified: UserRow | None, password_hash: str | None) -> Any:
        def work(conn: Connection) -> Answer:
            access.confirm(conn, self.actor)
            accounts.change_own(conn, self.actor, changes, verified=verified, password_hash=password_hash)
            return Answer(303)

        return work


class PlainFiguresHandler(_StaffHandler):
    async def get(self) -> None:
        """GET /plain/figures"""
        arguments = {n: v for n, v in self.request.query_arguments.items() if any(v)}
        days, now = parse_query(OverviewQuery, arguments).days, self.desk.clock.now()
        stats = await self.read(lambda conn: tickets.stats(conn, self.actor, StatsQuery(unresolved=True), now=now))
        everything = await self.read(lambda conn: tickets.stats(conn, self.actor, StatsQuery(), now=now))
        overview = await self.desk.db.read_slowly(lambda conn: reports.overview(conn, days=days, now=now))
        self.show("figures.html", stats=stats, everything=everything, overview=overview)


def _user_id(number: str) -> int:
    if not ID.fullmatch(number):
        raise errors.NotFound("user")
    return int(number)
