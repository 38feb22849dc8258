"""Reports, for agents and admins."""

from __future__ import annotations

from helpdesk.domain import reports
from helpdesk.messages.reports import Overview, OverviewQuery
from helpdesk.web.api import ApiHandler
from helpdesk.web.calls import call


class OverviewHandler(ApiHandler):
    @call("The desk as a whole: open tickets, ageing, times, load", params=OverviewQuery, answer=Overview)
    async def get(self) -> None:
        """GET /api/reports/overview"""
        days, now = self.params_as(OverviewQuery).days, self.desk.clock.now()
        self.send_json(await self.desk.db.read_slowly(lambda conn: reports.overview(conn, days=days, now=now)))
