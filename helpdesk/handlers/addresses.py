"""The address a request came from, through proxies that are trusted to say so."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from tornado.httputil import HTTPServerRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(request: HTTPServerRequest, trusted: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy's.

    X-Forwarded-For is read from its end, where our own proxies wrote; what stands before the first
    address that is not trusted is the client's own invention.
    """
    address = str(request.remote_ip)
    if not trusted:
        return address
    hops = [hop.strip() for hop in ",".join(request.headers.get_list("X-Forwarded-For")).split(",")]
    while hops and _is_trusted(address, trusted):
        hop = hops.pop()
        if not _is_address(hop):
            break
        address = hop
    return address


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in network for network in trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
