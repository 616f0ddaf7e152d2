"""The dashboard's static files: sent only to users, and no other file is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.desk import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality_tests.dashboard.desk import Desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A dashboard over an empty store."""
    desk = open_desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("dashboard.css", "text/css; charset=utf-8"),
        ("charts.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/uplot/uPlot.min.css", "text/css; charset=utf-8"),
        ("vendor/uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_are_sent_once_and_then_only_compared(desk: Desk, path: str, media_type: str) -> None:
    first = desk.ask(f"/health/static/{path}")
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    assert first.headers["cache-control"] == "private, no-cache"
    again = desk.ask(f"/health/static/{path}", headers=desk.by_session | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = desk.ask(f"/health/static/{path}", headers=desk.by_session | {"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize("path", ["", "nothing.css", "../files.py", "%2e%2e/files.py", "/etc/passwd", "vendor"])
def test_no_path_leads_outside_the_files(desk: Desk, path: str) -> None:
    response = desk.ask(f"/health/static/{path}")
    assert response.status_code in {400, 404}
    assert "def " not in response.text
