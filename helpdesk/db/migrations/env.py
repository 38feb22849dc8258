"""How Alembic runs here: on the connection that run.py hands over, in its transaction."""

from alembic import context

from helpdesk.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
