"""A criterion that is broken fails the verification, and the committed report is one of the criteria that there are."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.settings import Settings
from telemetry_quality_tests.verification import __main__ as program
from telemetry_quality_tests.verification import guarding, judging, keeping_off, speed
from telemetry_quality_tests.verification.catalogue import CRITERIA
from telemetry_quality_tests.verification.criterion import Criterion, Finding, median_below
from telemetry_quality_tests.verification.report import PAGE, page
from telemetry_quality_tests.verification.stage import LAST, SOURCE, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD, BAD = Finding("1 of 1", holds=True), Finding("0 of 1", holds=False)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The last fortnight of the flights."""
    stage = Stage(tmp_path_factory.mktemp("stage"), first=date(2013, 12, 17))
    stage.prepare()
    return stage


def change(stage: Stage, statement: str) -> None:
    with closing(sqlite3.connect(stage.store_file)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.slow
def test_a_day_without_a_snapshot_fails(stage: Stage) -> None:
    assert judging.snapshots_generated(stage).holds
    longer = Stage(stage.folder, first=date(2013, 12, 16))
    longer.__dict__ |= {"settings": stage.settings, "work": stage.work}
    assert judging.snapshots_generated(longer) == Finding("15 of 16 days of 2013", holds=False)


@pytest.mark.slow
def test_a_changed_file_of_events_fails(stage: Stage) -> None:
    assert keeping_off.never_mutates(stage).holds
    file = min(Path(stage.settings.sources[SOURCE].location).rglob("*.parquet"))
    before = file.read_bytes()
    file.write_bytes(before + b"x")
    try:
        found = keeping_off.never_mutates(stage)
        assert found == Finding("364 of 365 files have the same SHA-256", holds=False)
    finally:
        file.write_bytes(before)


@pytest.mark.slow
def test_a_table_that_accepts_changes_fails(stage: Stage) -> None:
    assert guarding.append_only(stage).holds
    with closing(sqlite3.connect(stage.store_file)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'integrity_snapshot'"
        ).fetchall()
    for name, _ in triggers:
        change(stage, f"DROP TRIGGER {name}")
    try:
        found = guarding.append_only(stage)
        assert not found.holds
        assert "integrity_snapshot" in found.figure
    finally:
        for _, statement in triggers:
            change(stage, statement)


@pytest.mark.slow
def test_a_query_without_its_index_fails(stage: Stage) -> None:
    assert guarding.indexed_queries(stage).holds
    change(stage, "DROP INDEX ix_day_mark_source_sequence")
    try:
        found = guarding.indexed_queries(stage)
        assert not found.holds
        assert "SCAN day_mark" in found.figure
    finally:
        change(stage, "CREATE INDEX ix_day_mark_source_sequence ON day_mark (source, sequence)")


@pytest.mark.slow
def test_an_alert_that_is_not_logged_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(judging, "dispatch_to_log", lambda *_: 0)
        assert not judging.alerts_logged(stage).holds
    assert judging.alerts_logged(stage).holds
    assert not judging.alerts_logged(stage).holds, "the second time, none is new"


@pytest.mark.slow
def test_a_check_that_blocks_fails(stage: Stage) -> None:
    assert keeping_off.never_blocks(stage).holds
    file = stage.folder / "telemetry.toml"
    before = file.read_text()
    file.write_text(before.replace("[sources.flights]\n", "[sources.flights]\nis_gate_blocking = true\n", 1))
    try:
        found = keeping_off.never_blocks(stage)
        assert found.figure.startswith("1 of")
        assert not found.holds
    finally:
        file.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "setting"),
    [(judging.missing_version_judged, "missing_version_percent"), (judging.error_rate_judged, "error_rate_percent")],
)
def test_another_threshold_than_the_promised_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measure: Callable[[Stage], Finding], setting: str
) -> None:
    assert measure(Stage(tmp_path / "as promised")).holds
    plain = Settings.model_validate

    def looser(values: dict[str, dict[str, dict[str, object]]]) -> Settings:
        values["sources"]["web"]["guardrails"] = {setting: 7}
        return plain(values)

    monkeypatch.setattr(Settings, "model_validate", looser)
    assert not measure(Stage(tmp_path / "looser")).holds


@pytest.mark.slow
def test_bad_events_are_no_success_of_sampling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = judging.synthetic
    monkeypatch.setattr(
        judging, "synthetic", lambda *given, **more: plain(*given, **(more | {"is_missing": "number % 10 = 0"}))
    )
    assert not judging.sampling_success(Stage(tmp_path)).holds


@pytest.mark.slow
def test_a_writer_that_is_held_up_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {False: [0.1] * 300, True: [0.1] * 293}
    monkeypatch.setattr(keeping_off, "_fill", lambda _: None)
    monkeypatch.setattr(keeping_off, "_insert_beside", lambda _, is_beside: rates[is_beside])
    assert not keeping_off.never_slows_inserts(Stage(tmp_path)).holds
    rates[True].append(0.1)
    assert keeping_off.never_slows_inserts(Stage(tmp_path)).holds, "exactly the promised share"


@pytest.mark.slow
@pytest.mark.parametrize("measure", [speed.daily_snapshot, speed.sampling, speed.detection])
def test_what_takes_too_long_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, measure: Callable[[Stage], Finding]
) -> None:
    monkeypatch.setattr(speed, "DAYS", 2)
    for bound in ("SNAPSHOT_MS", "SAMPLE_MS", "DETECTION_MS"):
        monkeypatch.setattr(speed, bound, 0.001)
    assert not measure(stage).holds
    for bound in ("SNAPSHOT_MS", "SAMPLE_MS", "DETECTION_MS"):
        monkeypatch.setattr(speed, bound, 10**6)
    assert measure(stage).holds


@pytest.mark.parametrize(("taken", "holds"), [([9.0, 1.0, 99.0], True), ([10.0, 1.0, 99.0], False)])
def test_the_median_of_times_is_below_its_bound(taken: list[float], holds: bool) -> None:
    assert median_below(taken, 10, "times").holds is holds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("def test_it(): pass", True),
        ("def test_it(): assert False", False),
        ("import pytest\ndef test_it(): pass\ndef test_skipped(): pytest.skip('no server')", False),
        ("", False),
    ],
    ids=["passed", "failed", "skipped", "none"],
)
def test_tests_prove_a_promise_only_if_all_of_them_ran_and_passed(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, holds: bool
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_promise.py").write_text(test)
    monkeypatch.setattr(guarding, "TESTS", tmp_path / "tests")
    assert guarding._tests(stage, "test_promise.py").holds is holds


def _main(monkeypatch: pytest.MonkeyPatch, file: Path, *findings: Finding | Exception) -> int:
    def measured(finding: Finding | Exception) -> Criterion:
        def measure(_: Stage) -> Finding:
            if isinstance(finding, Exception):
                raise finding
            return finding

        return replace(CRITERIA[0], name=f"number-{findings.index(finding)}", measure=measure)

    monkeypatch.setattr(program, "CRITERIA", tuple(map(measured, findings)))
    monkeypatch.setattr(program, "PAGE", file)
    monkeypatch.setattr(program, "ROOT", file.parent)
    return program.main([])


def test_one_broken_criterion_fails_the_verification_and_is_named_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.md"
    assert _main(monkeypatch, report, GOOD) == 0
    assert "1 of 1 criteria hold." in report.read_text()
    assert _main(monkeypatch, report, GOOD, BAD, RuntimeError("no server")) == 1
    text = report.read_text()
    assert "1 of 3 criteria hold. These do not: number-1, number-2." in text
    assert "| ✗ fails |" in text
    assert "could not be measured: RuntimeError: no server" in text
    assert "number-1, number-2 failed" in capsys.readouterr().err


def test_an_unknown_criterion_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["nothing"]) == 2
    assert "A criterion is required" in capsys.readouterr().err


def test_the_committed_report_is_about_the_criteria_that_there_are_and_all_of_them_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", text, flags=re.MULTILINE) == [criterion.name for criterion in CRITERIA]
    assert text.count("| ✓ holds |") == len(CRITERIA)
    assert f"{len(CRITERIA)} of {len(CRITERIA)} criteria hold." in text


def test_a_figure_cannot_break_the_table() -> None:
    rows = [(CRITERIA[0], Finding("a | b\nc", holds=True))]
    text = page(rows, at=datetime(2026, 1, 1, tzinfo=UTC), commit="abc", machine="2 cores")
    assert "| a \\| b c | ✓ holds |" in text
    assert str(LAST) not in text
