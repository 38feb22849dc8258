"""How the plain pages write things: moments, durations, people, choices, and the links in a text."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from helpdesk.messages.accounts import Person, User
from helpdesk.messages.tickets import ListedTicket

__all__ = ["linked", "moment", "person_name", "plural", "sla_line", "span", "spoken"]

# An address ends at white space, quotes, angle brackets, and at the punctuation and brackets of CJK text.
_LINK = re.compile(
    "(?P<address>https?://[^\\s<>\"'\u3000-\u303f\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff3b\uff3d\uff5b-\uff65]+)"
    "|(?<![\\w/#&])#(?P<ticket>[1-9][0-9]{0,8})\\b"
)
_CLOSING = {")": "(", "]": "[", "}": "{"}
_MINUTE_MS = 60_000


def moment(text: str | None) -> str:
    """`2026-11-23T09:30:00.000Z` as people without a script read it."""
    return "" if text is None else f"{text[:10]} {text[11:16]} UTC"


def person_name(person: Person | User | None) -> str:
    """Return a person's name, or their username; the server acts without one."""
    return "HelpDesk" if person is None else person.name or person.username


def spoken(word: str) -> str:
    """Return a status, priority, role or action as people say it."""
    return {"sla_breached": "SLA breached", "user": "Requester"}.get(word) or word.replace("_", " ").capitalize()


def plural(count: int, one: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def span(minutes: float) -> str:
    """Return a time as its two largest units."""
    whole = int(minutes)
    if whole < 1:
        return "< 1 min"
    days, hours, rest = whole // 1440, whole // 60 % 24, whole % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (rest, "min")) if n]
    return " ".join(parts[:2])


def sla_line(ticket: ListedTicket, now: int) -> str:
    """Say how the clock of a ticket stands."""
    due = int(datetime.fromisoformat(ticket.sla_deadline).astimezone(UTC).timestamp() * 1000)
    target = f"{span(ticket.sla_minutes)} target"
    if ticket.sla_state == "met":
        return f"SLA met: resolved within the {target}"
    if ticket.sla_state == "paused":
        late = "overdue and paused" if ticket.breached else "paused"
        return f"SLA {late} while waiting for the requester ({target})"
    if ticket.sla_state == "breached" and ticket.resolved_at is not None:
        return f"SLA missed: resolved after the {target}"
    if ticket.sla_state == "breached":
        return f"SLA breached: {span(max(0, now - due) / _MINUTE_MS)} overdue, due {moment(ticket.sla_deadline)}"
    return f"{span(max(0, due - now) / _MINUTE_MS)} left of the {target}, due {moment(ticket.sla_deadline)}"


def linked(text: str) -> list[tuple[str, str]]:
    """Return the text in pieces, each with the address that it links to, or "" where it links to none."""
    pieces: list[tuple[str, str]] = []
    done = 0
    for match in _LINK.finditer(text):
        address = _trimmed(match["address"] or "")
        shown = address or (match[0] if match["ticket"] else "")
        if not shown or address in ("http://", "https://"):
            continue
        pieces.append((text[done : match.start()], ""))
        pieces.append((shown, address or f"/plain/tickets/{match['ticket']}"))
        done = match.start() + len(shown)
    pieces.append((text[done:], ""))
    return [piece for piece in pieces if piece[0]]


def _trimmed(address: str) -> str:
    """Return the address without the sentence's punctuation behind it; a bracket that it opened itself stays."""
    spare = {closing: address.count(closing) - address.count(opening) for closing, opening in _CLOSING.items()}
    end = len(address)
    while end and (address[end - 1] in ".,;:!?*_~" or spare.get(address[end - 1], 0) > 0):
        end -= 1
        if address[end] in spare:
            spare[address[end]] -= 1
    return address[:end]
