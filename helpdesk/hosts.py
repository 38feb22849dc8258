"""Host names: how options write them, and which of them a Host header names. This module imports nothing of ours."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME_MAX = 253
_HOST_HEADER = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]*)?|([^:\[\]]+)(?::[0-9]*)?")
_ORIGIN = re.compile(r"(https?)://(\[[^\]]*\]|[^:/\[\]]*)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_pattern(text: str) -> str:
    """Return a name that --allowed-hosts names, as a Host header has it: lower-case, an IDN as `xn--…`.

    `*.example.com` stands for every name below example.com; an address stands for itself.
    Raises ValueError for anything else.
    """
    if text.startswith("*."):
        name = _parse_name(text[2:])
        if _is_address(name):
            raise ValueError
        return f"*.{name}"
    if ":" in text:
        return str(ipaddress.IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text))
    return _parse_name(text)


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it (RFC 6454, section 6.1): lower-case, `xn--…`, no default port.

    Raises ValueError for anything else.
    """
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        raise ValueError
    scheme, host, port = match[1], match[2], int(match[3] or 0)
    if match[3] is not None and not 1 <= port <= 65535:
        raise ValueError
    name = f"[{ipaddress.IPv6Address(host[1:-1])}]" if host.startswith("[") else _parse_name(host)
    return f"{scheme}://{name}" + (f":{port}" if port not in (0, _DEFAULT_PORTS[scheme]) else "")


def name_in(header: str) -> str:
    """Return the name in a Host header, lower-case, without port and brackets; "" for a malformed one."""
    match = _HOST_HEADER.fullmatch(header.lower())
    return (match[1] or match[2]) if match else ""


def is_served(name: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the patterns from `parse_pattern` matches the host. A final dot is ignored."""
    name = name.removesuffix(".")
    if ":" in name:
        name = _shortest(name)
    return any(name == p or (p.startswith("*.") and name.endswith(p[1:]) and name != p[1:]) for p in patterns)


def _parse_name(text: str) -> str:
    """Parse a host name (RFC 1123, section 2.1) or an IPv4 address. Raise ValueError."""
    name = text.removesuffix(".").lower()
    if not name.isascii():
        import idna  # its tables take 10 ms, which a start without such a name need not spend

        # UTS #46 without its transitional forms, as browsers do it: ß is not ss.
        name = idna.encode(name, uts46=True).decode().removesuffix(".")
    if len(name) > _NAME_MAX or not _NAME.fullmatch(name):
        raise ValueError
    if name.rpartition(".")[2].isdigit():
        return str(ipaddress.IPv4Address(name))  # browsers take a name that ends in a number for an address
    return name


def _is_address(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()


def _shortest(address: str) -> str:
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        return address
