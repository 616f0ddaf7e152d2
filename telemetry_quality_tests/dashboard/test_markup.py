"""How pages draw days."""

from __future__ import annotations

from datetime import date

import pytest

from telemetry_quality.dashboard.markup.breakdowns import DayClock, hour_rows
from telemetry_quality.dashboard.models import BreakdownRowResponse
from telemetry_quality.dashboard.rendering import percent
from telemetry_quality_tests.builders import NEW_YORK


@pytest.mark.parametrize(
    ("day", "hours", "third"),
    [(date(2026, 3, 8), 23, "03:00"), (date(2026, 11, 1), 25, "01:00"), (date(2026, 3, 10), 24, "02:00")],
)
def test_hours_are_labelled_by_the_local_clock_also_when_it_changes(day: date, hours: int, third: str) -> None:
    part = BreakdownRowResponse(value=5, events=1, errors=0, missing_version=0, late_events=0, error_unknown_events=0)
    rows = hour_rows([part], DayClock(day, NEW_YORK), {})
    assert len(rows) == hours
    assert rows[2].begins == third
    assert [row.counts.events for row in rows][5] == 1


def test_a_part_whose_events_do_not_say_whether_they_are_errors_has_no_rate() -> None:
    part = BreakdownRowResponse(value=0, events=5, errors=0, missing_version=0, late_events=0, error_unknown_events=5)
    other = part.model_copy(update={"value": 1, "error_unknown_events": 4})
    rows = hour_rows([part, other], DayClock(date(2026, 3, 10), NEW_YORK), {})
    assert [row.error_rate for row in rows[:2]] == [
        percent(None),
        percent(0.0),
    ]
