"""Alembic migrations, configured in code, so that there is no alembic.ini to lose."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import MetaData, inspect

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import database_at, database_of, open_engine, transaction
from telemetry_quality.storage.tables import metadata
from telemetry_quality.storage.views import VIEWS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def migrate(url: str) -> str:
    """Create the store at ``url`` or bring it up to date; return its schema revision.

    Raises:
        StoreError: If the URL is wrong or the database cannot be written.
    """
    database = database_at(url)
    engine = database.open_engine()
    try:
        database.prepare_location()
        with transaction(engine, writes=True) as connection:
            command.upgrade(_config(connection), "head")
            return str(MigrationContext.configure(connection).get_current_revision())
    except CommandError:
        raise StoreError(
            f"The store {database.label} must have a schema that this version knows, but its schema is newer; "
            "install the telemetry-quality version that made it."
        ) from None
    finally:
        engine.dispose()


def differences(engine: Engine) -> list[Any]:
    """What Alembic would still have to change in views and tables for the database to match the models."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = list(compare_metadata(context, _tables_of(engine)))
        found += [("add_view", view) for view in VIEWS if view not in inspect(connection).get_view_names()]
        return found


def _tables_of(engine: Engine) -> MetaData:
    """The tables that every store has, and those that only this kind of database needs."""
    tables = MetaData(naming_convention=metadata.naming_convention)
    for stored in (*metadata.tables.values(), *database_of(engine).more_tables.tables.values()):
        stored.to_metadata(tables)
    return tables


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "telemetry_quality:storage/migrations")
    config.attributes["connection"] = connection
    return config


def differences_of_a_new_store() -> list[Any]:
    """What ``differences`` finds in a store made by the migrations alone."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        migrate(url)
        engine = open_engine(url)
        try:
            return differences(engine)
        finally:
            engine.dispose()
