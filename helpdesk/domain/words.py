"""What a word is, to the search: one function for the texts and for the queries."""

from __future__ import annotations

import re

from helpdesk.characters import is_mark, nfc, nfkd_of

# Scripts written without blanks: each character is a word of its own. Kana, CJK ideographs (with
# extension A and the compatibility block), Hangul syllables, and the ideographs above the BMP.
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")
_CACHED_MAX = 20_000  # characters whose plain form is remembered


class _PlainForms(dict[int, str]):
    """Each character without its marks, for `str.translate`: one character after the other, so that a
    run of marks is never sorted (`normalize` of a whole text is quadratic in such a run)."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _CACHED_MAX:
            self.clear()
        plain = self[code] = "".join(c for c in nfkd_of(chr(code)) if not is_mark(c))
        return plain


_PLAIN = _PlainForms()


def words_of(text: str) -> list[str]:
    """The words of `text`, in order, without case and diacritics.

    Anything but letters and digits separates; each CJK character is a word of its own.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    plain = text.translate(_PLAIN)
    # Composed again, so that a Hangul syllable is one character; folded last, since folding can
    # bring marks and capitals back (ẞ, İ).
    folded = nfc(plain.casefold())
    return _WORD.findall(_CJK.sub(r" \g<0> ", folded))


def index_text(text: str) -> str:
    """Each word of `text` once, with blanks between: what the index is given."""
    return " ".join(dict.fromkeys(words_of(text)))


def query_words(query: str | None) -> tuple[str, ...]:
    """The words to look for, each once; empty for a query of punctuation only."""
    if not query:
        return ()
    return tuple(dict.fromkeys(words_of(query)))
