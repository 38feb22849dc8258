"""Drop a CHECK from a table on SQLite, which has no ALTER TABLE for it, without rewriting the table."""

from __future__ import annotations

import re

from sqlalchemy import Connection, text


def drop_check(conn: Connection, table: str, name: str) -> None:
    """Remove the constraint `name` from the table's definition; no row is touched.

    The definition is all that is stored of a CHECK. SQLite's documentation gives this way for just this
    case (lang_altertable.html, section 7); the general one copies the table, which for the timeline of a
    million tickets takes minutes. Raises LookupError if the table has no such constraint.
    """
    sql = conn.execute(text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": table})
    definition = without_check(sql.scalar_one(), name)
    version = conn.execute(text("PRAGMA schema_version")).scalar_one()
    conn.execute(text("PRAGMA writable_schema = ON"))
    conn.execute(
        text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name"),
        {"sql": definition, "name": table},
    )
    conn.execute(text(f"PRAGMA schema_version = {version + 1}"))  # this connection and all others read it anew
    conn.execute(text("PRAGMA writable_schema = OFF"))


def without_check(definition: str, name: str) -> str:
    """Return a CREATE TABLE statement without one of its named CHECKs. Raises LookupError."""
    found = re.search(rf",\s*CONSTRAINT\s+\"?{re.escape(name)}\"?\s+CHECK\s*(?=\()", definition, re.IGNORECASE)
    if found is None:
        raise LookupError(f"no constraint {name}")
    return definition[: found.start()] + definition[_end_of_parentheses(definition, found.end()) :]


def _end_of_parentheses(sql: str, start: int) -> int:
    """Return the index behind the parenthesis that closes the one at `start`; those in texts do not count."""
    depth = 0
    for token in re.finditer(r"'(?:[^']|'')*'|[()]", sql[start:]):
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if depth == 0:
            return start + token.end()
    raise LookupError("a parenthesis is not closed")
