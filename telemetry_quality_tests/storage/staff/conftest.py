"""A store with two accounts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import url_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.storage.staff.lookup import Account


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store, made once, for copying."""
    folder = tmp_path_factory.mktemp("empty")
    migrate(url_of(folder))
    return folder / "quality.db"


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[StaffStore]:
    shutil.copyfile(empty_store, tmp_path / "quality.db")
    staff = StaffStore(url_of(tmp_path))
    yield staff
    staff.close()


@pytest.fixture
def ada(store: StaffStore) -> Account:
    return store.add_account("ada@example.org", "hash", NOW)


@pytest.fixture
def ben(store: StaffStore) -> Account:
    return store.add_account("ben", None, NOW)
