"""The rules. Plain synchronous functions of (conn, actor, data); no HTTP, no SQL, no clock of their own."""
