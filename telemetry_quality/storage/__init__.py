"""The quality store: append-only tables in a SQL database, migrated by Alembic, chained by hashes.

It gets a URL, never the settings; no session or connection leaks out of it.
"""
