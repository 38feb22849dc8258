"""What every request passes through: connections, heads, bodies, callers, errors. No noun is known here."""
