"""Fixtures for tests that attack the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality.dashboard.access import passwords
from telemetry_quality_tests.dashboard.access.house import CHEAP, House, hash_of, house_of, make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed in no time; only what they cost is asked of the real hasher."""
    monkeypatch.setattr(passwords, "_hasher", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODYS_HASH", hash_of("nobody's"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A dashboard on loopback with one account."""
    with house_of(make_settings(tmp_path)) as house:
        house.add_account()
        yield house


@pytest.fixture
def https_house(tmp_path: Path) -> Iterator[House]:
    """The same dashboard behind HTTPS."""
    with house_of(make_settings(tmp_path, url="https://telemetry.example.org")) as house:
        house.add_account()
        yield house
