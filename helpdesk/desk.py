"""What one server is made of, handed to every handler and job."""

from __future__ import annotations

from dataclasses import dataclass

from helpdesk.adapters.redis import Redis
from helpdesk.caches.encoded_tickets import EncodedTickets
from helpdesk.caches.sessions import Sessions
from helpdesk.clock import Clock
from helpdesk.config import Config
from helpdesk.db.engine import Database
from helpdesk.health import StoreCheck
from helpdesk.limits.admission import (
    UNFINISHED_MAX_BYTES,
    UNFINISHED_OF_ADDRESS_MAX_BYTES,
    UNREAD_MAX_BYTES,
    UNREAD_OF_ADDRESS_MAX_BYTES,
    HeldMemory,
)
from helpdesk.limits.login_throttle import LoginThrottle, SharedLoginThrottle, Throttle
from helpdesk.limits.ratelimit import Buckets, Guesses, SharedTokenBuckets, TokenBuckets
from helpdesk.limits.turns import Turns
from helpdesk.live.hub import Hub
from helpdesk.live.wakeups import Wakeups
from helpdesk.logs import AccessLog
from helpdesk.passwords import Passwords
from helpdesk.problems import Problems


@dataclass
class Desk:
    config: Config
    clock: Clock
    db: Database
    passwords: Passwords
    redis: Redis | None  # None where one process has all limits to itself
    buckets: Buckets | None  # None where the rate limit is off
    throttle: Throttle  # failed logins and registrations
    guesses: Guesses | None  # None where the rate limit is off
    sessions: Sessions
    encoded: EncodedTickets
    hub: Hub
    wakeups: Wakeups | None  # None where nobody else writes
    unfinished: HeldMemory  # requests that have not arrived in full
    unread: HeldMemory  # answers that clients have not taken
    access_log: AccessLog
    problems: Problems
    store_check: StoreCheck
    turns: Turns
    started_at: float  # on the monotonic clock, in seconds
    draining: bool = False  # the server stops; connections are closed after their answer
    in_hand: int = 0  # requests whose head has come and that are not answered

    async def close(self) -> None:
        """Let go of all but the database."""
        self.passwords.close()
        self.store_check.close()
        if self.redis is not None:
            await self.redis.close()
        self.access_log.close()


def open_desk(config: Config, clock: Clock, db: Database, problems: Problems) -> Desk:
    """Put the parts together; call it on the event loop. `problems` is what `db` reports to as well."""
    redis = Redis(config.redis_url, problems) if config.redis_url else None
    hub = Hub(db, clock)
    return Desk(
        config=config,
        clock=clock,
        db=db,
        passwords=Passwords(config.bcrypt_cost),
        redis=redis,
        buckets=_buckets(config, clock, redis),
        throttle=_throttle(clock, redis),
        guesses=Guesses(config.rate_limit, clock.monotonic) if config.rate_limit.count else None,
        sessions=Sessions(db, clock),
        encoded=EncodedTickets(db, clock),
        hub=hub,
        wakeups=Wakeups(db, redis, hub) if redis and db.is_shared else None,
        unfinished=HeldMemory(UNFINISHED_MAX_BYTES, UNFINISHED_OF_ADDRESS_MAX_BYTES),
        unread=HeldMemory(UNREAD_MAX_BYTES, UNREAD_OF_ADDRESS_MAX_BYTES),
        access_log=AccessLog(config.log_format),
        problems=problems,
        store_check=StoreCheck(db),
        turns=Turns(),
        started_at=clock.monotonic(),
    )


def _buckets(config: Config, clock: Clock, redis: Redis | None) -> Buckets | None:
    if config.rate_limit.count == 0:
        return None
    own = TokenBuckets(config.rate_limit, clock.monotonic)
    return SharedTokenBuckets(config.rate_limit, redis, own) if redis else own


def _throttle(clock: Clock, redis: Redis | None) -> Throttle:
    own = LoginThrottle(clock.monotonic)
    return SharedLoginThrottle(redis, own) if redis else own
