"""Realistic text from a fixed seed: words as frequent as words are (Zipf), not uniform noise."""

from __future__ import annotations

import random
from itertools import accumulate

VOCABULARY = 10_000

# The head of the list is what support tickets are about; the tail is made of syllables.
_HEAD = [
    "the",
    "to",
    "and",
    "is",
    "not",
    "it",
    "on",
    "my",
    "when",
    "we",
    "in",
    "for",
    "with",
    "after",
    "error",
    "please",
    "since",
    "printer",
    "email",
    "login",
    "account",
    "network",
    "screen",
    "password",
    "update",
    "computer",
    "phone",
    "server",
    "file",
    "access",
    "open",
    "works",
    "again",
    "cannot",
    "slow",
    "user",
    "page",
    "office",
    "meeting",
    "laptop",
    "vpn",
    "invoice",
    "customer",
    "calendar",
    "data",
    "backup",
    "message",
    "restart",
    "browser",
    "mouse",
    "keyboard",
    "monitor",
    "cable",
    "room",
    "wifi",
    "license",
    "install",
    "software",
    "report",
    "order",
    "payment",
    "website",
    "link",
    "folder",
    "drive",
    "shared",
    "permission",
    "reset",
    "code",
    "token",
    "certificate",
    "domain",
    "upload",
    "download",
    "attachment",
    "inbox",
    "outlook",
    "teams",
    "call",
    "voice",
    "headset",
    "camera",
    "battery",
    "charger",
    "dock",
    "driver",
    "crash",
    "freeze",
    "blue",
    "black",
    "sound",
    "scanner",
    "toner",
    "paper",
    "tray",
    "jam",
    "queue",
    "job",
    "export",
    "import",
    "table",
    "field",
    "form",
]
_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "ca",
    "co",
    "da",
    "de",
    "di",
    "do",
    "fa",
    "fe",
    "ga",
    "go",
    "ha",
    "he",
    "jo",
    "ka",
    "ke",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "no",
    "pa",
    "pe",
    "po",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "si",
    "so",
    "ta",
    "te",
    "ti",
    "to",
    "va",
    "ve",
    "vi",
    "wo",
    "ya",
    "zo",
]


def vocabulary() -> list[str]:
    """VOCABULARY different words, the most frequent first."""
    rng = random.Random(20261123)
    words = dict.fromkeys(_HEAD)
    while len(words) < VOCABULARY:
        words["".join(rng.choices(_SYLLABLES, k=rng.choice((2, 3, 3, 4))))] = None
    return list(words)


class Texts:
    """Sentences from the vocabulary; the n-th word is 1/(n + 2.7) as frequent as the first could be (Mandelbrot)."""

    def __init__(self) -> None:
        self.words = vocabulary()
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(1, VOCABULARY + 1)))

    def line(self, rng: random.Random, least: int, most: int) -> str:
        """Some words, the first with a capital."""
        return " ".join(rng.choices(self.words, cum_weights=self._weights, k=rng.randint(least, most))).capitalize()

    def prose(self, rng: random.Random, least: int, most: int) -> str:
        """A few sentences."""
        return ". ".join(self.line(rng, least, most) for _ in range(rng.randint(2, 4))) + "."
