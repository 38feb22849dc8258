"""Splitting text into search words, the same way for documents and queries. static/js/marks.js mirrors it."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

from helpdesk.folding import fold

# Stored in the database, which is reindexed when it differs: mixing the words of two versions would corrupt the index.
# Raise the number with every change to the results of the functions below or of folding.py; a test fails until you do.
# A Python with another Unicode version classifies other characters as letters.
WORDS_VERSION = f"2 {unicodedata.unidata_version}"

# Scripts written without spaces: each character is a word of its own. Thai and Lao, Burmese, Khmer, kana, ideographs.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff"
    "\uaa60-\uaa7f\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
# The marks of those scripts, which belong to the character before them.
_ITS_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    "\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u17dd\u3099\u309a"
    "\ua9e5\uaa7b-\uaa7d"
)
_LETTERS = f"[^ \\-{_ALONE}]+"
_WORD = re.compile(f"[{_ALONE}][{_ITS_MARKS}]*|{_LETTERS}")
# Matches only from the beginning of a word: tried at every letter, a long word would take quadratic time.
_HYPHENATED = re.compile(f"(?<![^ \\-{_ALONE}]){_LETTERS}(?:-{_LETTERS})+")
_ASCII_WORD = re.compile("[a-z0-9]+")
_ASCII_HYPHENATED = re.compile("(?<![a-z0-9])[a-z0-9]+(?:-[a-z0-9]+)+")
_PARTS_MAX = 8  # most parts of a hyphenated word that is also indexed joined; more parts are usually a line of a log


def words_of(text: str) -> list[str]:
    """Return the words of `text`, in order, without case and diacritics."""
    return _ASCII_WORD.findall(text.lower()) if text.isascii() else _WORD.findall(fold(text))


def all_words(text: str) -> list[str]:
    """Return the words of `text`, plus each suffix of a hyphenated word joined into one word."""
    if text.isascii():
        folded, word, hyphenated = text.lower(), _ASCII_WORD, _ASCII_HYPHENATED
    else:
        folded, word, hyphenated = fold(text), _WORD, _HYPHENATED
    words = word.findall(folded)
    return words + _joined(hyphenated.findall(folded)) if "-" in folded else words


def _joined(hyphenated: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for word in hyphenated:
        parts = word.split("-")
        if len(parts) <= _PARTS_MAX:
            joined += ["".join(parts[first:]) for first in range(len(parts) - 1)]
    return joined


def index_text(text: str) -> str:
    """Return the distinct words of `text` separated by spaces, as they are indexed."""
    return " ".join(dict.fromkeys(all_words(text)))


def query_words(query: str | None) -> tuple[str, ...]:
    """Return the distinct words to search for; empty for a query of punctuation only."""
    return tuple(dict.fromkeys(words_of(query))) if query else ()


def found_words(text: str, wanted: Sequence[str]) -> set[str]:
    """Return those of the query's words (`wanted`) that are a prefix of a word of `text`.

    The words are sorted first, so that hundreds of query words cost little more than one.
    """
    there = sorted(set(all_words(text)))
    places = ((bisect_left(there, beginning), beginning) for beginning in wanted)
    return {beginning for at, beginning in places if at < len(there) and there[at].startswith(beginning)}


_NUMBER = re.compile(r"\s*#([1-9][0-9]{0,14})\s*")


def ticket_number(query: str | None) -> int | None:
    """Return the ticket number if the query is nothing but one, like `#1042`; otherwise None."""
    match = _NUMBER.fullmatch(query or "")
    return int(match[1]) if match else None
