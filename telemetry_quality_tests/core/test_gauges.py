"""The gauges say what is known about a source, and have no sample for anything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.gaps import find_gaps
from telemetry_quality.core.gauges import GAUGES, NUMBERS, WatchedSource, samples_of
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import Action, IncidentAction
from telemetry_quality.core.metrics import LISTED, Unit
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality_tests.builders import make_snapshot
from telemetry_quality_tests.dashboard.states import make_failure, make_incidents

if TYPE_CHECKING:
    from telemetry_quality.core.incidents import Incident

NEWEST = date(2026, 3, 10)
CALENDAR = Calendar(ZoneInfo("UTC"), date(2026, 3, 8))
NOW = datetime(2026, 3, 11, 6, tzinfo=UTC)
PATIENCE = timedelta(hours=3)


def make_watched(*incidents: Incident, now: datetime = NOW, judged: bool = True, **figures: Any) -> WatchedSource:
    """A source of which 2026-03-08 is missing and 2026-03-10 was judged an hour before NOW."""
    days = {date(2026, 3, 9), NEWEST} if judged else set()
    newest = replace(make_snapshot(NEWEST, **figures), computed_at=NOW - timedelta(hours=1)) if judged else None
    return WatchedSource(CALENDAR, find_gaps("web", CALENDAR, days, now, PATIENCE), newest, incidents)


def values(watched: WatchedSource, now: datetime = NOW) -> dict[tuple[str, ...], float]:
    """The samples by the name of their gauge, without its prefix, and their labels without the source."""
    found = {}
    for gauge, labels, value in samples_of([watched], now):
        assert len(labels) == len(gauge.labels)
        assert labels[0] == "web"
        found[gauge.name.removeprefix("telemetry_quality_"), *labels[1:]] = value
    return found


def test_a_judged_day_has_exactly_one_status_its_ages_and_its_numbers() -> None:
    found = values(make_watched(total_events=1000, error_events=50, error_rate_percent=5.0))
    assert {status: found["day_status", status] for status in DayStatus} == {
        status: float(status is DayStatus.HEALTHY) for status in DayStatus
    }
    assert found["day_age_seconds",] == 6 * 3600
    assert found["snapshot_age_seconds",] == 3600
    assert found["day_total_events",] == 1000
    assert found["day_error_rate_ratio",] == pytest.approx(0.05)
    assert found["snapshots_missing",] == 1
    assert found["snapshots_in_future",] == 0


def test_what_is_not_known_has_no_sample_and_is_not_zero() -> None:
    found = values(make_watched(expected_events=None, error_rate_percent=None))
    assert ("day_expected_events",) not in found
    assert ("day_error_rate_ratio",) not in found
    assert ("day_missing_version_ratio",) in found


@pytest.mark.parametrize(("minutes", "is_overdue"), [(-1, False), (0, True), (1, True)])
def test_once_the_next_day_is_overdue_the_status_is_unknown_and_only_the_ages_remain(
    minutes: int, is_overdue: bool
) -> None:
    now = datetime(2026, 3, 12, 3, tzinfo=UTC) + timedelta(minutes=minutes)
    found = values(make_watched(now=now), now)
    assert found["day_is_overdue",] == is_overdue
    assert found["day_status", "unknown"] == is_overdue
    assert found["day_status", "healthy"] == (not is_overdue)
    assert (("day_total_events",) in found) is not is_overdue
    assert found["day_age_seconds",] == (now - datetime(2026, 3, 11, tzinfo=UTC)).total_seconds()


def test_a_source_that_was_never_judged_is_unknown_and_has_neither_age_nor_numbers() -> None:
    found = values(make_watched(judged=False))
    assert found["day_status", "unknown"] == 1
    assert found["snapshots_missing",] == 3
    assert not {name for name, *_ in found} & {"day_age_seconds", "snapshot_age_seconds", "day_total_events"}


def test_open_incidents_are_counted_by_level_and_by_whether_they_call_for_somebody() -> None:
    (loud,) = make_incidents(make_failure())
    (slight,) = make_incidents(make_failure(level=Level.WARNING))
    closed = replace(loud, is_open=False)

    def decided(action: Action, until: date) -> Incident:
        return replace(loud, actions=(IncidentAction("web", NEWEST, loud.root_cause, action, "ada", "", until, NOW),))

    quiet = (decided(Action.MUTE, NOW.date()), decided(Action.DISMISS, NEWEST))
    unmuted_again = decided(Action.MUTE, NOW.date() - timedelta(days=1))
    found = values(make_watched(loud, slight, closed, *quiet, unmuted_again))
    counted = {labels[1:]: value for labels, value in found.items() if labels[0] == "open_incidents"}
    assert counted == {
        ("CRITICAL", "raised"): 2,
        ("CRITICAL", "quiet"): 2,
        ("WARNING", "raised"): 1,
        ("WARNING", "quiet"): 0,
        ("INFO", "raised"): 0,
        ("INFO", "quiet"): 0,
    }


def test_every_listed_number_has_a_gauge_and_shares_are_ratios() -> None:
    assert list(NUMBERS) == [metric.name for metric in LISTED]
    for metric in LISTED:
        gauge = NUMBERS[metric.name]
        is_percent = metric.unit in {Unit.PERCENT, Unit.SIGNED_PERCENT}
        assert gauge.name.endswith("_ratio") is is_percent
        assert (gauge.unit == "1") is is_percent


def test_no_gauge_names_a_number_in_percent_and_each_name_is_used_once() -> None:
    names = [gauge.name for gauge in GAUGES]
    assert len(set(names)) == len(names)
    assert [gauge for gauge in GAUGES if "percent" in gauge.name or "percent" in gauge.description] == []
