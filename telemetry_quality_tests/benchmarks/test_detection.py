"""The detection benchmark: fair to every method, right in its arithmetic, and described as it is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from detection import ours, peers, plain, records, report
from detection.hours import HOURLY_METHODS
from detection.methods import METHODS
from detection.protocol import (
    FAULTS,
    HOLIDAY,
    INCIDENT,
    LEAK,
    LEAK_DAYS,
    NO_LEAK,
    NORMAL,
    OUTSIDE,
    WARM_UP_DAYS,
    Days,
    Limits,
    Method,
    Series,
    Tally,
    draw,
    faulty_counts,
    groups,
    judge,
    judge_series,
    leak_starts,
    leaking,
    load_folder,
    load_series,
    make_days,
    region_of,
    summarize,
)

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.detectors.expected_volume import Expectation, expect
from telemetry_quality.core.guardrails import activity, volume
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import expectation_settings
from telemetry_quality.core.metrics import Basis, figures_of
from telemetry_quality_tests.builders import SHARED_DATA, make_evidence, make_stored_scan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow

START = date(2026, 1, 1)
DAILY = SHARED_DATA / "daily"


def make_counts(length: int = 90, seed: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Weeks with a quiet weekend, much noise and an absent day."""
    noise = np.random.default_rng(seed).normal(0, 0.15, length)
    weekend = np.array([0.6 if (START + timedelta(days=n)).weekday() >= 5 else 1.0 for n in range(length)])
    counts = np.round(1000 * weekend * np.exp(noise))
    counts[40] = nan
    return counts


def make_series(counts: Sequence[float] | None = None, labels: dict[int, str] | None = None) -> Series:
    values = make_counts() if counts is None else np.array(counts, dtype=float)
    dates = tuple(START + timedelta(days=n) for n in range(len(values)))
    marks = tuple((labels or {}).get(n, NORMAL) for n in range(len(values)))
    return Series("made", make_days(dates, values), marks)


def accepts(low: float, high: float, interval: tuple[float, float] | None = None) -> Method:
    return Method("fixed", "always the same limits", lambda _days, _index: Limits(low, high, interval))


def answer(method: Method, days: Days, index: int) -> object:
    if method.finds is not None:
        return method.finds(days, index)
    return method.limits(days, index) if method.limits else None


def is_alarm(method: Method, days: Days, index: int, count: float) -> bool:
    limits = method.limits(days, index) if method.limits else None
    return limits is not None and limits.is_alarm(count)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_looks_ahead(name: str) -> None:
    method = METHODS[name]
    if missing := report.missing_libraries(method):
        pytest.skip(f"{name} needs {' and '.join(missing)}")
    days = make_series().days
    for index in (60, 75) if method.sample is None else (75,):
        later = days.counts.copy()
        later[index + (method.finds is not None) :] *= 7
        assert answer(method, days, index) == answer(method, days.with_counts(later), index)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_sees_earlier_days(name: str) -> None:
    method = METHODS[name]
    if missing := report.missing_libraries(method):
        pytest.skip(f"{name} needs {' and '.join(missing)}")
    if method.limits is None:
        pytest.skip(f"{name} answers with yes or no; the leak it must find is tested by itself")
    days = make_series().days
    assert method.limits(days, 75) != method.limits(days.with_counts(days.counts * 3), 75)


def test_faults_are_put_into_normal_days_only() -> None:
    labels = {60: HOLIDAY, 61: INCIDENT, 62: "shift", 10: INCIDENT}
    series = make_series([100.0] * 64 + [nan], labels)
    asked: list[int] = []

    def limits(_days: Days, index: int) -> Limits:
        asked.append(index)
        return Limits(90, 110)

    tally = judge_series(Method("spy", "spy", limits), series)
    assert asked == [56, 57, 58, 59, 63, 60, 61], "after the warm-up, neither a shift nor an absent day"
    assert {tally.judged[fault] for fault in FAULTS} == {5}
    assert (tally.judged[NORMAL], tally.judged[HOLIDAY], tally.judged[INCIDENT]) == (5, 1, 1)


def test_no_fault_enters_the_history_of_another_day() -> None:
    series = make_series()
    before = series.days.counts.copy()
    seen: list[bool] = []

    def limits(days: Days, _index: int) -> Limits:
        seen.append(np.array_equal(days.counts, before, equal_nan=True))
        return Limits(0, 1)

    judge_series(Method("spy", "spy", limits, leak_starts=0), series)
    assert seen
    assert all(seen)


def test_faults_leave_what_their_names_promise() -> None:
    assert dict(faulty_counts(101)) == {
        "−20 %": 81,
        "−35 %": 66,
        "−50 %": 50,
        "+50 %": 152,
        "doubled": 202,
        "zero": 0,
    }


def test_the_figures_of_a_small_example_are_those_computed_by_hand() -> None:
    counts = [100.0] * WARM_UP_DAYS + [100, 120, 80, 100, 40, 100]
    series = make_series(counts, {WARM_UP_DAYS + 4: INCIDENT, WARM_UP_DAYS + 5: HOLIDAY})
    tally = judge_series(accepts(60, 110, (90, 110)), series)
    figures = summarize(accepts(60, 110), {"made": tally}, seconds=0.6)
    assert figures.normal_days == 4
    assert figures.false_alarms_mean == figures.false_alarms_median == 25, "120 is above 110"
    assert figures.coverage_percent == 50, "120 and 80 are outside 90 to 110"
    assert (figures.incident_days_hit, figures.incident_days) == (1, 1)
    assert figures.holidays_alarmed_percent == 0
    assert figures.recall_percent == {
        "−20 %": 0,  # 80, 96, 64, 80
        "−35 %": 25,  # 65, 78, 52, 65
        "−50 %": 75,  # 50, 60, 40, 50
        "+50 %": 100,  # 150, 180, 120, 150
        "doubled": 100,
        "zero": 100,
    }
    assert isnan(figures.leaks_found_percent), "six days have no room for a leak"
    assert figures.milliseconds_per_day == pytest.approx(100)


def test_a_group_of_series_counts_once_in_the_mean_and_each_series_in_the_median() -> None:
    tallies = {"dap_a": Tally(), "dap_b": Tally(), "taxi": Tally()}
    for name, alarms in {"dap_a": 1, "dap_b": 3, "taxi": 10}.items():
        for n in range(100):
            tallies[name].add(NORMAL, n < alarms)
    figures = summarize(accepts(0, 1), tallies)
    assert figures.false_alarms_mean == pytest.approx(6), "(1 + 3) / 2 and 10"
    assert figures.false_alarms_median == pytest.approx(3)


def test_series_are_grouped_by_a_prefix_they_share() -> None:
    assert groups(["dap_a", "dap_b", "us_births", "taxi"]) == {
        "dap_a": "dap",
        "dap_b": "dap",
        "us_births": "us_births",
        "taxi": "taxi",
    }


def test_a_value_exactly_at_a_limit_raises_no_alarm() -> None:
    limits = Limits(70, 130)
    assert [limits.is_alarm(count) for count in (69.9, 70, 130, 130.1)] == [True, False, False, True]


def test_a_leak_takes_two_percent_more_each_day_and_nothing_before_or_after() -> None:
    days = make_series([10_000.0] * 100).days
    leaked = leaking(days, 60).counts
    assert set(leaked[:60]) == set(leaked[60 + LEAK_DAYS :]) == {10_000}
    assert leaked[60:63].tolist() == [9800, 9604, 9412]
    assert leaked[60 + LEAK_DAYS - 1] == round(10_000 * 0.98**LEAK_DAYS)
    assert days.counts[60] == 10_000


def test_a_leak_is_found_by_an_alarm_below_on_a_normal_day_within_thirty_days() -> None:
    series = make_series([10_000.0] * (WARM_UP_DAYS + LEAK_DAYS))
    assert leak_starts(series, 5) == [WARM_UP_DAYS]
    tally = judge_series(accepts(10_000 * 0.98**29, 11_000), series)
    assert (tally.alarms[LEAK], tally.alarms[NO_LEAK], tally.judged[LEAK]) == (1, 0, 1)
    assert judge_series(accepts(0, 5_000), series).alarms[LEAK] == 0, "too high is not a leak"
    holidays = dict.fromkeys(range(WARM_UP_DAYS + 1, WARM_UP_DAYS + LEAK_DAYS), HOLIDAY)
    quiet = make_series([10_000.0] * (WARM_UP_DAYS + LEAK_DAYS), holidays)
    assert judge_series(accepts(9_000, 11_000), quiet).alarms[LEAK] == 0


def test_our_leak_check_finds_a_leak_in_a_steady_stream_and_none_without() -> None:
    finds = METHODS["ours_leak"].finds
    assert finds is not None
    counts = 10_000 * np.exp(np.random.default_rng(1).normal(0, 0.02, 120))
    days = make_series(list(np.round(counts))).days
    window = range(80, 80 + LEAK_DAYS)
    assert any(finds(leaking(days, 80), index) for index in window)
    assert not any(finds(days, index) for index in window)


def test_a_sample_is_the_same_every_time_and_in_order() -> None:
    sample = draw(range(1000), 20)
    assert sample == draw(range(1000), 20)
    assert sample == sorted(set(sample))
    assert len(sample) == 20
    assert draw(range(5), 20) == draw(range(5), None) == [0, 1, 2, 3, 4]


def test_a_day_without_a_row_or_a_count_is_absent_and_a_zero_is_a_zero(tmp_path: Path) -> None:
    file = tmp_path / "melbourne_square.csv"
    file.write_text(
        "date,count,label,note\n"
        "2026-01-25,10,,\n2026-01-26,0,holiday,Australia Day\n2026-01-28,,,\n2026-01-29,0.0,,row missing in source\n"
    )
    series = load_series(file, region_of(file.stem))
    assert series.days.counts.tolist() == pytest.approx([10, 0, nan, nan, nan], nan_ok=True)
    assert series.labels == ("", "holiday", "", "", "")
    assert series.days.holidays.tolist() == [False, True, False, False, False], "Victoria's calendar, not the US one"
    assert region_of("nyc_taxi") == "US"


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_series_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=rf"is required, but .*{name} .*; pass --data FOLDER\.$"):
        report.main(["--data", str(tmp_path / name)])


def write_series(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("date,count,label,note\n2026-01-26,10,,\n2026-07-03,10,,\n")


def test_a_folder_says_which_country_each_series_is_from(tmp_path: Path) -> None:
    write_series(tmp_path, "melbourne_a.csv", "melbourne_b.csv", "shop.csv", "taxi.csv", "wiki.csv")
    (tmp_path / "series.csv").write_text("file,country\nmelbourne_a.csv,US\nshop,AU-VIC\nwiki.csv,\n")
    regions = {series.name: series.days.region for series in load_folder(tmp_path)}
    assert regions == {
        "melbourne_a": "US",
        "melbourne_b": "AU-VIC",
        "shop": "AU-VIC",
        "taxi": "US",
        "wiki": None,
    }, "series.csv itself is no series, and what it does not list is from where its name says"


def test_a_series_without_a_country_has_no_holidays(tmp_path: Path) -> None:
    write_series(tmp_path, "wiki.csv", "shop.csv")
    (tmp_path / "series.csv").write_text("file,country\nwiki,\nshop.csv,US\n")
    shop, wiki = load_folder(tmp_path)
    assert (shop.days.holidays.sum(), wiki.days.holidays.sum()) == (4, 0), "of the US, from 26 January to 3 July"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("name,land\nshop,US\n", "requires the columns file,country"), ("file,country\nshop,XX\n", "but 'XX' was found")],
)
def test_countries_that_are_not_understood_are_refused_in_one_sentence(
    tmp_path: Path, text: str, complaint: str
) -> None:
    write_series(tmp_path, "shop.csv")
    (tmp_path / "series.csv").write_text(text)
    with pytest.raises(SystemExit, match=rf"{complaint}.*\.$"):
        load_folder(tmp_path)


def test_elementarys_limits_are_where_its_own_score_is_three() -> None:
    days = make_series().days
    limits = peers.elementary(days, 80)
    assert limits is not None
    for count in (limits.low, limits.high):
        window = np.append(days.counts[80 - 13 : 80], count)
        assert abs(count - window.mean()) / window.std(ddof=1) == pytest.approx(3)


def test_dbt_expectations_limits_are_where_its_own_sigma_is_three() -> None:
    days = make_series().days
    limits = peers.dbt_expectations(days, 80)
    assert limits is not None
    changes = np.diff(np.log(days.counts[80 - 8 : 80]))
    for count, sigma in ((limits.low, -3), (limits.high, 3)):
        change = np.log(count) - np.log(days.counts[79])
        assert (change - changes.mean()) / changes.std(ddof=1) == pytest.approx(sigma)


@pytest.mark.parametrize("name", ["profile_r30", "profile_holidays_r30", "weekday_median_r30", "deequ"])
def test_a_steady_week_is_predicted_exactly(name: str) -> None:
    limits = METHODS[name].limits
    week = [100.0, 110, 120, 130, 140, 60, 50]
    series = make_series(week * 10)
    accepted = limits(series.days, 68) if limits else None
    assert accepted is not None
    assert (accepted.low + accepted.high) / 2 == pytest.approx(week[68 % 7], rel=0.01)


def test_both_alarms_less_and_either_more_than_the_deviation_alone() -> None:
    assert plain.both(100, 90, 140) == (70, 140, (90, 140))
    assert plain.either(100, 90, 140) == (90, 130, (90, 140))


@pytest.mark.parametrize("spread", [0.02, 0.15, 0.4])
def test_our_limits_by_both_are_where_the_guardrail_itself_fails(spread: float) -> None:
    counts = np.round(1000 * np.random.default_rng(3).lognormal(0, spread, 90))
    days = make_series(counts.tolist()).days
    limits = ours.deviation_and_unusual(days, 80)
    assert limits is not None
    history = {day: int(count) for day, count in zip(days.dates[:80], counts[:80], strict=True)}
    policy = policy_of(holidays=days.region)
    expectation = expect(days.dates[80], history, expectation_settings(policy))
    for count in range(0, 3000, 7):
        scan = make_stored_scan(count)
        figures = figures_of(Basis(scan, expectation, 100.0, policy))
        evidence = make_evidence(figures, expectation=expectation)
        verdicts = [guardrail.judge(evidence, policy) for guardrail in (volume, activity)]
        assert (Outcome.FAILED in {verdict.outcome for verdict in verdicts}) == limits.is_alarm(count), count


@pytest.mark.parametrize("known_days", [3, 80])
def test_an_empty_day_is_an_alarm_unless_it_is_usual(known_days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    both, few = METHODS["ours_both"], [9.0] * 81
    assert is_alarm(both, make_series(few).days, known_days, 0), "although the volume of so few events is not judged"
    monkeypatch.setattr(ours, "expect", lambda *_: Expectation(9.0, 0.0, 20.0, is_empty_usual=True))
    assert not is_alarm(both, make_series(few).days, known_days, 0)


def test_as_shipped_there_is_no_calendar_and_with_one_a_holiday_is_expected_to_be_quiet() -> None:
    dates = [START + timedelta(days=n) for n in range(146)]
    assert dates[-1] == date(2026, 5, 26)
    quiet = [1000.0 * (0.4 if day in calendar_effects("US", 2026) or day.weekday() >= 5 else 1) for day in dates]
    memorial_day = 144
    days = make_series(quiet).days

    def alarms(count: int) -> dict[str, bool]:
        return {
            name: is_alarm(METHODS[name], days, memorial_day, count) for name in ("ours_both", "ours_both_calendar")
        }

    assert alarms(1000) == {"ours_both": False, "ours_both_calendar": True}
    # The stream has shown by then that it keeps American holidays.
    assert alarms(400) == {"ours_both": False, "ours_both_calendar": False}


def test_all_guardrails_together_alarm_where_the_default_or_the_leak_check_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = make_series().days
    monkeypatch.setattr(ours, "deviation_and_unusual", lambda _days, index: Limits(0, 10_000 if index % 2 else 1))
    monkeypatch.setattr(ours, "leak", lambda _days, index: index % 3 == 0)
    assert [ours.any_guardrail(days, index) for index in range(60, 66)] == [True, False, True, True, True, False]


def test_the_level_is_the_median_of_the_week_around_a_day() -> None:
    counts = np.array([5, 1, 9, nan, 7, 3, 100, 4])
    windows = [counts[max(0, n - 3) : n + 4] for n in range(len(counts))]
    assert plain.level(counts).tolist() == [np.nanmedian(window) for window in windows]


def test_the_report_writes_a_table_and_leaves_out_what_was_not_measured(tmp_path: Path) -> None:
    figures = [judge(accepts(500, 1200), [make_series()])]
    report.write(figures, [make_series()], tmp_path)
    table = (tmp_path / "table.md").read_text()
    assert "always the same limits" in table
    assert "–" in table
    assert (tmp_path / "table.csv").read_text().startswith("name,method,")


def test_low_volume_series_are_reported_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, count in (("shop", 1000), ("low_shop", 5)):
        rows = [f"{START + timedelta(days=n)},{count},," for n in range(WARM_UP_DAYS + 3)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["date,count,label,note", *rows, ""]))
    out = tmp_path / "out"
    report.main(["--data", str(tmp_path), "--out", str(out), "--methods", "trailing_mean_r30"])
    assert "Low-volume series" in capsys.readouterr().out
    for table in ("table.csv", "table_low.csv"):
        (row,) = (out / table).read_text().splitlines()[1:]
        assert row.startswith("trailing_mean_r30,")
        assert ",3," in row, "three days of one series"


def test_figures_are_recorded_until_a_count_changes_and_ours_never(tmp_path: Path) -> None:
    folder = [make_series()]
    other = judge(accepts(500, 1200, (600, 1000)), folder)
    records.record(tmp_path, folder, [other, replace(other, name="ours_both")])
    recalled = records.recall(tmp_path, folder)
    assert list(recalled) == ["fixed"]
    assert repr(recalled["fixed"]) == repr(other), "by their texts, because NaN equals nothing"
    changed = make_counts()
    changed[70] += 1
    assert records.recall(tmp_path, [make_series(list(changed))]) == {}
    assert records.recall(tmp_path / "elsewhere", folder) == {}


def test_docs_are_not_updated_from_some_of_the_methods() -> None:
    with pytest.raises(SystemExit, match="requires every method"):
        report.main(["--update-docs", "--methods", "elementary"])


def test_the_docs_name_every_method_and_no_other() -> None:
    text = report.DOCS.read_text(encoding="utf-8")
    described = text.split("## The methods\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", described, flags=re.MULTILINE) == list(METHODS)


def test_the_hourly_table_in_the_docs_has_a_row_per_method_and_a_column_per_heading() -> None:
    table = report.DOCS.read_text(encoding="utf-8").split(report.BEGIN_HOURS)[1].split(report.END)[0]
    header, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert tuple(header) == report.HOURLY_HEADINGS
    assert [row[0] for row in rows] == [method.title for method in HOURLY_METHODS]


def test_the_table_in_the_docs_has_a_row_per_method_and_a_column_per_heading() -> None:
    table = report.DOCS.read_text(encoding="utf-8").split(report.BEGIN)[1].split(report.END)[0]
    header, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert tuple(header) == report.HEADINGS
    assert [row[0] for row in rows] == [method.title for method in METHODS.values()]


def test_the_picture_in_the_docs_is_small() -> None:
    assert "images/detection.svg" in report.DOCS.read_text(encoding="utf-8")
    assert report.PICTURE.stat().st_size < 80_000


@pytest.mark.skipif(not DAILY.is_dir(), reason="needs the daily series in ../shared/data/daily")
def test_the_real_series_load_with_their_labels() -> None:
    folder = load_folder(DAILY)
    labels = {label for series in folder for label in series.labels}
    assert {NORMAL, HOLIDAY, INCIDENT} <= labels <= {NORMAL, HOLIDAY, INCIDENT, "shift"}
    assert all(series.judged(NORMAL) for series in folder)
    tally = judge_series(METHODS["trailing_mean_r30"], folder[0])
    assert tally.judged[OUTSIDE] == 0, "a method without an interval has no coverage"
