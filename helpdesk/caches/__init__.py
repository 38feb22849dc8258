"""What is kept in memory between requests: sessions, and tickets as JSON."""
