"""Messages of the reports."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from helpdesk.messages.accounts import Person
from helpdesk.terms import Priority, Status


class OverviewQuery(msgspec.Struct, forbid_unknown_fields=True):
    days: Annotated[int, Meta(ge=1, le=366, description="a whole number from 1 to 366")] = 30


class AgeGroup(msgspec.Struct, frozen=True):
    label: str
    count: int


class Day(msgspec.Struct, frozen=True):
    """A day in UTC, as `2026-11-23`."""

    date: str
    created: int
    resolved: int


class Times(msgspec.Struct, frozen=True):
    """Of how many tickets, and the median and 90th percentile in minutes; null when there are none."""

    median: float | None
    p90: float | None
    count: int


class AgentLoad(msgspec.Struct, frozen=True):
    agent: Person
    open: int
    breached: int


class Overview(msgspec.Struct, frozen=True):
    """`open` is what is neither resolved nor closed. The times are of what was answered, or resolved, in these days."""

    days: int
    open_by_status: dict[Status, int]
    open_by_priority: dict[Priority, int]
    breached: int
    ageing: list[AgeGroup]
    per_day: list[Day]
    first_response_minutes: Times
    resolution_minutes: Times
    load: list[AgentLoad]
