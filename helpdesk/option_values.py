"""What the text of an option means: each function returns its value, or raises ValueError saying what it must be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from helpdesk.hosts import parse_origin


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return text

    return parse


def is_unicode(value: str) -> bool:
    """Whether the bytes that were given are UTF-8."""
    return not re.search("[\ud800-\udfff]", value)


def text(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("a text that is not empty")
    return value


def host(value: str) -> str:
    """An address or name to listen on; an IPv6 address may stand in brackets, as in a URL."""
    address = text(value).lower()
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address


def list_of(parse: Callable[[str], Any], must_be: str) -> Callable[[str], tuple[Any, ...]]:
    """What parses words with commas between, each by `parse`, and takes each value once; "" is none."""

    def parse_all(text: str) -> tuple[Any, ...]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if text and not words:
            raise ValueError(must_be)
        values = []
        for word in words:
            try:
                values.append(parse(word))
            except ValueError:
                raise ValueError(f"{must_be}; {word!r} is not one") from None
        return tuple(dict.fromkeys(values))

    return parse_all


def origin(text: str) -> str:
    return text if text == "*" else parse_origin(text)


def network(text: str) -> Any:
    return _unmapped(ipaddress.ip_network(text, strict=False))


def _unmapped(network: Any) -> Any:
    """A network of IPv4 addresses that is written as one of IPv6 (`::ffff:10.0.0.0/104`), as what it is."""
    start = getattr(network.network_address, "ipv4_mapped", None)
    if start is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((start, network.prefixlen - 96))


def parse_database_url(text: str) -> str | None:
    """`sqlite:///file` or `postgresql+psycopg://…`, which `postgresql://…` is taken for too; None for "".

    Raises ValueError for anything else.
    """
    if not text:
        return None
    text = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)
    if not text.startswith(("sqlite:", "postgresql+psycopg://")):
        raise ValueError("an address like sqlite:///desk.db or postgresql+psycopg://user@host/database")
    if text.startswith("sqlite") and (not re.fullmatch(r"sqlite:///[^?]+", text) or text.endswith(":memory:")):
        raise ValueError("a SQLite file like sqlite:///desk.db, without parameters")
    if text.startswith("postgres") and not re.fullmatch(r"[^?/]+//[^/?]*/[^/?]+(\?.*)?", text):
        raise ValueError("a PostgreSQL address that names a database, like postgresql+psycopg://user@host/database")
    return text


_REDIS_URL = re.compile(
    r"(?:rediss?|valkeys?)://(?:[^@/?\s]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^@:/?\[\]\s]+)(?::[0-9]{1,5})?(?:/[0-9]*)?(?:\?\S*)?"
    r"|unix://(?:[^@/?\s]*@)?/\S+"
)


def redis_url(text: str) -> str | None:
    if text and not _REDIS_URL.fullmatch(text):
        raise ValueError("an address like redis://host:6379/0")
    return re.sub("^valkey", "redis", text) or None
