"""The quality store: append-only tables in a SQL database, migrated by Alembic, chained by hashes.

It gets a URL, never the settings, and keeps its sessions and connections to itself.
"""
