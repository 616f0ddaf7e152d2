"""Counting rules: a change of settings that changes what a day's counts mean is noticed, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.counting import (
    ARRIVALS,
    EVERYTHING,
    LONGEST_VALUE_SHOWN,
    CountedDays,
    changed_rules,
    counting_rules,
    counts_rate,
    other_rules,
)
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.event_schema import EventSchema, Rate
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import HISTORY_TOO_SHORT, Outcome
from telemetry_quality_tests.builders import NOW, SCHEMA, FakeSource, make_row, make_scan, make_work
from telemetry_quality_tests.core.test_accepting import FIRST, failed, scans, verdict_of

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork, Judgement

UTC, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")
PAID, FREE = Rate("paid", "price > 0", above_percent=5.0), Rate("paid", "price > 9", above_percent=5.0)
ARRIVING = replace(SCHEMA, observed_at="seen_at")


def rules(zone: ZoneInfo = UTC, schema: EventSchema = SCHEMA, **changes: Any) -> str:
    return counting_rules(replace(schema, **changes), zone)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"occurred_at": "time"}, {"occurred_at"}),
        ({"time_unit": "ms"}, {"time_unit"}),
        ({"event_name": "name"}, {"event_name"}),
        ({"service_version": "release"}, {"service_version"}),
        ({"is_error": "status >= 500"}, {"is_error"}),
        ({"missing_versions": ("none",)}, {"missing_versions"}),
        ({"event_id": None}, {"event_id"}),
        ({"observed_at": "seen_at"}, {"observed_at", *ARRIVALS}),
        ({"rates": (PAID,)}, {"rates.paid"}),
    ],
)
def test_each_setting_that_changes_counts_is_a_rule_of_its_own_name(changes: dict[str, Any], names: set[str]) -> None:
    assert changed_rules(rules(), rules(**changes)) == names


@pytest.mark.parametrize("name", sorted(ARRIVALS - {"observed_at"}))
def test_what_counts_as_late_is_a_rule_only_where_arrivals_are_known(name: str) -> None:
    changes: dict[str, Any] = {name: 3}
    assert changed_rules(rules(schema=ARRIVING), rules(schema=ARRIVING, **changes)) == {name}
    assert rules(**changes) == rules()


@pytest.mark.parametrize(
    "changes",
    [
        {"critical_fields": ("user_id",)},
        {"dimensions": ("platform",)},
        {"missing_versions": tuple(reversed(SCHEMA.missing_versions))},
        {"missing_versions": tuple(text.upper() for text in SCHEMA.missing_versions)},
    ],
)
def test_settings_that_change_no_count_are_no_rules(changes: dict[str, Any]) -> None:
    assert rules(**changes) == rules()


def test_limits_of_a_rate_are_no_rules_and_a_rate_that_is_gone_is_no_change() -> None:
    assert rules(rates=(replace(PAID, above_percent=50.0, level="INFO"),)) == rules(rates=(PAID,))
    assert changed_rules(rules(rates=(PAID,)), rules()) == frozenset()
    assert changed_rules(rules(rates=(PAID,)), rules(rates=(FREE,))) == {"rates.paid"}


def test_unknown_rules_are_taken_for_the_same() -> None:
    assert changed_rules(None, rules()) == changed_rules(rules(), None) == frozenset()
    assert counts_rate(None, PAID)


def test_a_rate_is_counted_only_by_rules_that_define_it_alike() -> None:
    assert counts_rate(rules(rates=(PAID,)), replace(PAID, above_percent=9.0))
    assert not counts_rate(rules(rates=(PAID,)), FREE)
    assert not counts_rate(rules(), PAID)


def test_other_rules_say_how_many_days_since_when_and_how_to_scan_them_again() -> None:
    first, last = date(2026, 1, 1), date(2026, 2, 9)
    counted = [
        CountedDays(rules(), first, last, 40),
        CountedDays(rules(TOKYO), date(2026, 2, 10), date(2026, 3, 1), 20),
    ]

    found = other_rules("web", counted, rules(TOKYO))

    assert found is not None
    assert (found.days, found.first, found.last, found.changed) == (40, first, last, ("time_zone",))
    assert found.sentence == (
        "40 stored days were counted by other settings (web, 2026-01-01 to 2026-02-09): time_zone was UTC and is "
        "Asia/Tokyo. They are not compared with other days; scan them again with "
        "telemetry-quality backfill 2026-01-01 2026-02-09 --source web."
    )
    assert other_rules("web", counted[1:], rules(TOKYO)) is None
    assert other_rules("web", [], rules()) is None


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("unknown", "n/a"), ("unknown", "n/a", "dev"), 'missing_versions gained ["dev"].'),
        (("unknown", "n/a"), ("unknown",), 'missing_versions lost ["n/a"].'),
        (("unknown", "n/a"), ("unknown", "dev"), 'missing_versions gained ["dev"] and lost ["n/a"].'),
    ],
)
def test_of_missing_versions_only_what_changed_is_named(
    before: tuple[str, ...], after: tuple[str, ...], words: str
) -> None:
    found = other_rules(
        "web", [CountedDays(rules(missing_versions=before), FIRST, FIRST, 1)], rules(missing_versions=after)
    )

    assert found is not None
    assert words in found.sentence


def test_one_day_with_a_new_rate_is_said_in_the_singular_and_of_that_rate_alone() -> None:
    found = other_rules("web", [CountedDays(rules(), FIRST, FIRST, 1)], rules(rates=(PAID,)))

    assert found is not None
    assert found.sentence.startswith("1 stored day was counted by other settings (web, 2026-01-01): rates.paid is new.")
    assert "in what these settings count" in found.sentence


@pytest.mark.parametrize("length", [LONGEST_VALUE_SHOWN - 1, LONGEST_VALUE_SHOWN, LONGEST_VALUE_SHOWN + 1])
def test_long_predicates_are_clipped(length: int) -> None:
    found = other_rules("web", [CountedDays(rules(is_error="e" * length), FIRST, FIRST, 1)], rules())

    assert found is not None
    assert ("e" * length in found.sentence) is (length <= LONGEST_VALUE_SHOWN)


# What the judgement makes of it


CHANGED = 20


def worked(folder: Path, before: EventSchema = SCHEMA, after: EventSchema = SCHEMA, zone: ZoneInfo = UTC) -> DailyWork:
    """Forty days of 2,000 events and then 1,000, of which the first twenty were read before the settings changed."""
    days = {scan.day: scan for scan in scans(lambda n: {"web": 2000 if n < CHANGED else 1000}, 40, weekend=1.0)}
    old = make_work(folder, FakeSource(dict(days), schema=before))
    listed = list(days)
    list(old.read(listed[:CHANGED], NOW))
    new = make_work(
        folder,
        FakeSource(dict(days), schema=after),
        store=old.store,
        calendar=Calendar(zone, date(2026, 1, 1)),
    )
    list(new.read(listed[CHANGED:], NOW))
    return new


def judged(work: DailyWork, first: int, last: int) -> list[Judgement]:
    return list(work.judge([FIRST + timedelta(n) for n in range(first, last + 1)], NOW))


def test_days_of_another_time_zone_are_not_compared_and_the_verdict_says_why(tmp_path: Path) -> None:
    work = worked(tmp_path, zone=TOKYO)

    found = judged(work, CHANGED, 39)

    assert failed(found) == {}
    verdict = verdict_of(found[0], "volume")
    assert (verdict.outcome, verdict.reason_code) == (Outcome.UNKNOWN, HISTORY_TOO_SHORT)
    assert verdict.sentence.endswith(
        "Earlier days up to 2026-01-20 are not compared: they were counted by other settings (time_zone)."
    )
    assert verdict_of(found[-1], "volume").reason_code == "VOLUME_OK"


def test_days_of_the_same_settings_are_still_compared_with_each_other(tmp_path: Path) -> None:
    work = worked(tmp_path, zone=TOKYO)

    assert verdict_of(judged(work, CHANGED - 1, CHANGED - 1)[0], "volume").reason_code == "VOLUME_OK"


@pytest.mark.parametrize("name", sorted(EVERYTHING - {"time_zone", "missing_versions", "time_unit"}))
def test_so_is_any_role_by_which_everything_is_counted(tmp_path: Path, name: str) -> None:
    work = worked(tmp_path, after=replace(SCHEMA, **{name: "another"}))  # type: ignore[arg-type]

    assert verdict_of(judged(work, CHANGED, CHANGED)[0], "volume").reason_code == HISTORY_TOO_SHORT


@pytest.mark.parametrize("after", [replace(SCHEMA, rates=(PAID,)), replace(SCHEMA, dimensions=("platform",)), ARRIVING])
def test_other_changes_leave_the_volume_comparable(tmp_path: Path, after: EventSchema) -> None:
    work = worked(tmp_path, after=after)

    assert verdict_of(judged(work, CHANGED, CHANGED)[0], "volume").reason_code == "VOLUME_LOW"


def test_scanned_again_the_days_are_compared_even_if_they_hold_the_same(tmp_path: Path) -> None:
    work = worked(tmp_path, zone=TOKYO)
    (before,) = work.store.counted_days("web")[:1]  # type: ignore[attr-defined]
    assert before.days == CHANGED

    list(work.read([FIRST + timedelta(n) for n in range(CHANGED)], NOW))

    assert [counted.days for counted in work.store.counted_days("web")] == [40]  # type: ignore[attr-defined]
    assert verdict_of(judged(work, CHANGED, CHANGED)[0], "volume").reason_code == "VOLUME_LOW"


def test_a_rate_that_meant_something_else_is_not_judged_until_the_day_is_scanned_again(tmp_path: Path) -> None:
    aggregates = replace(make_scan().aggregates, rows=(make_row(rate_counts=(50,)),), rate_names=("paid",))
    scan = make_scan(FIRST, aggregates=aggregates)
    paid, free = replace(SCHEMA, rates=(PAID,)), replace(SCHEMA, rates=(FREE,))
    old = make_work(tmp_path, FakeSource({FIRST: scan}, schema=paid), policy=policy_of((PAID,)))
    list(old.read([FIRST], NOW))
    assert verdict_of(judged(old, 0, 0)[0], "rate_paid").reason_code == "RATE_HIGH"

    new = make_work(tmp_path, FakeSource({FIRST: scan}, schema=free), store=old.store, policy=old.policy)

    assert verdict_of(judged(new, 0, 0)[0], "rate_paid").reason_code == "RATE_NOT_COUNTED"
    list(new.read([FIRST], NOW))
    assert verdict_of(judged(new, 0, 0)[0], "rate_paid").reason_code == "RATE_HIGH"
