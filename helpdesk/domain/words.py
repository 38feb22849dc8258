"""What a word is, to the search: one function for the texts and for the queries."""

from __future__ import annotations

import re
import unicodedata

# Scripts written without blanks: each character is a word of its own. Kana, CJK ideographs (with
# extension A and the compatibility block), Hangul syllables, and the ideographs above the BMP.
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of `text`, in order, without case and diacritics.

    Anything but letters and digits separates; each CJK character is a word of its own.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.category(c).startswith("M"))
    # Composed again, so that a Hangul syllable is one character; folded last, since folding can
    # bring marks and capitals back (ẞ, İ).
    folded = unicodedata.normalize("NFC", plain.casefold())
    return _WORD.findall(_CJK.sub(r" \g<0> ", folded))


def index_text(text: str) -> str:
    """Each word of `text` once, with blanks between: what the index is given."""
    return " ".join(dict.fromkeys(words_of(text)))


def query_words(query: str | None) -> tuple[str, ...]:
    """The words to look for, each once; empty for a query of punctuation only."""
    if not query:
        return ()
    return tuple(dict.fromkeys(words_of(query)))
