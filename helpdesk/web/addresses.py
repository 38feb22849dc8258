"""The address a request came from, through proxies that are trusted to say so, and what limits count it as."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from tornado.httputil import HTTPServerRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOPS_MAX = 32  # entries of X-Forwarded-For that are looked at, from the end
NETWORK_BITS = 64  # of an IPv6 address: what one customer is given, at the least (RFC 6177)

# `203.0.113.7`, `203.0.113.7:51234`, `[2001:db8::7]`, `[2001:db8::7]:443` or `2001:db8::7`
_ENTRY = re.compile(r"\[(?P<inside>[0-9A-Fa-f:.]+)\](?::[0-9]{0,5})?|(?P<v4>[0-9.]+)(?::[0-9]{0,5})?|(?P<v6>[^\[\]]+)")


def client_address(request: HTTPServerRequest, trusted: Sequence[Network]) -> str:
    """Return the nearest address that is not a trusted proxy's.

    X-Forwarded-For is read from its end, where our own proxies wrote; what stands before the first
    address that is not trusted is the client's own invention. An entry that is no address ends the
    reading: the proxy that wrote it is all that is known.
    """
    address = str(request.remote_ip)
    if not trusted:
        return address
    return _forwarded(request, address, trusted)[0]


def is_secure(request: HTTPServerRequest, trusted: Sequence[Network]) -> bool:
    """Whether the client itself speaks TLS, to this server or to the trusted proxy that it reached.

    X-Forwarded-Proto has one word from the proxy that ends TLS, or one from each proxy on the way:
    then the word that belongs to the client's hop counts, not what the client sent along.
    """
    if request.protocol == "https":
        return True
    if not trusted or "X-Forwarded-Proto" not in request.headers:
        return False
    address = str(request.remote_ip)
    if not _is_trusted(_parsed(address), trusted):
        return False
    hops = max(1, _forwarded(request, address, trusted)[1])
    schemes = _entries(request, "X-Forwarded-Proto")
    return bool(schemes) and schemes[-min(hops, len(schemes))].lower() == "https"


def limit_key(address: str) -> str:
    """Return what limits count `address` as: an IPv4 address itself, the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    parsed = _parsed(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed or address)
    return str(ipaddress.IPv6Network((int(parsed) >> NETWORK_BITS << NETWORK_BITS, NETWORK_BITS)))


def connection_key(address: str, trusted: Sequence[Network]) -> str | None:
    """Return what limits count a connection from `address` as; None for a trusted proxy, which has many clients."""
    return None if _is_trusted(_parsed(address), trusted) else limit_key(address)


def _forwarded(request: HTTPServerRequest, address: str, trusted: Sequence[Network]) -> tuple[str, int]:
    """The client's address, and how many entries of X-Forwarded-For led to it."""
    entries = _entries(request, "X-Forwarded-For")
    hops = 0
    while hops < len(entries) and _is_trusted(_parsed(address), trusted):
        hop = _parsed_entry(entries[-1 - hops])
        if hop is None:
            break
        address = str(hop)
        hops += 1
    return address, hops


def _entries(request: HTTPServerRequest, name: str) -> list[str]:
    """The last entries of a list header, over all its lines; empty ones do not count (RFC 9110, section 5.6.1)."""
    tail = ",".join(request.headers.get_list(name)).rsplit(",", HOPS_MAX)[-HOPS_MAX:]
    return [entry for part in tail if (entry := part.strip())]


def _parsed_entry(text: str) -> Address | None:
    match = _ENTRY.fullmatch(text)
    return _parsed(match["inside"] or match["v4"] or match["v6"]) if match else None


def _parsed(text: str) -> Address | None:
    """The address, IPv4 also where it is written as IPv6 (`::ffff:203.0.113.7`), without a zone; None for none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)
