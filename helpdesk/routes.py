"""The one URL table: path, handler, and who may call each verb. A verb that is not here is a 405."""

from __future__ import annotations

from dataclasses import dataclass

from helpdesk.handlers.auth import LoginHandler, LogoutHandler, RegisterHandler
from helpdesk.handlers.comments import CommentsHandler
from helpdesk.handlers.me import MeHandler
from helpdesk.handlers.meta import HealthHandler, ManifestHandler, MetaHandler, OpenApiHandler
from helpdesk.handlers.reports import OverviewHandler
from helpdesk.handlers.tickets import StatsHandler, TicketHandler, TicketsHandler
from helpdesk.handlers.timeline import EventsHandler, TimelineHandler
from helpdesk.handlers.users import UserHandler, UsersHandler
from helpdesk.web.api import ApiHandler
from helpdesk.web.calls import Access, Call

FREE, PUBLIC, SIGNED_IN = Access.FREE, Access.PUBLIC, Access.SIGNED_IN
STAFF, ADMIN = Access.STAFF, Access.ADMIN


@dataclass(frozen=True)
class Route:
    """`{id}` in `path` stands for a positive integer."""

    path: str
    handler: type[ApiHandler]
    who: dict[str, Access]

    @property
    def pattern(self) -> str:
        return self.path.replace(".", r"\.").replace("{id}", "([^/]+)")

    def calls(self) -> list[tuple[str, Access, Call]]:
        """Each verb with who may use it and what it is."""
        return [(verb, access, getattr(self.handler, verb.lower()).call) for verb, access in self.who.items()]


# Tornado looks from the top; the busiest paths stand first.
ROUTES: tuple[Route, ...] = (
    Route("/api/tickets", TicketsHandler, {"GET": SIGNED_IN, "POST": SIGNED_IN}),
    Route("/api/tickets/stats", StatsHandler, {"GET": STAFF}),
    Route("/api/tickets/{id}", TicketHandler, {"GET": SIGNED_IN, "PATCH": SIGNED_IN}),
    Route("/api/tickets/{id}/comments", CommentsHandler, {"GET": SIGNED_IN, "POST": SIGNED_IN}),
    Route("/api/tickets/{id}/timeline", TimelineHandler, {"GET": SIGNED_IN}),
    Route("/api/auth/register", RegisterHandler, {"POST": PUBLIC}),
    Route("/api/auth/login", LoginHandler, {"POST": PUBLIC}),
    Route("/api/auth/logout", LogoutHandler, {"POST": SIGNED_IN}),
    Route("/api/me", MeHandler, {"GET": SIGNED_IN, "PATCH": SIGNED_IN}),
    Route("/api/users", UsersHandler, {"GET": STAFF}),
    Route("/api/users/{id}", UserHandler, {"GET": STAFF, "PATCH": ADMIN}),
    Route("/api/reports/overview", OverviewHandler, {"GET": STAFF}),
    Route("/api/events", EventsHandler, {"GET": SIGNED_IN}),
    Route("/api/health", HealthHandler, {"GET": FREE}),
    Route("/api/_meta", MetaHandler, {"GET": FREE}),
    Route("/api/openapi.json", OpenApiHandler, {"GET": PUBLIC}),
    Route("/.well-known/hackathon.json", ManifestHandler, {"GET": FREE}),
)
