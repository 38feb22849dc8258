"""How a text that a client sent becomes the text that is stored: bounds first, then what costs more than one pass."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from helpdesk.characters import MARKS_MAX, has_control, has_long_mark_run, has_surrogate, is_blank, nfc
from helpdesk.errors import AppError

# A `line` holds no control characters; an `address` is a line with something visible on both sides of each
# `@`; a `name` is a line that is compared as it was sent, since NFC
# makes ASCII letters of others (the Kelvin sign); `prose` keeps its lines; a `secret` is not touched.
Kind = Literal["line", "address", "name", "prose", "secret"]

_COMPOSED_MAX = 4  # code points that NFC makes one of, at most


class TextRule(Struct, frozen=True):
    """What a text of a field must be. `max_length` counts characters in NFC; None is no bound of its own."""

    kind: Kind
    max_length: int | None
    must_be: str  # in words that finish the sentence "title must be …"


def clean(name: str, text: str, rule: TextRule, refusal: type[AppError]) -> str:
    """Return `text` as it is stored. What no composing can make short enough is refused before it is composed.

    Raises `refusal` for a text that is far too long, NUL, a lone surrogate, a run of more than 30
    combining marks, or a control character in a line.
    """
    if rule.max_length is not None and len(text) > _COMPOSED_MAX * rule.max_length:
        raise refusal(too_long(name, len(text), rule.max_length), name)
    if "\0" in text:
        raise refusal(f"{name} must not hold the character NUL", name)
    if has_surrogate(text):
        raise refusal(f"{name} holds half of a surrogate pair, which is no character", name)
    if rule.kind == "secret":
        return text
    if has_long_mark_run(text):
        raise refusal(f"{name} must not hold more than {MARKS_MAX} combining marks in a row", name)
    if rule.kind != "prose" and has_control(text):
        raise refusal(f"{name} must be one line without control characters", name)
    if rule.kind == "address" and text and any(is_blank(side) for side in text.split("@")):
        raise refusal(f"{name} must be {rule.must_be}", name)
    return text if rule.kind == "name" else nfc(text)


def too_long(name: str, length: int, max_length: int) -> str:
    """Say by how much a text is too long, in code points, which is how lengths are counted."""
    over = length - max_length
    return f"{name} is {over:,} character{'s' * (over > 1)} too long: it has {length:,}, and {max_length:,} are allowed"
