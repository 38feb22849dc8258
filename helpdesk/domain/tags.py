"""Tags: lower-cased, sorted, without duplicates."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from helpdesk.characters import is_blank, nfc
from helpdesk.errors import InvalidField
from helpdesk.messages.fields import TAG_MAX


def normal_tags(tags: Sequence[str]) -> list[str]:
    """Return the tags as they are stored.

    Raise InvalidField for a tag that is not 1 to 40 Unicode letters, digits, '-' and '_'.
    """
    return sorted({_checked(normal_tag(tag)) for tag in tags})


def normal_tag(tag: str) -> str:
    """Return one tag as it is stored, without validating it."""
    return nfc(tag.strip().lower())


def _checked(tag: str) -> str:
    if len(tag) > TAG_MAX or is_blank(tag) or not all(_is_tag_character(c) for c in tag):
        raise InvalidField(f"tags must be 1 to {TAG_MAX} letters, digits, '-' or '_' each", "tags")
    return tag


def _is_tag_character(c: str) -> bool:
    # Marks count as part of their letter: Indic vowels, and what lower-casing İ leaves.
    category = unicodedata.category(c)
    return c in "-_" or category[0] in "LM" or category == "Nd"
