"""How long a snapshot, its sample and a detection take: real time, one process, warm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.core.days import day_window
from telemetry_quality_tests.verification.criterion import Finding, median_below
from telemetry_quality_tests.verification.stage import SOURCE, times_of

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality_tests.verification.stage import Stage

SNAPSHOT_MS, SAMPLE_MS, DETECTION_MS = 500, 100, 50
DAYS = 20


def daily_snapshot(stage: Stage) -> Finding:
    """Read, judge and store a day of about 950 events among 365 files."""
    taken = times_of(stage.days[-DAYS:], stage.service.calculate_daily_integrity, stage.folder)
    return median_below(taken, SNAPSHOT_MS, "calculate_daily_integrity of a day of flights")


def sampling(stage: Stage) -> Finding:
    """Draw and verify 100 events, together with the whole scan that they are drawn in."""
    source, zone = stage.work.source, ZoneInfo(stage.settings.sources[SOURCE].time_zone)

    def scan(day: date) -> None:
        (found,) = source.scan_days([day_window(day, zone)], 100)
        assert len(getattr(found, "sample", ())) == 100, found

    taken = times_of(stage.days[-DAYS:], scan, stage.folder)
    return median_below(taken, SAMPLE_MS, "the scan of a day of flights in which its sample is drawn")


def detection(stage: Stage) -> Finding:
    """The slowest of the three questions about a stored day."""
    service = stage.service
    asked = {
        "detect_anomaly_spikes": service.detect_anomaly_spikes,
        "detect_version_mismatch": service.detect_version_mismatch,
    }
    found = {name: times_of(stage.days[-DAYS:], ask, stage.folder) for name, ask in asked.items()}
    slowest = max(found, key=lambda name: sorted(found[name])[DAYS // 2])
    return median_below(found[slowest], DETECTION_MS, f"{slowest}, the slower of {len(found)}")
