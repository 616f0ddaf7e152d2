"""Alembic's entry point; the connection comes from ``migrate``, which also commits or rolls back."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
