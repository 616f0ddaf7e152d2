"""The hourly protocol of the detection benchmark: outages of hours, put into series of hourly counts."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from detection import hours, report
from detection.hours import (
    OUTAGES,
    HourlyMethod,
    HourlySeries,
    judge_hourly,
    load_hourly_folder,
    make_hourly_series,
    outages,
)
from detection.protocol import WARM_UP_DAYS

from telemetry_quality_tests.builders import SHARED_DATA

if TYPE_CHECKING:
    from pathlib import Path

    from detection.protocol import Floats

pytestmark = pytest.mark.slow

START = date(2026, 1, 1)


def make_hourly(days: int = WARM_UP_DAYS + 4, region: str | None = None) -> HourlySeries:
    dates = tuple(START + timedelta(days=n) for n in range(days))
    profile = np.array([10.0] * 8 + [100.0] * 12 + [20.0] * 4)
    return make_hourly_series("made", dates, np.tile(profile, (days, 1)), region)


def test_an_hourly_series_is_read_with_its_gaps(tmp_path: Path) -> None:
    text = "hour,count\n2026-01-01 00:00:00,5\n2026-01-01 23:00:00,2\n2026-01-03T01:00,4\n2026-01-03T01:00,6\n"
    (tmp_path / "plain.csv").write_text(text)
    with gzip.open(tmp_path / "packed.csv.gz", "wt") as file:
        file.write(text)
    packed, plain = load_hourly_folder(tmp_path)

    assert (packed.name, plain.name) == ("packed", "plain")
    assert np.array_equal(packed.hours, plain.hours, equal_nan=True)
    assert plain.hours.shape == (3, 24)
    assert (plain.hours[0, 0], plain.hours[0, 1], plain.hours[0, 23]) == (5, 0, 2), "an hour without a row is empty"
    assert np.isnan(plain.hours[1]).all(), "a day without a row is absent"
    assert plain.hours[2, 1] == 10, "the hour that came twice"
    assert plain.days.counts[0] == 7


def test_hourly_folders_say_their_countries_too(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("hour,count\n2026-01-01 00:00:00,5\n")
    (tmp_path / "series.csv").write_text("file,country\na,\n")
    assert [series.days.region for series in load_hourly_folder(tmp_path)] == [None, "US"]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_hourly_series_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=rf"is required, but .*{name} .*; pass --hourly FOLDER\.$"):
        load_hourly_folder(tmp_path / name)


def test_an_outage_empties_its_hours_and_no_others() -> None:
    day = make_hourly().hours[0]
    for seed in range(50):
        left = dict(outages(day, (seed,)))
        assert list(left) == [outage.title for outage in OUTAGES]
        for outage in OUTAGES:
            (empty,) = np.nonzero(left[outage.title] == 0)
            assert len(empty) == outage.hours == empty[-1] - empty[0] + 1
            assert outage.earliest <= empty[0]
            assert empty[-1] < outage.latest_end
            assert np.array_equal(np.delete(left[outage.title], empty), np.delete(day, empty))


def test_an_outage_starts_anywhere_and_is_the_same_every_time() -> None:
    day = make_hourly().hours[0]
    starts = {int(np.argmin(dict(outages(day, (seed,)))["3 hours at any time"])) for seed in range(400)}
    assert starts == set(range(22))
    assert repr(dict(outages(day, (7, 8)))) == repr(dict(outages(day, (7, 8))))


def test_an_outage_that_loses_nothing_is_none() -> None:
    batch = np.zeros(24)
    batch[2] = 1000
    kinds = {title: float(left.sum()) for title, left in outages(batch, (1,))}
    assert kinds == {"3 hours at any time": 0, "6 hours at any time": 0}, "in the daytime there is nothing to lose"


def test_each_judged_day_gets_an_outage_of_each_kind_and_none_enters_a_history() -> None:
    series = make_hourly(region="US")
    series.hours[WARM_UP_DAYS + 1] = np.nan
    series.days.counts[WARM_UP_DAYS + 1] = np.nan
    series.days.holidays[WARM_UP_DAYS + 2] = True
    before = series.hours.copy()
    asked: list[int] = []

    def is_alarm(found: HourlySeries, index: int, counts: Floats) -> bool:
        assert np.array_equal(found.hours, before, equal_nan=True)
        asked.append(index)
        return float(counts.sum()) < 1000

    figures = judge_hourly(HourlyMethod("spy", "spy", is_alarm), [series])

    assert asked == [WARM_UP_DAYS] * 5 + [WARM_UP_DAYS + 2] + [WARM_UP_DAYS + 3] * 5
    assert figures.days == 2
    assert (figures.false_alarms_mean, figures.holidays_alarmed_percent) == (0, 0)
    assert figures.found_percent["6 hours in the daytime"] == 100, "1,360 events less 600"
    assert figures.found_percent["3 hours in the daytime"] == 0, "1,360 events less 300"


def test_the_daily_sum_is_judged_by_the_daily_limits() -> None:
    series = make_hourly()
    index = len(series.hours) - 1
    both = hours.HOURLY_METHODS[0].is_alarm
    assert not both(series, index, series.hours[index])
    assert both(series, index, series.hours[index] * 0.5)


def test_the_hours_are_judged_by_the_guardrail_of_hours_which_sees_only_earlier_days() -> None:
    series = make_hourly()
    by_name = {method.name: method.is_alarm for method in hours.HOURLY_METHODS}
    index = WARM_UP_DAYS + 1
    series.hours[index + 1 :] = np.nan
    left = series.hours[index].copy()
    left[9:12] = 0
    assert not by_name["ours_missing_hours"](series, index, series.hours[index])
    assert not by_name["ours_both"](series, index, left)
    for name in ("ours_missing_hours", "ours_missing_hours_calendar", "ours_both_and_hours"):
        assert by_name[name](series, index, left)
    assert by_name["ours_both_and_hours"](series, index, series.hours[index] * 0.5)


def test_the_report_writes_the_hourly_table(tmp_path: Path) -> None:
    figures = [judge_hourly(method, [make_hourly()]) for method in hours.HOURLY_METHODS]
    report.write_hours(figures, [make_hourly()], tmp_path)
    lines = (tmp_path / "hours.csv").read_text().splitlines()
    assert len(lines) == 1 + len(hours.HOURLY_METHODS)
    assert lines[0].startswith("name,method,")
    assert "3 hours at any time: found %" in (tmp_path / "hours.md").read_text()


@pytest.mark.skipif(not (SHARED_DATA / "hourly").is_dir(), reason="needs the hourly series in ../shared/data/hourly")
def test_the_real_hourly_series_load() -> None:
    folder = load_hourly_folder(SHARED_DATA / "hourly")
    assert {series.name for series in folder} >= {"hou_operated", "houston_crime"}
    assert all(len(list(series.judged())) > 100 for series in folder)
