"""The server about itself: health, meta, manifest, and the description of its API."""

from __future__ import annotations

from typing import Any

from helpdesk import __version__, errors
from helpdesk.domain import sla
from helpdesk.domain.demo import ACCOUNTS
from helpdesk.errors import AppError
from helpdesk.messages import fields as f
from helpdesk.messages.meta import Health, Limits, Manifest, ManifestCall, Meta, Problem
from helpdesk.terms import ROLES, STATUSES
from helpdesk.web.api import ApiHandler
from helpdesk.web.body_limit import BODY_MAX_BYTES
from helpdesk.web.calls import call

NAME = "HelpDesk Mini"
HEALTH_TIMEOUT_S = 2.0


class HealthHandler(ApiHandler):
    @call("Whether the server and its database work", answer=Health, answers_503=True)
    async def get(self) -> None:
        """GET /api/health"""
        uptime_s = round(self.desk.clock.monotonic() - self.desk.started_at, 1)
        try:
            await self.desk.store_check.run(HEALTH_TIMEOUT_S)
        except (TimeoutError, AppError) as error:
            self.log_unavailable(getattr(error, "cause", f"health had no answer in {HEALTH_TIMEOUT_S} s"))
            self.set_header("Retry-After", "5")
            self.send_json(Health("unavailable", "unavailable", __version__, uptime_s, self._problems()), 503)
            return
        problems = self._problems()
        self.send_json(Health("degraded" if problems else "ok", "ok", __version__, uptime_s, problems))

    def _problems(self) -> list[Problem]:
        return [Problem(part, message) for part, message in self.desk.problems.current()]


class MetaHandler(ApiHandler):
    @call("Names and limits that a client needs", answer=Meta)
    async def get(self) -> None:
        """GET /api/_meta"""
        config = self.desk.config
        limits = Limits(
            title_characters=f.TITLE_MAX,
            description_characters=f.PROSE_MAX,
            comment_characters=f.PROSE_MAX,
            tags=f.TAGS_MAX,
            tag_characters=f.TAG_MAX,
            sla_minutes=f.SLA_MINUTES_MAX,
            password_min_characters=f.PASSWORD_MIN,
            password_max_characters=f.PASSWORD_MAX,
            page_items=f.PAGE_MAX,
            body_bytes=BODY_MAX_BYTES,
            rate_limit_requests=config.rate_limit.count,
            rate_limit_window_seconds=config.rate_limit.window_s,
            idempotency_hours=config.idempotency_hours,
            token_days=config.token_days,
        )
        self.send_json(Meta(NAME, __version__, config.mode, ROLES, STATUSES, sla.DEFAULT_MINUTES, limits))


class ManifestHandler(ApiHandler):
    def initialize(self, **kwargs: Any) -> None:
        super().initialize(**kwargs)
        self._calls: list[ManifestCall] = kwargs["manifest_calls"]

    @call("What this server is, for programs that find it", answer=Manifest)
    async def get(self) -> None:
        """GET /.well-known/hackathon.json"""
        self.send_json(
            Manifest(
                name=NAME,
                description="A help desk: tickets with SLA clocks, threaded comments, search and live updates.",
                version=__version__,
                documentation="/api/openapi.json",
                calls=self._calls,
                demo_accounts=list(ACCOUNTS) if self.desk.config.is_demo else None,
            )
        )


class OpenApiHandler(ApiHandler):
    def initialize(self, **kwargs: Any) -> None:
        super().initialize(**kwargs)
        self._document: bytes = kwargs["document"]

    @call("This API, described as OpenAPI 3.1", answer=dict[str, Any])
    async def get(self) -> None:
        """GET /api/openapi.json"""
        self.finish(self._document)


class UnknownPathHandler(ApiHandler):
    """A path under /api that does not exist; it is counted like any other."""

    async def check_head(self) -> None:
        self.check_door()
        await self.identify()
        self.check_origin()
        raise errors.NotFound()
