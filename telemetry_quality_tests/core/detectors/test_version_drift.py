"""Version shares: which moves are far beyond what their history explains."""

from __future__ import annotations

import pytest

from telemetry_quality.core.detectors.version_drift import is_newer


@pytest.mark.parametrize(
    ("version", "other", "expected"),
    [
        ("2.10.0", "2.9", True),
        ("2.9", "2.10.0", False),
        ("2.0", "2.0", False),
        ("v3", "v2", True),
        ("web@5.1.0", "web@5.0.9", True),
        ("ios-2.0", "web-1.0", False),
        ("3f2a9", "2b1c8", False),
        ("2.1.0-rc.1", "2.0.0", True),
        ("A320-232", "737-824", False),
    ],
)
def test_versions_are_ordered_where_they_say_so(version: str, other: str, expected: bool) -> None:
    assert is_newer(version, other) is expected
