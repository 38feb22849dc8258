"""Limits on callers: token buckets, failed logins, turns on the event loop, connections and bytes."""
