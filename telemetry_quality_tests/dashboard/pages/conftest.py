"""Fixtures that tests of pages share and do not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.pages.twelve_days import open_twelve_days
from telemetry_quality_tests.dashboard.pages.two_incidents import open_two_incidents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality_tests.dashboard.desk import Desk


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with twelve days; a test that changes something copies it."""
    desk = open_twelve_days(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()


@pytest.fixture(scope="package")
def incidents_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with two incidents; a test that decides on one copies it."""
    desk = open_two_incidents(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()
