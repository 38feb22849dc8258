"""Alembic revisions, run at start when the database is behind (run.py)."""
