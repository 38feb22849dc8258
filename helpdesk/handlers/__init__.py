"""HTTP: decode, check, act, answer, always in that order. No rules and no SQL here."""
