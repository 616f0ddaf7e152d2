"""Small pictures of thirty days: what is not known is a gap, and a limit is always within the picture."""

from __future__ import annotations

import re

import pytest

from telemetry_quality.dashboard.markup.calendars import strip
from telemetry_quality.dashboard.markup.sparklines import error_sparkline, volume_sparkline
from telemetry_quality_tests.dashboard.markup import read


def paths(picture: str) -> dict[str, str]:
    return {path.attributes.get("class", ""): path.attributes["d"] for path in read(picture).all("path")}


def test_events_are_a_line_before_the_band_in_which_they_are_expected() -> None:
    drawn = paths(volume_sparkline([50, 100, 0], [40, 40, 40], [60, 60, 60]))
    assert drawn == {"": "M0 12l4-11 4 22", "band": "M0 10l4 0 4 0V14l-4 0-4 0z"}


def test_a_day_that_is_not_known_is_a_gap_and_a_day_between_two_gaps_is_a_dot() -> None:
    drawn = paths(volume_sparkline([None, 100, None, 0, 0], [None] * 5, [None] * 5))
    assert drawn == {"": "M4 1h0M12 23l4 0", "band": ""}


@pytest.mark.parametrize("highest", [0.0, 4.9, 5.0, 90.0])
def test_the_limit_of_errors_is_within_the_picture(highest: float) -> None:
    found = re.fullmatch(r"M0 (\d+)h4", paths(error_sparkline([0.0, highest], 5.0))["limit"])
    assert found
    assert 1 <= int(found[1]) <= 23


def test_a_strip_has_a_line_for_each_stretch_and_a_sign_for_each_day_that_is_not_healthy() -> None:
    drawn = read(strip(["healthy", "healthy", "unhealthy", "unhealthy", "missing", "healthy"]))
    lines = [(path.classes[0], path.attributes["d"]) for path in drawn.all("path")]
    assert lines == [
        ("healthy", "M0 10h19"),
        ("unhealthy", "M20 10h19"),
        ("missing", "M40 10h9"),
        ("healthy", "M50 10h9"),
    ]
    assert [(text.attributes["x"], text.text) for text in drawn.all("text")] == [("24.5 34.5", "✗✗"), ("44.5", "·")]
    assert drawn.one("svg").attributes["aria-label"] == "3 healthy, 2 unhealthy, 1 no snapshot"
