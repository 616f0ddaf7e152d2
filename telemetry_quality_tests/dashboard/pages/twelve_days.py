"""Twelve days of three sources, some of them bad, and helpers to read their pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.events import SampledEvent
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Contributor, Outcome, Segment
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality_tests.builders import SCHEMA, make_evidence, make_figures, make_row, make_scan, make_snapshot
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.markup import read

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element

EVIL = "<img src=x onerror=alert(1)>"
LONG = "💥" * 10_000
UNREADABLE: dict[str, Any] = dict.fromkeys(
    (
        *("total_events", "error_events", "error_rate_percent", "missing_version_events", "missing_version_percent"),
        *("sample_size", "sample_passed", "sampling_success_rate_percent", "expected_events", "expected_low_events"),
        *("expected_high_events", "volume_deviation_percent", "is_volume_unusual", "compared_events"),
        *("duplicate_events", "duplicate_percent", "is_provisional"),
    )
) | {"unreadable_reason_code": "FILE_CORRUPT", "unreadable_reason": f"The file {EVIL} cannot be read."}
BAD: dict[str, Any] = {"error_events": 120, "error_rate_percent": 12.0}

BAD_DAY = YESTERDAY - timedelta(days=2)
UNREADABLE_DAY = YESTERDAY - timedelta(days=3)
MISSING_DAY = YESTERDAY - timedelta(days=4)
EMPTY_DAY = YESTERDAY - timedelta(days=5)


def open_twelve_days(folder: Path) -> Desk:
    """Twelve days of ``web``, of ``app`` and of ``old``, which the settings no longer name."""
    desk = open_desk(folder, "web", "app", dagster_url="http://127.0.0.1:3000")
    special: dict[date, dict[str, Any]] = {BAD_DAY: BAD, UNREADABLE_DAY: UNREADABLE, EMPTY_DAY: {"total_events": 0}}
    for back in range(11, -1, -1):
        day = YESTERDAY - timedelta(days=back)
        if day != MISSING_DAY:
            keep(desk.store, day, "web", **special.get(day, {"total_events": 1000 + back}))
        keep(desk.store, day, "app")
        keep(desk.store, day, "old")
    _keep_evil(desk)
    return desk


def _keep_evil(desk: Desk) -> None:
    """Yesterday's ``web``: bad in some segments, with names that are markup, scanned once and judged three times."""
    rows = [
        make_row(hour=hour, event_name=name, service_version=LONG, events=10, errors=1)
        for hour in (3, 4)
        for name in (EVIL, "page.view", "", None, LONG)
    ]
    sample = [SampledEvent(f"e{number}", EVIL, "1.0") for number in range(4)]
    verdicts = [SampleVerdict(EVIL, ("SIGNAL_UNKNOWN",)), *(SampleVerdict(f"e{number}") for number in range(3))]
    desk.store.append_scan("web", make_scan(YESTERDAY, *rows, sample=sample), verdicts, NOW)
    place = Segment((("platform", EVIL), ("event_name", LONG)))
    for rate in (9.0, 12.0):
        bad: dict[str, Any] = {"error_events": int(10 * rate), "error_rate_percent": rate}
        judged = judge_day(make_evidence(make_figures(**bad), YESTERDAY), policy_of(), SCHEMA)
        blamed = [
            replace(verdict, contributors=(Contributor(place, 3.0, 90.0, 88.0, BAD_DAY),))
            if verdict.outcome is Outcome.FAILED
            else verdict
            for verdict in judged
        ]
        desk.store.append_snapshot(make_snapshot(YESTERDAY, **bad), blamed)


def page_of(desk: Desk, address: str) -> Element:
    response = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    assert response.status_code == 200, response.text
    return read(response.text)


def api_error_of(desk: Desk, address: str, status: int) -> str:
    response = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    assert response.status_code == status
    return read(response.text).one("main").text


def web_day(day: date) -> str:
    return f"/health/snapshots/web/{day}/"
