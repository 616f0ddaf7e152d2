from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from telemetry_quality.core.guardrails import GUARDRAILS, judge_day
from telemetry_quality.core.policies import Policy
from telemetry_quality.orchestration import evaluations as evaluations_module
from telemetry_quality.orchestration.asset_checks import evaluation_of
from telemetry_quality.orchestration.evaluations import CHUNK_DAYS, materialization_targets
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.builders import make_snapshot
from telemetry_quality_tests.orchestration.station import (
    FIRST_DAY,
    SNAPSHOT_KEY,
    evaluations,
    make_station,
)

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 30
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)


def _summary(instance: dg.DagsterInstance) -> dict[Any, Any]:
    """What the storage keeps for each check's days, as the UI's per-day grid reads it."""
    found = {}
    for rule in GUARDRAILS:
        key = dg.AssetCheckKey(SNAPSHOT_KEY, rule.name)
        records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        found[rule.name] = [(record.partition, record.status.value) for record in records]
    return found


def test_a_thirty_day_run_leaves_exactly_one_right_evaluation_per_check_and_day(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=DAYS)
    bad = FIRST_DAY + timedelta(days=20)
    station.write_day(bad, events=100, errors=6)
    assert station.run(instance, FIRST_DAY, LAST_DAY).success
    expected_days = {(FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(DAYS)}
    for name, records in _summary(instance).items():
        assert Counter(day for day, _ in records) == dict.fromkeys(expected_days, 1), name
        failed = {day for day, status in records if status == "FAILED"}
        assert failed == ({bad.isoformat()} if name in {"error_rate", "volume"} else set()), name
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


def test_targets_are_found_for_more_days_than_one_question_may_name(
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


def test_a_day_s_target_is_found_behind_many_newer_ones_of_another_day(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations_module, "CHUNK_DAYS", 2)
    seldom, often = FIRST_DAY, FIRST_DAY + timedelta(days=1)
    for day in [seldom] + [often] * 6:
        instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT_KEY, partition=day.isoformat()))
    assert materialization_targets(instance, SNAPSHOT_KEY, [seldom, often]).keys() == {seldom, often}


def test_rechecking_judges_the_stored_snapshot_again_without_materializing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=4)
    station.run(instance, FIRST_DAY)
    before = instance.get_latest_materialization_event(SNAPSHOT_KEY)
    station.file(FIRST_DAY).unlink()  # the events are not looked at again
    text = (tmp_path / "telemetry.toml").read_text() + "\n[sources.web.guardrails]\nerror_rate_percent = 3\n"
    (tmp_path / "telemetry.toml").write_text(text)
    station.settings = load_settings(tmp_path / "telemetry.toml")
    result = station.run(instance, FIRST_DAY, job="recheck_day")
    assert result.success
    failed = {one.check_name for one in evaluations(instance, result.run_id) if not one.passed}
    assert failed == {"error_rate"}
    assert instance.get_latest_materialization_event(SNAPSHOT_KEY) == before


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
    outcome = Counter((one.partition, one.passed) for one in evaluations(instance, result.run_id))
    count = len(GUARDRAILS)
    assert outcome == {("2026-02-01", False): count, ("2026-02-02", True): count, ("2026-02-03", True): count}
    assert not result.success


@pytest.mark.parametrize(
    ("figures", "guardrail", "passed", "severity"),
    [
        ({"error_rate_percent": 5.1}, "error_rate", False, "ERROR"),
        ({"error_rate_percent": 5.0}, "error_rate", True, "ERROR"),
        ({"missing_version_percent": 1.1}, "missing_version", False, "WARN"),
        ({"volume_deviation_percent": -31.0}, "volume", False, "WARN"),
        ({"expected_events": None, "volume_deviation_percent": None}, "volume", True, "WARN"),
        ({"total_events": 0, "error_rate_percent": None}, "activity", False, "ERROR"),
        ({"unreadable_reason_code": "X", "unreadable_reason": "gone"}, "volume", False, "WARN"),
        ({"unreadable_reason_code": "X", "unreadable_reason": "gone"}, "activity", False, "ERROR"),
    ],
)
def test_a_verdict_in_dagster_s_words(figures: dict[str, Any], guardrail: str, passed: bool, severity: str) -> None:
    snapshot = make_snapshot(**figures)
    (verdict,) = (one for one in judge_day(snapshot, Policy()) if one.guardrail == guardrail)
    evaluation = evaluation_of(verdict, snapshot)
    assert evaluation["passed"] is passed
    assert evaluation["severity"].value == severity
    assert evaluation["metadata"]["level"] == verdict.level.value


def test_checks_never_block(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    checks = station.definitions.resolve_asset_graph().asset_check_keys
    assert {key.name for key in checks} == {rule.name for rule in GUARDRAILS}
    specs = [spec for check in station.definitions.asset_checks or () for spec in check.check_specs]
    assert len(specs) == len(GUARDRAILS)
    assert not any(spec.blocking for spec in specs)
