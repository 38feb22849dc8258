"""In-memory caches: sessions, and tickets encoded as JSON."""
