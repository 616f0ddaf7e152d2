"""The version of a lake's table from which a day was read: on the day's page and in the API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.builders import make_scan
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, Desk, keep, open_desk
from telemetry_quality_tests.dashboard.pages.two_incidents import main_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = f"/health/snapshots/web/{YESTERDAY}/"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk(tmp_path)
    yield desk
    desk.close()


def details(desk: Desk) -> dict[str, str]:
    """The pairs below the revisions, by their first word."""
    (listed,) = main_of(desk, DAY).all("dl", class_="pairs")
    return dict(zip([term.text for term in listed.all("dt")], [value.text for value in listed.all("dd")], strict=True))


def test_a_day_shows_the_version_of_the_table_that_it_was_read_from(own: Desk) -> None:
    for verified, version in enumerate(("<41>", "42")):
        own.store.append_scan("web", replace(make_scan(YESTERDAY), source_version=version), (), NOW, verified)
    keep(own.store, YESTERDAY)  # judged by the first scan
    assert (details(own)["Made from scan"], details(own)["Of table version"]) == ("1", "<41>")
    assert [scan["source_version"] for scan in own.json(f"/api{DAY}")["scans"]] == ["<41>", "42"]


def test_a_day_of_a_source_without_versions_shows_none(own: Desk) -> None:
    own.store.append_scan("web", make_scan(YESTERDAY), (), NOW)
    keep(own.store, YESTERDAY)
    assert "Of table version" not in details(own)
    assert [scan["source_version"] for scan in own.json(f"/api{DAY}")["scans"]] == [None]
