"""Headers that are lists or have parameters, read by their grammar (RFC 9110) and never by a substring.

A header that does not follow its grammar says nothing. Every quantifier below that could meet a long run is
possessive, so that reading takes one pass whatever was sent.
"""

from __future__ import annotations

import re

from msgspec import Struct

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_ENTITY_TAG = re.compile(r'[ \t]*+(?:(W/)?("[!#-~\x80-\xff]*+")[ \t]*+)?+(?:,|\Z)')
_CODING = re.compile(rf"({_WORD})(?:[ \t]*+;[ \t]*+[qQ]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?")
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_PARAMETER = re.compile(rf'[ \t]*+;[ \t]*+(?:({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*+)"))?+')


class EntityTag(Struct, frozen=True):
    """`"3.57"`, with its quotes, or a weak one (`W/"3.57"`)."""

    text: str
    is_weak: bool


def entity_tags(header: str) -> list[EntityTag]:
    """Return the tags in an If-Match or If-None-Match; none at all when anything in it is malformed."""
    tags, at = [], 0
    while at < len(header):
        match = _ENTITY_TAG.match(header, at)
        if match is None:
            return []
        if match[2]:
            tags.append(EntityTag(match[2], match[1] is not None))
        at = match.end()
    return tags


def first_named(if_none_match: str | None, *current: str) -> str | None:
    """Return the first of the current tags that the header names, by the weak comparison (section 13.1.2), or None."""
    if if_none_match is None:
        return None
    if if_none_match.strip(" \t") == "*":
        return current[0]
    named = {tag.text for tag in entity_tags(if_none_match)}
    return next((tag for tag in current if tag in named), None)


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether the client takes gzip, and would not rather have the plain bytes (section 12.5.3)."""
    weights = {}
    for element in (accept_encoding or "").split(","):
        match = _CODING.fullmatch(element.strip(" \t"))
        if match:
            weights[match[1].lower()] = float(match[2] or 1)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def is_of_type(content_type: str, media_type: str) -> bool:
    """Whether a Content-Type is the media type, in UTF-8: with any parameters but another charset."""
    if content_type == media_type:
        return True  # nearly always
    kind = _MEDIA_TYPE.match(content_type)
    if kind is None or kind[0].lower() != media_type:
        return False
    text, at = content_type.rstrip(" \t"), kind.end()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return False
        name, value = match[1], match[2] if match[3] is None else re.sub(r"\\(.)", r"\1", match[3])
        if name and name.lower() == "charset" and value.lower() != "utf-8":
            return False
        at = match.end()
    return True


def is_unencoded(content_encoding: str | None) -> bool:
    """Whether a Content-Encoding leaves the body as it is: none, or `identity`."""
    codings = (coding.strip(" \t").lower() for coding in (content_encoding or "").split(","))
    return all(coding in ("", "identity") for coding in codings)
