"""The business rules: plain synchronous functions of (conn, actor, data). No HTTP, no SQL, no clock of their own."""
