"""Tags: lower-cased, sorted, none twice, and only of what a tag may hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.domain.tags import normal_tag, normal_tags
from helpdesk.errors import InvalidField

tags = st.lists(st.text(st.characters(categories=["L", "M", "Nd"]) | st.sampled_from("-_ "), max_size=42), max_size=6)


def test_tags_are_lower_cased_sorted_and_not_doubled() -> None:
    assert normal_tags(["VPN", "vpn", " Netz ", "b-2", "a_1"]) == ["a_1", "b-2", "netz", "vpn"]


def test_composed_and_decomposed_are_one_tag() -> None:
    assert normal_tags(["caf\u00e9", "CAFE\u0301"]) == ["caf\u00e9"]


@pytest.mark.parametrize("tag", ["東京", "हिन्दी", "العربية", "Größe", "٣", "-", "x" * 40])
def test_letters_and_digits_of_every_script_are_taken(tag: str) -> None:
    assert normal_tags([tag]) == [unicodedata.normalize("NFC", tag.lower())]


@pytest.mark.parametrize("tag", ["", "  ", "a b", "a,b", "a/b", "a\tb", "#a", "a.b", "½", "🔥", "a\u200bb", "x" * 41])
def test_anything_else_is_refused(tag: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        normal_tags(["good", tag])
    assert refusal.value.field == "tags"


@given(tags)
def test_tags_made_normal_again_stay_as_they_are(sent: list[str]) -> None:
    try:
        stored = normal_tags(sent)
    except InvalidField:
        return
    assert normal_tags(stored) == stored
    assert normal_tags(sent[::-1] * 2) == stored
    # The row keeps them with blanks between.
    assert " ".join(stored).split() == stored
    assert {normal_tag(tag) for tag in sent} == set(stored)
