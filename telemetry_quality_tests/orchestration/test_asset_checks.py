from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN, guardrails_of
from telemetry_quality.core.trust import CHECK
from telemetry_quality.orchestration import evaluations as evaluations_module
from telemetry_quality.orchestration.asset_checks import evaluation_of
from telemetry_quality.orchestration.evaluations import CHUNK_DAYS, materialization_targets
from telemetry_quality_tests.builders import NOW, make_snapshot, make_verdicts
from telemetry_quality_tests.orchestration.station import (
    FIRST_DAY,
    SNAPSHOT_KEY,
    Station,
    evaluations,
    make_station,
)

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 21
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)


def _summary(station: Station, instance: dg.DagsterInstance) -> dict[Any, Any]:
    """The stored status of each check and day, as the UI's per-day grid reads it."""
    found = {}
    for name in [*station.guardrails, CHECK]:
        key = dg.AssetCheckKey(SNAPSHOT_KEY, name)
        records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        found[name] = [(record.partition, record.status.value) for record in records]
    return found


def test_a_run_of_three_weeks_leaves_exactly_one_right_evaluation_per_check_and_day(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=DAYS)
    bad = FIRST_DAY + timedelta(days=20)
    station.write_day(bad, events=100, errors=6)
    assert station.run(instance, FIRST_DAY, LAST_DAY).success
    expected_days = {(FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(DAYS)}
    for name, records in _summary(station, instance).items():
        assert Counter(day for day, _ in records) == dict.fromkeys(expected_days, 1), name
        failed = {day for day, status in records if status == "FAILED"}
        assert failed == ({bad.isoformat()} if name in {"error_rate", "volume", CHECK} else set()), name
        assert {status for _, status in records} <= {"FAILED", "SUCCEEDED"}, "none is stuck or skipped"


def test_every_evaluation_points_at_its_own_day_s_materialization(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, days=3)
    result = station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    for evaluation in evaluations(instance, result.run_id):
        target = evaluation.target_materialization_data
        assert target is not None
        day = evaluation.partition
        assert day is not None
        records_filter = dg.AssetRecordsFilter(SNAPSHOT_KEY, asset_partitions=[day])
        (record,) = instance.fetch_materializations(records_filter, limit=2).records
        assert target.storage_id == record.storage_id


def test_targets_are_found_for_more_days_than_one_query_may_name(
    instance: dg.DagsterInstance,
) -> None:
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(CHUNK_DAYS + 5)]
    for _ in range(3):
        for day in days:
            instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT_KEY, partition=day.isoformat()))
    targets = materialization_targets(instance, SNAPSHOT_KEY, days)
    assert targets.keys() == set(days)
    newest = instance.fetch_materializations(
        dg.AssetRecordsFilter(SNAPSHOT_KEY, asset_partitions=[days[0].isoformat()]), limit=1
    )
    assert targets[days[0]].storage_id == newest.records[0].storage_id


def test_the_target_of_a_day_is_found_behind_many_newer_ones_of_another_day(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations_module, "CHUNK_DAYS", 2)
    seldom, often = FIRST_DAY, FIRST_DAY + timedelta(days=1)
    for day in [seldom] + [often] * 6:
        instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT_KEY, partition=day.isoformat()))
    assert materialization_targets(instance, SNAPSHOT_KEY, [seldom, often]).keys() == {seldom, often}


def test_rechecking_with_another_threshold_appends_a_revision_without_reading_or_materializing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    second = FIRST_DAY + timedelta(days=1)
    station.write_day(FIRST_DAY, events=100, errors=4)
    station.run(instance, FIRST_DAY, second)
    before = instance.get_latest_materialization_event(SNAPSHOT_KEY)
    shutil.rmtree(tmp_path / "events")  # the events must not be read again
    station.set_guardrails(error_rate_percent=3)
    result = station.run(instance, FIRST_DAY, second, job="recheck_day")
    assert result.success
    found = evaluations(instance, result.run_id)
    assert [(evaluation.check_name, evaluation.partition) for evaluation in found if not evaluation.passed] == [
        ("error_rate", "2026-02-01"),
        (CHECK, "2026-02-01"),
    ]
    assert {evaluation.metadata["revision"].value for evaluation in found} == {"2"}
    assert instance.get_latest_materialization_event(SNAPSHOT_KEY) == before
    store = station.work.store
    for day, statuses in ((FIRST_DAY, ["healthy", "unhealthy"]), (second, ["healthy", "healthy"])):
        assert [snapshot.status.value for snapshot in store.revisions("web", day)] == statuses
        assert store.revisions("web", day)[1].policy == station.work.policy.text()
        assert store.revisions("web", day)[1].run_id == result.run_id
    failed = next(evaluation for evaluation in found if not evaluation.passed)
    (expected,) = (
        each for each in store.verdicts("web", FIRST_DAY, FIRST_DAY)[FIRST_DAY][2] if each.guardrail == "error_rate"
    )
    assert (failed.description, failed.metadata["threshold"].value) == (expected.sentence, "3")


def test_rechecking_with_the_same_thresholds_repeats_the_stored_verdicts_and_appends_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    first = evaluations(instance, station.run(instance, FIRST_DAY).run_id)
    again = evaluations(instance, station.run(instance, FIRST_DAY, job="recheck_day").run_id)
    assert [(evaluation.check_name, evaluation.passed, evaluation.description) for evaluation in again] == [
        (evaluation.check_name, evaluation.passed, evaluation.description) for evaluation in first
    ]
    assert len(station.work.store.revisions("web", FIRST_DAY)) == 1


def test_the_checks_report_the_verdicts_stored_with_the_snapshot(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Verdicts come from the store: a later history or a newer version must not contradict the snapshot."""
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=6)
    result = station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    kept = station.work.store.verdicts("web", FIRST_DAY, FIRST_DAY + timedelta(days=2))
    verdicts = {
        (day.isoformat(), stored.guardrail): stored for day, revisions in kept.items() for stored in revisions[1]
    }
    found = [each for each in evaluations(instance, result.run_id) if each.check_name != CHECK]
    assert {(evaluation.partition, evaluation.check_name) for evaluation in found} == verdicts.keys()
    for evaluation in found:
        verdict = verdicts[str(evaluation.partition), evaluation.check_name]
        assert evaluation.description == verdict.sentence
        assert evaluation.metadata["reason_code"].value == verdict.reason_code


def test_a_snapshot_stored_without_the_verdict_of_a_guardrail_is_judged_again_and_evaluated_for_all(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    list(station.work.read([FIRST_DAY], NOW))
    snapshot = replace(
        make_snapshot(FIRST_DAY), scan_hash=station.work.store.scans("web", FIRST_DAY, FIRST_DAY)[0].figures_hash
    )
    few = [verdict for verdict in make_verdicts() if verdict.guardrail in {"activity", "error_rate"}]
    station.work.store.append_snapshot(snapshot, few)
    result = station.run(instance, FIRST_DAY, job="recheck_day")
    assert result.success
    found = evaluations(instance, result.run_id)
    assert {evaluation.check_name for evaluation in found} == {
        CHECK,
        *(rule.name for rule in guardrails_of(station.work.source.schema)),
    }
    assert {evaluation.metadata["revision"].value for evaluation in found} == {"2"}


def test_rechecking_a_day_without_a_snapshot_fails_instead_of_passing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    result = station.run(instance, FIRST_DAY, job="recheck_day")
    assert not result.success
    assert evaluations(instance, result.run_id) == []


def test_an_unreadable_day_passes_no_check_and_the_other_days_are_judged(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.file(FIRST_DAY).write_bytes(b"")
    result = station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    outcome = Counter((evaluation.partition, evaluation.passed) for evaluation in evaluations(instance, result.run_id))
    count = len(station.guardrails) + 1
    assert outcome == {("2026-02-01", False): count, ("2026-02-02", True): count, ("2026-02-03", True): count}
    assert not result.success


@pytest.mark.parametrize(
    ("figures", "guardrail", "passed", "severity"),
    [
        ({"error_rate_percent": 5.1}, "error_rate", False, "ERROR"),
        ({"error_rate_percent": 5.0}, "error_rate", True, "ERROR"),
        ({"missing_version_percent": 1.1}, "missing_version", False, "WARN"),
        ({"volume_deviation_percent": -31.0, "is_volume_unusual": True}, "volume", False, "WARN"),
        ({"volume_deviation_percent": -31.0, "is_volume_unusual": None}, "volume", False, "WARN"),
        ({"duplicate_percent": 10.1}, "duplicates", False, "WARN"),
        ({}, "silence", True, "WARN"),
        ({"expected_events": None, "volume_deviation_percent": None}, "volume", True, "WARN"),
        ({"total_events": 0, "error_rate_percent": None}, "activity", False, "ERROR"),
        ({"unreadable_reason_code": "X", "unreadable_reason": "gone"}, "volume", False, "WARN"),
        ({"unreadable_reason_code": "X", "unreadable_reason": "gone"}, "activity", False, "ERROR"),
    ],
)
def test_a_verdict_in_terms_of_dagster(figures: dict[str, Any], guardrail: str, passed: bool, severity: str) -> None:
    snapshot = make_snapshot(**figures)
    (verdict,) = (candidate for candidate in make_verdicts(**figures) if candidate.guardrail == guardrail)
    evaluation = evaluation_of(verdict, snapshot, "https://quality.example.org")
    assert evaluation["passed"] is passed
    assert evaluation["severity"].value == severity
    assert evaluation["metadata"]["level"] == verdict.level.value
    page = f"https://quality.example.org/health/snapshots/web/{snapshot.day}/"
    assert evaluation["metadata"]["dashboard"].value == page


@pytest.mark.parametrize(
    ("value", "shown"), [(18.507462, 18.51), (4.999999, 4.999999), (5.0, 5.0), (5.000001, 5.000001), (0.0, 0.0)]
)
def test_only_the_value_is_a_number_to_plot_and_rounding_never_moves_it_onto_the_threshold(
    value: float, shown: float
) -> None:
    figures: dict[str, Any] = {"error_rate_percent": value}
    (verdict,) = (each for each in make_verdicts(**figures) if each.guardrail == "error_rate")
    metadata = evaluation_of(verdict, make_snapshot(**figures), "")["metadata"]
    assert {name: each for name, each in metadata.items() if isinstance(each, int | float)} == {"value": shown}
    assert metadata["threshold"] == "5"


ROLES_OF_ALL = """
observed_at = "seen_at"
critical_fields = ["user_id"]
dimensions = ["platform"]
"""


@pytest.mark.parametrize(
    ("roles", "left_out"),
    [
        ("", {"critical_fields", "dimensions", "arrival_lag", "timestamps", "unreadable_times"}),
        ('critical_fields = ["user_id"]', {"dimensions", "arrival_lag", "timestamps", "unreadable_times"}),
        ('observed_at = "seen_at"', {"critical_fields", "dimensions"}),
        ('dimensions = ["platform"]', {"critical_fields", "arrival_lag", "timestamps", "unreadable_times"}),
        (ROLES_OF_ALL, set()),
    ],
)
def test_there_is_one_check_per_guardrail_that_the_schema_allows_and_one_for_the_day_and_none_blocks(
    tmp_path: Path, roles: str, left_out: set[str]
) -> None:
    station = make_station(tmp_path, days=0, roles=roles)
    checks = station.definitions.resolve_asset_graph().asset_check_keys
    every = [spec for check in station.definitions.asset_checks or () for spec in check.check_specs]
    (trust,) = (spec for spec in every if spec.name == CHECK)
    specs = [spec for spec in every if spec != trust]
    assert not trust.blocking
    wanted = {rule.name: rule for rule in BUILT_IN if rule.name not in left_out}
    assert {key.name for key in checks} == {*wanted, CHECK}
    assert sorted(spec.name for spec in specs) == sorted(wanted)
    for spec in specs:
        assert not spec.blocking
        assert spec.description == wanted[spec.name].description
        assert spec.metadata["level"] == wanted[spec.name].level.value


def test_a_check_names_the_owners_of_its_source(tmp_path: Path) -> None:
    for extra, owners in (('owners = ["team:web", "ada@example.org"]', "team:web, ada@example.org"), ("", None)):
        definitions = make_station(tmp_path, days=0, extra=extra).definitions
        specs = [spec for check in definitions.asset_checks or () for spec in check.check_specs]
        assert {spec.metadata.get("owners") for spec in specs} == {owners}


RATE = """
[sources.web.rates.failures]
where = "is_error"
above_percent = 20
level = "CRITICAL"
description = "Share of failed views"
"""


def test_a_rate_has_its_own_check_that_is_evaluated_for_each_day(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, days=2, roles=RATE)
    station.write_day(FIRST_DAY + timedelta(days=2), errors=10)
    specs = [spec for check in station.definitions.asset_checks or () for spec in check.check_specs]
    (spec,) = (spec for spec in specs if spec.name == "rate_failures")
    assert spec.description == "Share of failed views: at most 20 %."
    assert spec.metadata["level"] == "CRITICAL"
    result = station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    found = [candidate for candidate in evaluations(instance, result.run_id) if candidate.check_name == "rate_failures"]
    assert [candidate.passed for candidate in sorted(found, key=lambda evaluation: str(evaluation.partition))] == [
        True,
        True,
        False,
    ]


def test_every_guardrail_of_a_full_schema_is_evaluated_once_for_each_day(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=0, roles=ROLES_OF_ALL)
    types = {"seen_at": "TIMESTAMPTZ", "user_id": "VARCHAR", "platform": "VARCHAR"}
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(3)]
    for day in days:
        seen_at = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
        user_id = None if day == days[1] else "ada"
        station.write_day(day, types=types, seen_at=seen_at, user_id=user_id, platform="ios")
    result = station.run(instance, days[0], days[-1])
    assert result.success
    found = evaluations(instance, result.run_id)
    assert Counter((evaluation.check_name, evaluation.partition) for evaluation in found) == {
        (name, day.isoformat()): 1 for name in (*(rule.name for rule in BUILT_IN), CHECK) for day in days
    }
    failed = {
        evaluation.partition
        for evaluation in found
        if evaluation.check_name == "critical_fields" and not evaluation.passed
    }
    assert failed == {days[1].isoformat()}
