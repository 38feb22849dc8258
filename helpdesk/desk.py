"""What one server is made of, handed to every handler and job."""

from __future__ import annotations

from dataclasses import dataclass

from helpdesk.clock import Clock
from helpdesk.config import Config
from helpdesk.db.engine import Database
from helpdesk.encoded_tickets import EncodedTickets
from helpdesk.live import Hub
from helpdesk.login_throttle import LoginThrottle
from helpdesk.logs import AccessLog
from helpdesk.passwords import Passwords
from helpdesk.ratelimit import TokenBuckets
from helpdesk.sessions import Sessions


@dataclass
class Desk:
    config: Config
    clock: Clock
    db: Database
    passwords: Passwords
    buckets: TokenBuckets | None  # None where the rate limit is off
    logins: LoginThrottle
    sessions: Sessions
    encoded: EncodedTickets
    hub: Hub
    access_log: AccessLog
    started_at: float  # on the monotonic clock, in seconds
    draining: bool = False  # the server stops; connections are closed after their answer
    in_hand: int = 0  # requests that a handler works on


def open_desk(config: Config, clock: Clock, db: Database) -> Desk:
    """Put the parts together; to be called on the event loop."""
    limited = config.rate_limit.count > 0
    return Desk(
        config=config,
        clock=clock,
        db=db,
        passwords=Passwords(config.bcrypt_cost),
        buckets=TokenBuckets(config.rate_limit, clock.monotonic) if limited else None,
        logins=LoginThrottle(config.login_limit, clock.monotonic),
        sessions=Sessions(db, clock),
        encoded=EncodedTickets(db, clock),
        hub=Hub(db, clock),
        access_log=AccessLog(config.log_format),
        started_at=clock.monotonic(),
    )
