"""What a word is: the same for texts and for queries, without case, diacritics and punctuation."""

from __future__ import annotations

import hashlib
import string
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk import folding
from helpdesk.domain import words
from helpdesk.domain.words import all_words, found_words, index_text, query_words, ticket_number, words_of
from tests.search_table import TABLE

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
        ("印刷が壊れた", ["印", "刷", "が", "壊", "れ", "た"]),
        ("v2東京3", ["v2", "東", "京", "3"]),
        ("한글", ["한글"]),
        ("Wi-Fi", ["wi", "fi"]),
        ("§ 5 °C 20 €", ["5", "°", "c", "20", "€"]),
        ("½ ㍿", ["1", "2", "株", "式", "会", "社"]),
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
def test_a_word_holds_letters_digits_and_their_marks_or_is_one_symbol(text: str) -> None:
    for word in words_of(text):
        kinds = {unicodedata.category(c)[0] for c in word}
        assert word and (kinds <= {"L", "N", "M"} or len(word) == 1)
        assert not set(word) & set(string.punctuation)


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


@pytest.mark.parametrize("query", [None, "", "  ", '"*()-:^', string.punctuation, "… — !?", "\u00ad\u200b", "\u2003"])
def test_a_query_without_words_is_empty(query: str | None) -> None:
    assert query_words(query) == ()


def test_no_word_of_a_query_is_dropped() -> None:
    assert len(query_words(" ".join(f"w{n}" for n in range(1000)))) == 1000


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["text"])
def test_a_text_has_the_words_that_find_it(row: dict[str, Any]) -> None:
    assert [q for q in row["finds"] if found_words(row["text"], query_words(q)) != set(query_words(q))] == []
    assert [q for q in row["misses"] if found_words(row["text"], query_words(q)) == set(query_words(q))] == []


def test_a_hyphenated_word_is_joined_from_each_of_its_parts_on() -> None:
    assert all_words("non-Wi-Fi a--b -c d- e - f") == [
        "non",
        "wi",
        "fi",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "nonwifi",
        "wifi",
    ]
    dashes = "-".join("abcdefghi")
    assert all_words(dashes) == list("abcdefghi")
    assert len(index_text("-".join(["word"] * 4000))) == len("word")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("#1042", 1042),
        (" #7 ", 7),
        ("1042", None),
        ("#1042 vpn", None),
        ("#0", None),
        ("#" + "9" * 5000, None),
        (None, None),
    ],
)
def test_a_number_sign_and_a_number_alone_name_a_ticket(query: str | None, number: int | None) -> None:
    assert ticket_number(query) == number


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="the digest is that of Unicode 14")
def test_the_version_changes_with_the_words() -> None:
    """Old words under a new function would corrupt the index. When this fails, raise WORDS_VERSION."""
    characters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    given = "\n".join([index_text(f"a{c}b-か{c}") for c in characters] + [index_text(row["text"]) for row in TABLE])
    digest = hashlib.sha256(given.encode()).hexdigest()[:16]
    assert (words.WORDS_VERSION, digest) == ("2 14.0.0", "c7b185659a499b43")


@given(texts)
def test_a_folded_name_begins_like_its_folded_beginning(text: str) -> None:
    key = folding.name_key(text)
    assert folding.name_key(key) == key
    assert key == " ".join(key.split())


@given(texts, texts)
def test_what_is_found_begins_a_word_of_the_text(text: str, query: str) -> None:
    wanted = query_words(query)
    there = all_words(text)
    assert found_words(text, wanted) == {w for w in wanted if any(word.startswith(w) for word in there)}
