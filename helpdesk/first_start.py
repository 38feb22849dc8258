"""The first start on an empty database: the demo's accounts and tickets, or the first admin."""

from __future__ import annotations

import asyncio
import secrets
import sys

from helpdesk.db import users
from helpdesk.db.engine import Connection
from helpdesk.desk import Desk
from helpdesk.domain import demo
from helpdesk.errors import StartError
from helpdesk.passwords import hash_password
from helpdesk.standard_streams import write_line

_RANDOM_PASSWORD_BYTES = 12


async def fill_if_empty(desk: Desk) -> None:
    """Seed the demo, or make production's first admin, in one transaction; nothing if people exist."""
    if not await desk.db.read(users.is_empty):
        return
    if desk.config.is_demo:
        await _seed_demo(desk)
    else:
        await _first_admin(desk)


async def _seed_demo(desk: Desk) -> None:
    # Not in the pool, which refuses what has to wait: a start takes the time that it takes.
    cost = desk.config.bcrypt_cost
    hashes = await asyncio.gather(*(asyncio.to_thread(hash_password, a.password, cost) for a in demo.ACCOUNTS))
    now = desk.clock.now()
    await desk.db.write(lambda conn: demo.seed(conn, hashes, now=now))


async def _first_admin(desk: Desk) -> None:
    given = desk.config.admin_password
    password = given or secrets.token_urlsafe(_RANDOM_PASSWORD_BYTES)
    password_hash = await desk.passwords.hash(password)
    now = desk.clock.now()

    def insert(conn: Connection) -> None:
        users.insert(
            conn,
            username="admin",
            name="Administrator",
            email=None,
            role="admin",
            password_hash=password_hash,
            created_at=now,
        )

    if given is None:
        # Before the commit: a start that is killed in between leaves a password too many, not an
        # admin whose password nobody has seen.
        notice = f"The first admin is 'admin' with the password {password} (shown only now; change it after signing in)"
        if not write_line(sys.stderr, notice):
            raise StartError(
                "standard error is closed, so the first admin's password cannot be shown; set HELPDESK_ADMIN_PASSWORD"
            )
    await desk.db.write(insert)


async def refuse_demo_passwords(desk: Desk) -> None:
    """Raise StartError in production mode when a demo account still has the password everybody knows."""
    if desk.config.is_demo:
        return
    for account in demo.ACCOUNTS:
        user = await desk.db.read(lambda conn, name=account.username: users.by_username(conn, name))  # type: ignore[misc]
        if user is not None and await desk.passwords.check(account.password, user.password_hash):
            raise StartError(
                f"the account {account.username} still has its demo password; start in demo mode and change it, "
                "or use another --data-dir"
            )
