"""The cookie that names the forms which were stored last: the pages' script drops what it kept of them."""

from __future__ import annotations

import re

STORED = "helpdesk_plain_stored"
_KEYS_MAX = 8  # forms of several tabs may be answered before the first of them reads its answer
_OWN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def with_key(cookie: str | None, key: str | None) -> str | None:
    """Return the cookie's next value; None when the form had no key of the pages' own."""
    if key is None or not _OWN_KEY.fullmatch(key):
        return None
    earlier = [k for k in (cookie or "").split(".") if _OWN_KEY.fullmatch(k) and k != key]
    return ".".join([*earlier, key][-_KEYS_MAX:])
