"""Live events: the hub, its streams, and wake-ups between processes."""
