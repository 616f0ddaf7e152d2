"""A third-party package provides a guardrail with a threshold and a number, and a connector; both appear everywhere."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality import cli, load_settings
from telemetry_quality.dagster import build_definitions
from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.rendering import snapshot_metadata
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import make_events, make_verdicts
from telemetry_quality_tests.dashboard.desk import Desk
from telemetry_quality_tests.extraction import run_block
from telemetry_quality_tests.packages import (
    GUARDRAIL,
    GUARDRAIL_SETTINGS,
    GUARDRAIL_TEST,
    SETTINGS,
    installed,
    write_one_package_of_both,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 62
FIRST = date(2026, 3, 10)
LAST = FIRST + timedelta(days=DAYS - 1)
NUMBER = SETTING = "busiest_signal_percent"


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def write_day(folder: Path, day: date, orders: int) -> None:
    """40 events, of which ``orders`` have a second signal."""
    events = make_events(40 - orders, day) + [
        {**event, "event_id": f"order-{event['event_id']}", "event_name": "order"} for event in make_events(orders, day)
    ]
    lines = "\n".join(json.dumps(event, default=str) for event in events)
    (folder / "events" / f"{day}.jsonl").write_text(lines, encoding="utf-8")


def type_command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two months of days read by the outside connector; on the last day a single signal has all events."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "packages").mkdir()
    (folder / "events").mkdir()
    write_one_package_of_both(folder / "packages")
    for n in range(DAYS):
        write_day(folder, FIRST + timedelta(days=n), 10)
    write_day(folder, LAST, 0)
    settings = SETTINGS.replace("[sources.web.columns]", f"last_day = {LAST}\n\n[sources.web.columns]")
    settings = f"store = 'sqlite:///quality.db'\n\n{settings}"
    (folder / "telemetry.toml").write_text(settings, encoding="utf-8")
    with installed(folder / "packages"), working_in(folder):
        migrate(load_settings().store)
        assert type_command("backfill", str(FIRST), str(LAST)) == 1
        yield folder


@pytest.fixture(scope="module")
def desk(station: Path) -> Iterator[Desk]:
    """The dashboard over the days."""
    settings = load_settings(station / "telemetry.toml")
    opened = Desk(station, settings, SqlQualityStore(settings.store), now=datetime(2026, 6, 1, 12, tzinfo=UTC))
    yield opened
    opened.close()


@pytest.fixture
def answer(station: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command and return its JSON."""

    def ask(*arguments: str) -> Any:
        type_command(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return ask


def test_its_number_and_its_verdict_are_in_the_health_of_a_day(answer: Any) -> None:
    (day,) = answer("health", "--first", str(LAST), "--last", str(LAST))["days"]
    (verdict,) = [found for found in day["guardrails"] if found["guardrail"] == "busiest_signal"]

    assert day["extra_numbers"][NUMBER] == 100
    assert (verdict["outcome"], verdict["level"], verdict["value"]) == ("failed", "WARNING", 100.0)
    assert verdict["threshold"] == 90.0
    assert day["status"] == "degraded"


def test_check_names_both_and_the_package_they_are_of(answer: Any) -> None:
    extensions = answer("check", "--day", str(LAST))["extensions"]

    assert [(extension["kind"], extension["name"], extension["package"]) for extension in extensions] == [
        ("connector", "jsonl", "telemetry-own"),
        ("guardrail", "busiest_signal", "telemetry-own"),
    ]


def test_tune_tries_its_threshold_within_the_bounds_it_declares(answer: Any) -> None:
    (found,) = [guardrail for guardrail in answer("tune")["guardrails"] if guardrail["guardrail"] == "busiest_signal"]

    assert found["setting"] == NUMBER
    assert found["today"]["threshold"] == 90.0
    assert found["today"]["alarms"] == 1
    assert found["today"]["tried_days"]["doubled"] == DAYS - 1


def test_the_api_its_document_and_the_page_of_a_day_show_it(desk: Desk) -> None:
    day = desk.json(f"/api/health/snapshots/web/{LAST}/")
    document = desk.json("/api/health/openapi.json")
    page = desk.ask(f"/health/snapshots/web/{LAST}/").text

    assert day["revisions"][-1]["extra_numbers"][NUMBER] == 100
    assert "busiest_signal" in {verdict["guardrail"] for verdict in day["revisions"][-1]["verdicts"]}
    assert "100.00 % of events have the same name (limit 90 %)" in day["sentence"]
    described = document["components"]["schemas"]["RevisionResponse"]["properties"]["extra_numbers"]["properties"]
    assert described[NUMBER]["description"] == "Share of events that have the most frequent name."
    assert "<dt>Busiest signal</dt>" in page
    assert "limit 90" in page


def test_dagster_has_its_check_and_draws_its_number(station: Path) -> None:
    settings = load_settings()
    definitions = build_definitions(settings)
    checks = {spec.name: spec for check in definitions.asset_checks or () for spec in check.check_specs}
    (snapshot,) = SqlQualityStore(settings.store).snapshots("web", LAST, LAST)

    assert (
        checks["busiest_signal"].description == "No signal has more than the threshold (90 % unless set) of all events."
    )
    assert checks["busiest_signal"].metadata["level"] == "WARNING"
    assert snapshot_metadata(snapshot, make_verdicts(), None, "https://quality.example.org")[NUMBER] == 100.0


def test_an_alert_and_the_comparison_of_revisions_say_what_changed(
    station: Path, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    day = LAST - timedelta(days=1)
    with caplog.at_level(logging.INFO, logger="telemetry_quality.alerts"):
        write_day(station, day, 0)
        type_command("snapshot", str(day))
    page = desk.ask(f"/health/snapshots/web/{day}/").text
    write_day(station, day, 10)

    (line,) = [record.getMessage() for record in caplog.records if " busiest_signal " in record.getMessage()]
    assert "100.0 % of the events, more than the 90 % allowed" in line
    assert "100.00 % with the same name instead of 75.00" in line
    compared = page.split("Changes from the previous revision")[1]
    assert '<th scope="row">Busiest signal</th><td class="number">75.00' in compared
    assert "≠ 100.00" in compared


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (f"{SETTING} = 101", "busiest_signal_percent: should be less than or equal to 100, but 101 was found"),
        ("busiest_signl_percent = 90", "did you mean busiest_signal_percent?"),
    ],
)
def test_its_threshold_is_validated(station: Path, setting: str, words: str) -> None:
    file = station / "wrong.toml"
    file.write_text(f"{(station / 'telemetry.toml').read_text()}\n[sources.web.guardrails]\n{setting}\n")

    with pytest.raises(SettingsError, match="busiest_sig") as refused:
        load_settings(file)
    assert words in str(refused.value)


def test_its_threshold_can_be_set_and_judges(station: Path, answer: Any) -> None:
    file = station / "lenient.toml"
    file.write_text(f"{(station / 'telemetry.toml').read_text()}\n{GUARDRAIL_SETTINGS.replace('95', '100')}")
    settings = load_settings(file)

    assert settings.sources["web"].policy().values[NUMBER] == 100.0
    (day,) = answer("snapshot", str(LAST), "--config", str(file))["days"]
    assert {verdict["guardrail"]: verdict["outcome"] for verdict in day["guardrails"]}["busiest_signal"] == "passed"
    assert answer("snapshot", str(LAST))["days"][0]["status"] == "degraded"


@pytest.mark.slow
def test_the_test_on_the_page_passes_and_would_notice_another_threshold(tmp_path: Path) -> None:
    run_block(tmp_path, GUARDRAIL + GUARDRAIL_TEST, is_passing=True)
    run_block(tmp_path, GUARDRAIL.replace("90.0,", "91.0,") + GUARDRAIL_TEST, is_passing=False)
