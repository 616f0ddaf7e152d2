"""Late arrivals: what is usual for a stream, and up to which share a day is still normal."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from telemetry_quality.core.detectors.late_arrivals import known_from, usual_late_shares

DAY = date(2026, 3, 10)


def earlier(*shares: float) -> dict[date, float]:
    """Shares of the days before DAY, the latest first."""
    return {DAY - timedelta(days=back): share for back, share in enumerate(shares, start=1)}


@pytest.mark.parametrize(("known", "first"), [(0, 7), (6, 1), (7, None), (8, None)])
def test_a_week_must_be_known(known: int, first: int | None) -> None:
    found = known_from(DAY, earlier(*[1.0] * known))

    assert found == (None if first is None else DAY + timedelta(days=first))


@pytest.mark.parametrize(
    ("usual", "limit"),
    [
        pytest.param(1.0, 3.0, id="two points above a share that is hardly ever more than nothing"),
        pytest.param(10.0, 12.0, id="two points, which are a fifth of it"),
        pytest.param(50.0, 60.0, id="a fifth of a large share"),
    ],
)
def test_a_steady_stream_may_be_a_little_later_than_usual(usual: float, limit: float) -> None:
    found = usual_late_shares(DAY, earlier(*[usual] * 14))

    assert tuple(found) == pytest.approx((usual, limit))


def test_a_noisy_stream_may_be_four_of_its_standard_deviations_later_than_usual() -> None:
    found = usual_late_shares(DAY, earlier(*[10.0, 20.0] * 7))

    assert tuple(found) == pytest.approx((15, 15 + 4 * 1.4826 * 5))


@pytest.mark.parametrize(("same_weekdays", "usual"), [(2, 1.0), (3, 30.0), (4, 30.0)])
def test_three_days_of_the_same_weekday_say_what_is_usual_on_it(same_weekdays: int, usual: float) -> None:
    days = earlier(*[1.0] * 7 * same_weekdays)
    history = {day: 30.0 if day.weekday() == DAY.weekday() else share for day, share in days.items()}

    assert usual_late_shares(DAY, history).usual_percent == usual
