from __future__ import annotations

from datetime import timedelta

from telemetry_quality.core.root_cause import reference_days
from telemetry_quality_tests.core.root_cause.streams import DAY, PAST


def test_only_earlier_days_are_references() -> None:
    days = [DAY + timedelta(days=offset) for offset in range(-40, 30)]

    assert reference_days(DAY, days) == PAST
    assert reference_days(DAY, [DAY, DAY + timedelta(days=7)]) == ()


def test_too_few_same_weekdays_are_topped_up_by_the_last_days() -> None:
    days = [DAY - timedelta(days=offset) for offset in range(1, 10)]

    assert reference_days(DAY, days) == tuple(DAY - timedelta(days=offset) for offset in (7, 3, 2, 1))


def test_an_unknown_same_weekday_is_replaced_by_an_older_one() -> None:
    days = [DAY - timedelta(days=offset) for offset in range(1, 40) if offset != 14]

    assert reference_days(DAY, days) == tuple(DAY - timedelta(days=offset) for offset in (35, 28, 21, 7))
