"""What a word is: the same for texts and for queries, without case, diacritics and punctuation."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.domain.words import index_text, query_words, words_of

# Letters of many scripts, marks, digits and punctuation; without lone surrogates, which no request brings in.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
letters = st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("VPN drops every hour!", ["vpn", "drops", "every", "hour"]),
        ("snake_case, e-mail; C++", ["snake", "case", "e", "mail", "c"]),
        ("Äpfel für Zoë", ["apfel", "fur", "zoe"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σισυφοσ", "σισυφοσ"]),
        ("İstanbul", ["istanbul"]),
        ("ﬁle ＡＢＣ", ["file", "abc"]),
        ("印刷が壊れた", ["印", "刷", "か", "壊", "れ", "た"]),
        ("v2東京3", ["v2", "東", "京", "3"]),
        ("한글", ["한", "글"]),
        ('NEAR("a" OR b*) AND -c:^d', ["near", "a", "or", "b", "and", "c", "d"]),
        ("… — !?", []),
        ("", []),
    ],
)
def test_the_words_of(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(texts)
def test_the_words_of_the_words_are_the_words(text: str) -> None:
    words = words_of(text)
    assert words_of(" ".join(words)) == words


@given(texts)
def test_a_word_holds_letters_and_digits_only(text: str) -> None:
    for word in words_of(text):
        assert word and all(unicodedata.category(c)[0] in "LN" for c in word)


@given(texts)
def test_composed_and_decomposed_text_are_alike(text: str) -> None:
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(unicodedata.normalize("NFC", text))


@given(letters)
def test_an_accent_and_a_capital_change_nothing(text: str) -> None:
    accented = "".join(c + "\u0301" for c in text.swapcase())
    if text.swapcase().swapcase() == text:
        assert words_of(accented) == words_of(text)


@given(letters, st.data())
def test_the_beginning_of_a_word_begins_its_word(text: str, data: st.DataObject) -> None:
    beginning = text[: data.draw(st.integers(1, len(text)))]
    for wanted, word in zip(words_of(beginning), words_of(text), strict=False):
        assert word.startswith(wanted)


@given(st.text("abc", max_size=20), st.text("abc", max_size=20))
def test_ascii_and_other_text_follow_one_rule(left: str, right: str) -> None:
    assert words_of(f"{left} {right} \u2026") == words_of(f"{left} {right}")


@given(texts)
def test_a_text_is_found_by_each_of_its_words(text: str) -> None:
    assert set(query_words(text)) <= set(index_text(text).split())


def test_the_index_and_a_query_name_each_word_once() -> None:
    assert index_text("no NO nö yes") == "no yes"
    assert query_words("no NO nö yes") == ("no", "yes")


@pytest.mark.parametrize("query", [None, "", "  ", '"*()-:^'])
def test_a_query_without_words_is_empty(query: str | None) -> None:
    assert query_words(query) == ()


def test_no_word_of_a_query_is_dropped() -> None:
    assert len(query_words(" ".join(f"w{n}" for n in range(1000)))) == 1000
