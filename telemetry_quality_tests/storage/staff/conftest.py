"""A store with two accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.builders import NOW, migrated_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.storage.staff.lookup import Account


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StaffStore]:
    staff = StaffStore(migrated_store(tmp_path / "quality.db"))
    yield staff
    staff.close()


@pytest.fixture
def ada(store: StaffStore) -> Account:
    return store.add_account("ada@example.org", "hash", NOW)


@pytest.fixture
def ben(store: StaffStore) -> Account:
    return store.add_account("ben", None, NOW)
