"""The page with the list of incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.desk import YESTERDAY
from telemetry_quality_tests.dashboard.pages.two_incidents import FIRST, LIST, OLD, OPEN, main_of

if TYPE_CHECKING:
    from telemetry_quality_tests.dashboard.desk import Desk


def test_the_list_shows_the_newest_first_by_level_state_and_sentence(incidents_desk: Desk) -> None:
    rows = main_of(incidents_desk, LIST).one("table").rows()[1:]
    assert [row[:6] for row in rows] == [
        [f"web/{FIRST}", "✗ open", "✗ critical", str(FIRST), "ongoing", "2"],
        [f"web/{OLD}", "✓ closed", "✗ critical", str(OLD), str(OLD), "1"],
    ]
    assert "error rate 12.00 % (limit 5 %)" in rows[0][6]
    assert main_of(incidents_desk, LIST).one("a", href=OPEN)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("?is_open=true", [f"web/{FIRST}"]),
        ("?is_open=false", [f"web/{OLD}"]),
        ("?is_open=&first=&last=", [f"web/{FIRST}", f"web/{OLD}"]),
        (f"?last={OLD}", [f"web/{OLD}"]),
        (f"?first={YESTERDAY}", [f"web/{FIRST}"]),
        ("?page_size=1&page=2", [f"web/{OLD}"]),
    ],
)
def test_the_list_is_filtered_by_its_form(incidents_desk: Desk, query: str, keys: list[str]) -> None:
    assert [row[0] for row in main_of(incidents_desk, LIST + query).one("table").rows()[1:]] == keys


def test_the_pages_of_the_list_keep_the_filters(incidents_desk: Desk) -> None:
    link = main_of(incidents_desk, f"{LIST}?source=web&page_size=1").one("a", rel="next")
    assert link.attributes["href"] == "?source=web&page_size=1&page=2"


def test_filters_that_match_nothing_say_so(incidents_desk: Desk) -> None:
    main = main_of(incidents_desk, f"{LIST}?source=app")
    assert "No incidents match." in main.text
    assert not main.all("table")
