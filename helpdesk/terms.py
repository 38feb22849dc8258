"""The words that tickets and people are described by, on every floor: a leaf, which imports nothing of ours."""

from __future__ import annotations

from typing import Literal

Role = Literal["user", "agent", "admin"]
Status = Literal["open", "in_progress", "pending", "resolved", "closed"]
Priority = Literal["low", "medium", "high", "urgent"]
ClockName = Literal["resolution"]
SlaState = Literal["running", "paused", "met", "breached"]
Action = Literal["created", "updated", "commented", "sla_breached"]

ROLES: tuple[Role, ...] = ("user", "agent", "admin")
STATUSES: tuple[Status, ...] = ("open", "in_progress", "pending", "resolved", "closed")
RUNNING: frozenset[Status] = frozenset({"open", "in_progress"})  # in which the resolution clock runs
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "urgent")
ACTIONS: tuple[Action, ...] = ("created", "updated", "commented", "sla_breached")
