"""Text without case, diacritics and invisible characters, as words are compared. Its twin is static/js/folding.js."""

from __future__ import annotations

import re
import unicodedata

from helpdesk.characters import cut_mark_runs, nfc, nfkd_of

_CACHED_MAX = 20_000  # characters whose folded form is remembered

# Marks that only modify a letter: of Latin, Greek, Cyrillic, Hebrew, Arabic, Syriac and N'Ko, Vedic accents, and those
# that enclose. All others, such as vowel signs of Indic scripts and Japanese voicing marks, make another letter.
_DIACRITIC = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a"
    "\u07eb-\u07f3\u07fd\u0816-\u082d\u0859-\u085b\u0898-\u08ff\u0951-\u0954\u135d-\u135f\u1ab0-\u1aff\u1cd0-\u1cff"
    "\u1dc0-\u1dff\u20d0-\u20ff\u2cef-\u2cf1\u2de0-\u2dff\u302a-\u302f\ua66f-\ua67d\ua69e\ua69f\ua6f0\ua6f1"
    "\ua8e0-\ua8f1\ufb1e\ufe20-\ufe2f]"
)
# The default-ignorable characters and tatweel; format characters (category Cf) are known by their category.
_IGNORED = re.compile(
    "[\xad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Letters with strokes, hooks and tails, and ligatures, which Unicode does not take apart.
_LETTERS = {
    "a": "ⱥᶏ", "b": "ƀƃɓᵬᶀ", "c": "ƈȼɕꞓꞔ", "d": "đƌȡɖɗᵭᶁᶑð", "e": "ɇᶒⱸ", "f": "ƒᵮᶂ", "g": "ǥɠᶃꞡ", "h": "ħɦⱨꞕ",
    "i": "ɨᶖı", "j": "ɉʝȷ", "k": "ƙᶄⱪꝁꝃꝅꞣ", "l": "łƚȴɫɬɭᶅⱡꝉꞎ", "m": "ɱᵯᶆ", "n": "ƞȵɲɳᵰᶇꞑꞥ", "o": "øⱺꝋꝍ",
    "p": "ƥᵱᵽᶈꝑꝓꝕ", "q": "ɋʠꝗꝙ", "r": "ɍɼɽɾᵲᵳᶉꞧ", "s": "ȿʂᵴᶊꞩ", "t": "ŧƫƭȶʈᵵⱦ", "u": "ᶙꞹ", "v": "ʋᶌⱱⱴꝟ", "w": "ⱳ",
    "x": "ᶍ", "y": "ƴɏỿ", "z": "ƶȥɀʐʑᵶᶎⱬ", "ae": "æ", "oe": "œ", "th": "þ", "aa": "ꜳ", "ao": "ꜵ", "au": "ꜷ", "av": "ꜹꜻ",
    "ay": "ꜽ", "oo": "ꝏ", "tz": "ꜩ", "vy": "ꝡ",
}  # fmt: skip
_PLAIN = {letter: plain for plain, letters in _LETTERS.items() for letter in letters}
_HYPHENS = "-\u058a\u05be\u2010\u2011"
_FRACTION_SLASH = "\u2044"  # what NFKD puts into ½
# Voicing marks that stand alone count as those that combine.
_VOICING = {"\u309b": "\u3099", "\u309c": "\u309a"}


class _Folded(dict[int, str]):
    """The folded form of each character, for `str.translate`: one character after the other, so that no run of
    marks is sorted (`normalize` of a whole text is quadratic in such a run)."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _CACHED_MAX:
            self.clear()
        char = chr(code)
        folded = self[code] = "".join(map(_fold, nfkd_of(_VOICING.get(char, char))))
        return folded


_FOLDED = _Folded()


def fold(text: str) -> str:
    """Return the letters, digits and symbols of `text`, folded.

    A symbol has blanks around it; a hyphen is `-`, and whatever else separates is a blank.
    """
    return nfc(cut_mark_runs(text.translate(_FOLDED)))


def _fold(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf" or _IGNORED.match(char):
        return ""
    if category[0] == "M":
        return "" if _DIACRITIC.match(char) else char
    if category[0] in "LN":
        # Lower case first: ẞ has no upper case but itself. Upper case makes two letters of ß.
        return "".join(_PLAIN.get(c, c) for c in char.lower().upper().lower())
    if char in _HYPHENS:
        return "-"
    return f" {char} " if _is_symbol(char, category) else " "


def _is_symbol(char: str, category: str) -> bool:
    """Return whether `char` is a word of its own. ASCII symbols are punctuation: they belong to query syntaxes."""
    if char.isascii() or char == _FRACTION_SLASH:
        return False
    # Emoji that this Python does not know yet stand among those that it knows.
    return category[0] == "S" or category == "Co" or "\U0001f000" <= char <= "\U0001faff"


def name_key(name: str) -> str:
    """Return a person's name as it is searched: folded, its words with one blank between."""
    return " ".join(fold(name).replace("-", " ").split())
