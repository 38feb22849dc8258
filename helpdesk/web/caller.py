"""Who is calling, how often, and doing a thing once: shared by the API and the plain pages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from helpdesk import errors
from helpdesk.db import users as user_store
from helpdesk.db.engine import Connection
from helpdesk.domain import idempotency
from helpdesk.domain.access import Actor, ActorChanged, confirm
from helpdesk.domain.idempotency import Answer, Claim
from helpdesk.limits.ratelimit import GuessesSpent, Standing
from helpdesk.web.addresses import limit_key
from helpdesk.web.handler import HttpHandler

T = TypeVar("T")


class Search(Protocol):
    """Parameters of a list; with `q` it is searched."""

    @property
    def q(self) -> str | None: ...


def always_visible(_conn: Connection, _answer: Answer) -> bool:
    """For `perform`: what a call answers about the caller's own account, whatever their role is now."""
    return True


class CallerHandler(HttpHandler):
    """A handler that knows its caller. `sent_token` says where the token comes from."""

    def initialize(self, **kwargs: Any) -> None:
        self._standing: Standing | None = None
        self._actor: Actor | None = None
        self._refused_token: errors.AppError | None = None
        self.idempotency_key: str | None = None
        self.fields: dict[str, Any] = {}  # the request's body, decoded
        super().initialize(**kwargs)

    def set_shared_headers(self) -> None:
        super().set_shared_headers()
        if self._standing is not None:
            self._set_rate_fields(self._standing)

    @abstractmethod
    def sent_token(self) -> str | None:
        """The token that the request came with; None for none. Raises InvalidHeader for a malformed one."""

    async def identify(self) -> None:
        """Wait for a turn, find the actor, then take a token from the actor's bucket, or from the address's."""
        await self.desk.turns.wait()
        try:
            token = self.sent_token()
        except errors.InvalidHeader as error:
            self._refused_token = error
        else:
            if token is not None:
                await self._find_actor(token)
        if self.desk.buckets is None:
            return
        key = f"user:{self._actor.id}" if self._actor else self._address_key
        standing = self._standing = await self.desk.buckets.take(key)
        self._set_rate_fields(standing)
        if not standing.taken:
            raise _too_many(standing)

    @property
    def _address_key(self) -> str:
        return f"address:{limit_key(self.client_address)}"

    async def _find_actor(self, token: str) -> None:
        """Look the token up; one that was not seen lately may be made up, and may be looked up so often only."""
        sessions, guesses = self.desk.sessions, self.desk.guesses
        if guesses is None or sessions.recalls(token):
            self._actor = await sessions.actor(token)
        else:
            try:
                self._actor = await guesses.look_up(self._address_key, lambda: sessions.actor(token))
            except GuessesSpent as spent:
                raise await self._no_guess_left(spent.standing) from None
        if self._actor is None:
            self._refused_token = errors.InvalidToken()

    async def _no_guess_left(self, guesses: Standing) -> errors.RateLimited:
        assert self.desk.buckets is not None
        self._standing = await self.desk.buckets.take(self._address_key)
        self._set_rate_fields(self._standing)
        return _too_many(max(guesses, self._standing, key=lambda standing: standing.retry_after_s))

    def _set_rate_fields(self, standing: Standing) -> None:
        # The IETF draft "RateLimit header fields for HTTP".
        rate = self.desk.config.rate_limit
        name = "user" if self._actor else "address"
        self._headers["RateLimit-Policy"] = f'"{name}";q={rate.count};w={rate.window_s}'
        self._headers["RateLimit"] = f'"{name}";r={standing.remaining};t={standing.full_in_s}'

    @property
    def actor(self) -> Actor:
        """The signed-in caller. Raises Unauthenticated, InvalidToken or InvalidHeader."""
        if self._actor is None:
            raise self._refused_token or errors.Unauthenticated()
        return self._actor

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """`fn`'s result, from one snapshot of the database."""
        return await self.desk.db.read(fn)

    async def read_list(self, query: Search, fn: Callable[[Connection], T]) -> T:
        """`read`; a search may take long and has a lane of its own, so that no plain list waits for one."""
        return await (self.desk.db.read_slowly(fn) if query.q else self.desk.db.read(fn))

    async def perform(
        self,
        work: Callable[[Connection], Answer],
        *,
        secrets: tuple[str, ...] = (),
        account: str | None = None,
        replay: Callable[[Connection, Answer], Answer] | None = None,
        keep: Callable[[Answer], Answer] = lambda answer: answer,
        still_visible: Callable[[Connection, Answer], bool] = lambda conn, answer: False,
        confirms: bool = True,
    ) -> Answer:
        """Do `work` in one transaction, once for each Idempotency-Key; its answer.

        Whoever is signed in is looked at again in that transaction, unless `confirms` is False because `work` does
        that itself or changes it; a role that has changed since then decides anew.

        `account` is the username that a key belongs to where nobody is signed in; `secrets` names
        the body fields that no digest may hold; for `replay`, `keep` and `still_visible` see idempotency.once.
        """
        while True:
            claim = self._claim(secrets, account)
            actor = self._actor if confirms and account is None else None

            def attempt(conn: Connection, claim: Claim | None = claim, actor: Actor | None = actor) -> Answer:
                with _confirmed(conn, actor):
                    return idempotency.once(conn, claim, work, replay, keep, still_visible=still_visible)

            try:
                return await self.desk.db.write(attempt)
            except ActorChanged as change:
                if account is not None:
                    raise  # what was decided before the transaction is decided anew
                self.become(change.actor)

    def become(self, actor: Actor | None) -> None:
        """Go on as who the caller is now. Raises InvalidToken, or Forbidden where that one may not do this."""
        self._actor = actor
        if actor is None:
            raise errors.InvalidToken()
        self.check_role()

    def check_role(self) -> None:
        """Raise Forbidden for a caller whose role may not do this."""

    def _claim(self, secrets: tuple[str, ...], account: str | None) -> Claim | None:
        if self.idempotency_key is None:
            return None
        path = self.request.path
        scope = f"{path} {user_store.username_key(account)}" if account is not None else f"user:{self.actor.id}"
        return Claim(
            scope=scope,
            key=self.idempotency_key,
            fingerprint=idempotency.fingerprint(str(self.request.method), path, self.fields, secrets=secrets),
            # A sign-in is its account's own, whoever was signed in when it was sent.
            by_staff=account is None and self._actor is not None and self._actor.is_staff,
            now=self.desk.clock.now(),
            keep_hours=self.desk.config.idempotency_hours,
        )


@contextmanager
def _confirmed(conn: Connection, actor: Actor | None) -> Iterator[None]:
    """Around work for `actor`: what it gives, and what it refuses, counts only if the actor is still the same."""
    try:
        yield
    except errors.AppError:
        if actor is not None:
            confirm(conn, actor)
        raise
    if actor is not None:
        confirm(conn, actor)


def _too_many(standing: Standing) -> errors.RateLimited:
    return errors.RateLimited(
        "Too many requests; wait the seconds that Retry-After gives", retry_after_s=standing.retry_after_s
    )
