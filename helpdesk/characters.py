"""What single characters are: combining marks, invisible ones, controls. The only place that normalises text."""

from __future__ import annotations

import re
import unicodedata

MARKS_MAX = 30  # in a row; UAX #15's stream-safe format has the same bound

# White space, format characters and the other default-ignorable ones, fillers, and the empty Braille pattern.
_INVISIBLE = (
    "\t-\r\x1c-\x20\x85\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5"
    "\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_blank(text: str) -> bool:
    """Return whether nothing in `text` is visible."""
    return _VISIBLE.search(text) is None


def has_control(text: str) -> bool:
    """Return whether `text` holds a control character or a line break."""
    return _CONTROL.search(text) is not None


def has_surrogate(text: str) -> bool:
    """Return whether `text` holds half of a surrogate pair, which UTF-8 cannot encode."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def is_mark(char: str) -> bool:
    """Return whether `char` is a combining mark (general category M)."""
    return unicodedata.category(char)[0] == "M"


def has_long_mark_run(text: str) -> bool:
    """Return whether more than MARKS_MAX combining marks follow each other.

    Such a run covers one of every MARKS_MAX + 1 positions, so that only these are looked at.
    """
    if text.isascii():
        return False
    positions = range(MARKS_MAX, len(text), MARKS_MAX + 1)
    return any(is_mark(text[at]) and _run_length(text, at) > MARKS_MAX for at in positions)


def _run_length(text: str, at: int) -> int:
    """Return how many marks in a row include position `at`; MARKS_MAX + 1 for any longer run."""
    first, end = at, at + 1
    while first > 0 and end - first <= MARKS_MAX and is_mark(text[first - 1]):
        first -= 1
    while end < len(text) and end - first <= MARKS_MAX and is_mark(text[end]):
        end += 1
    return end - first


def nfc(text: str) -> str:
    """Return `text` in Unicode NFC.

    `unicodedata.normalize` sorts the marks of a run by insertion: 160 kB of them took 10 s. The caller
    has refused text with a long run.
    """
    return unicodedata.normalize("NFC", text)


def nfkd_of(char: str) -> str:
    """Return one character in NFKD: what a compatibility form stands for, with its marks apart."""
    return unicodedata.normalize("NFKD", char)


def cut_mark_runs(text: str) -> str:
    """Return `text` with the first MARKS_MAX marks of every run."""
    if not has_long_mark_run(text):
        return text
    kept: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if is_mark(char) else 0
        if run <= MARKS_MAX:
            kept.append(char)
    return "".join(kept)
