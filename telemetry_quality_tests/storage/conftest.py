"""Stores in each database that can hold one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.builders import migrated_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality_tests.servers import PostgreSQL


@pytest.fixture(scope="session")
def new_postgresql_store(postgresql: PostgreSQL) -> Callable[[], str]:
    """Makes migrated stores in PostgreSQL, each a copy of one that the migrations made; returns their URLs."""
    made = make_url(postgresql.new_database())
    migrate(made.render_as_string(hide_password=False))

    def copy() -> str:
        return postgresql.new_database(template=made.database)

    return copy


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store; once in each database."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("new_postgresql_store")()
        return url
    return migrated_store(tmp_path / "quality.db")
