"""SQLite and PostgreSQL behind one Database protocol: their threads, connections, files and faults."""
