"""HTTP handlers: decode, validate, act, respond, always in that order. No business rules and no SQL here."""
