"""The soak cannot rot: its smallest form runs, and it notices what it is there to notice."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.alerts import Settlement
from telemetry_quality.core.dispatch import log_channel, pending_alerts
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan, make_snapshot, make_verdicts, migrated_store
from telemetry_quality_tests.faults.dagster_dev import ROOT
from telemetry_quality_tests.faults.soak_clients import Report
from telemetry_quality_tests.faults.soak_measures import (
    FEWEST_SAMPLES,
    Limits,
    Measures,
    Sample,
    report_of_responses,
)
from telemetry_quality_tests.faults.soak_outcome import Written, what_went_wrong

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(warm_up_seconds=10, growth_percent=10, p99_milliseconds=100, spare_mib=5, spare_handles=5)
SMALL = ("--minutes", "0.25", "--day-seconds", "3", "--readers", "3", "--sockets", "5", "--fault-seconds", "3")
UNTIMED = ("--p99-milliseconds", "1e9", "--sample-seconds", "1")
FAULTS = ("damage_file", "lock_store", "open_silent_sockets", "kill_dashboard")


@pytest.mark.slow
@pytest.mark.rare
def test_a_short_soak_with_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    faults = [part for fault in FAULTS for part in ("--fault", fault)]
    command = [sys.executable, "-m", "telemetry_quality_tests.faults.soak", *SMALL, *UNTIMED, *faults, "--seed", "1"]
    done = subprocess.run([*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The damaged day may be repaired before anybody is told.
    assert re.search("4 of 4 days judged, 1 of them damaged at first; [12] alerts sent", done.stdout)


def complaints_about(memory: float, handles: float) -> list[str]:
    """What is said of a daemon that starts with 100 MiB and 100 handles and ends with these."""
    measures = Measures(dict, dict, 1.0)
    wild = [Sample(at, 999.0, 999) for at in range(10)]
    calm = [Sample(10 + at, *((memory, int(handles)) if at >= 6 else (100.0, 100))) for at in range(FEWEST_SAMPLES)]
    measures.samples["daemon", 1] = [*wild, *calm]
    return measures.report(LIMITS)[1]


@pytest.mark.parametrize(
    ("memory", "handles", "complaints"),
    [
        (114.0, 114, []),
        (115.0, 115, []),
        (116.0, 115, ["daemon, MiB grew from 100.0 to 116.0"]),
        (115.0, 116, ["daemon, handles grew from 100.0 to 116.0"]),
    ],
)
def test_memory_and_handles_that_grow_after_the_warm_up_are_named(
    memory: float, handles: float, complaints: list[str]
) -> None:
    assert complaints_about(memory, handles) == complaints


@pytest.mark.parametrize(("seconds", "complaints"), [(0.1, []), (0.11, ["p99 was 110 ms, more than 100"])])
def test_responses_that_take_longer_than_the_bound_are_named(seconds: float, complaints: list[str]) -> None:
    assert report_of_responses([Report(seconds=[seconds])] * 3, LIMITS)[1] == complaints


def test_refused_responses_and_readers_without_any_are_named() -> None:
    refused = Report(seconds=[0.01], refused=["/health/ HTTP/1.1 503"])
    assert report_of_responses([refused], LIMITS)[1] == ["1 responses were not 200, such as /health/ HTTP/1.1 503"]
    assert "no responses" in report_of_responses([Report()], LIMITS)[1][0]


def broken_promises(
    folder: Path,
    *,
    scans: int = 1,
    scan_hash: str = "",
    lines: int = 1,
    attempt: str = "",
    is_settled: bool = True,
    **written: Any,
) -> list[str]:
    """What is said of a store with one bad day, whose alert was settled and logged so often."""
    url = migrated_store(folder / "quality.db")
    store = SqlQualityStore(url)
    figures: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}
    for number in range(scans):
        scan = store.append_scan("web", make_scan(DAY, make_row(events=1000 + number)), (), NOW)
    snapshot = make_snapshot(DAY, scan_revision=scan.revision, **figures)
    store.append_snapshot(replace(snapshot, scan_hash=scan_hash or scan.figures_hash), make_verdicts(**figures))
    alerts = pending_alerts(store, "web", log_channel(print))
    if is_settled:
        store.settle_alerts(alerts, "log", Settlement.DISPATCHED, NOW)
    log = folder / "log"
    text = "".join(f"{alert.line()}\n" for alert in alerts)
    log.write_text(text + text.replace(")\n", f"{attempt})\n") * (lines - 1) if lines else "")
    return what_went_wrong(store, url, Written(**{"days": [DAY], "bad": [DAY], "damaged": []} | written), [log])[1]


@pytest.mark.parametrize(
    ("given", "complaints"),
    [
        ({}, []),
        ({"lines": 2, "attempt": ", attempt 2: a process died while it sent this"}, []),
        ({"lines": 2}, ["1 alerts logged twice: 2026-03-10/error_rate/1"]),
        ({"lines": 0}, ["1 alerts lost: 2026-03-10/error_rate/1"]),
        ({"days": [DAY, DAY + timedelta(days=1)]}, ["1 days missing: 2026-03-11"]),
        ({"scans": 2}, ["1 days scanned too often: 2026-03-10"]),
        ({"scans": 2, "damaged": [DAY]}, []),
        ({"scans": 3, "damaged": [DAY]}, ["1 days scanned too often: 2026-03-10"]),
        ({"bad": [DAY, DAY + timedelta(days=1)]}, ["1 bad days without an alert: 2026-03-11"]),
    ],
)
def test_lost_and_doubled_days_and_alerts_are_named(
    tmp_path: Path, given: dict[str, Any], complaints: list[str]
) -> None:
    assert broken_promises(tmp_path, **given) == complaints


def test_an_alert_that_is_still_pending_is_named(tmp_path: Path) -> None:
    said = broken_promises(tmp_path, is_settled=False)
    assert [sentence.split(":")[0] for sentence in said] == [
        "1 bad days without an alert",
        "1 alerts pending",
        "1 alerts logged that the store does not know",
    ]


def test_a_finding_of_verify_is_named(tmp_path: Path) -> None:
    (sentence,) = broken_promises(tmp_path, scan_hash="0" * 64)
    assert sentence.startswith("1 findings of verify: Finding(table='integrity_snapshot'")
