from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import click
import pytest

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.commands.tune import fragment, tune
from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.missing_version import THRESHOLD
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.tuning.backtest import Score
from telemetry_quality.core.tuning.proposals import Advice, Proposal
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.builders import NOW, FakeSource, make_row, make_scan, make_work

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.events import DayScan

FIRST_DAY = date(2026, 1, 1)
DAYS = 64

SETTINGS = """
store = "sqlite:///quality.db"

[sources.web]
connector = "parquet"
path = "nothing_is_read_from_here"
first_day = 2026-01-01
last_day = 2026-05-31

[sources.web.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""


def fill_store(folder: Path, days: int = DAYS) -> None:
    """Days of 1,000 events of two signals, of which 1 to 2.4 % have no version."""
    random = Random(3)
    scans = [noisy_day(FIRST_DAY + timedelta(days=n), random.randint(10, 24)) for n in range(days)]
    source = FakeSource({scan.day: scan for scan in scans})
    list(make_work(folder, source).read([scan.day for scan in scans], NOW))


def noisy_day(day: date, missing: int) -> DayScan:
    rows = (
        make_row(events=700 - missing),
        make_row(service_version=None, events=missing, missing_version=missing),
        make_row(event_name="page.leave", events=300),
    )
    slices = {
        Slice("event_name", "page.view"): SliceCounts(700, 0, missing),
        Slice("event_name", "page.leave"): SliceCounts(300, 0, 0),
        Slice("service_version", "1.0"): SliceCounts(1000 - missing, 0, 0),
        Slice("service_version", None): SliceCounts(missing, 0, missing),
    }
    return replace(make_scan(day, *rows), slices=slices)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "telemetry.toml").write_text(SETTINGS)
    fill_store(folder)
    return folder


@pytest.fixture
def station(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings and a store of DAYS days, in which the command is typed."""
    folder = shutil.copytree(filled, tmp_path / "station")
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str) -> int:
    return int(tune.main(list(arguments), standalone_mode=False))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(*arguments, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


def test_a_proposal_is_printed_with_how_to_apply_it_and_no_file_appears(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file.name: file.stat().st_size for file in station.iterdir()}
    assert run() == 0
    out = capsys.readouterr().out
    assert "1 % → 3 %" in out
    assert "[sources.web.guardrails]\n" in out
    assert "# 1 today." in out
    assert "\nmissing_version_percent = 3.0\n" in out
    assert "A real incident that nobody confirmed counts as false" in out
    assert "Nothing is applied: copy the keys you agree with" in out
    assert f"Next: telemetry-quality check\nThen: telemetry-quality backfill {FIRST_DAY} " in out
    assert {file.name: file.stat().st_size for file in station.iterdir()} == before


def test_the_written_proposal_is_accepted_by_the_settings(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--write", "proposal.toml") == 0
    assert "Wrote this to proposal.toml." in capsys.readouterr().out
    proposal = (station / "proposal.toml").read_text()
    assert tomllib.loads(proposal)["sources"]["web"]["guardrails"]["missing_version_percent"] == 3.0
    merged = station / "merged.toml"
    merged.write_text(SETTINGS + proposal)
    assert load_settings(merged).sources["web"].policy()[THRESHOLD] == 3.0
    assert load_settings().sources["web"].policy()[THRESHOLD] == 1.0


def test_a_limit_of_a_rate_is_proposed_in_the_table_of_the_rate() -> None:
    score = Score(5.0, 100, 0, 10, {})
    proposals = [
        Proposal("rate_lost", "rates.lost.above_percent", Advice.LOOSEN, score, replace(score, threshold=8.0), "So."),
        Proposal("error_rate", "error_rate_percent", Advice.LOOSEN, score, replace(score, threshold=6.0), "So."),
        Proposal("rate_paid", "rates.paid.above_percent", Advice.KEEP, score, None, "So."),
        Proposal("rate_lost", "rates.lost.below_percent", Advice.TIGHTEN, score, replace(score, threshold=1.0), "So."),
    ]
    text = fragment("web", proposals, 1.0, (FIRST_DAY, FIRST_DAY))
    assert tomllib.loads(text)["sources"]["web"] == {
        "rates": {"lost": {"above_percent": 8.0, "below_percent": 1.0}},
        "guardrails": {"error_rate_percent": 6.0},
    }


def test_an_existing_file_is_never_overwritten(station: Path) -> None:
    (station / "mine.toml").write_text("mine")
    with pytest.raises(SettingsError, match=r"--write requires a new file, but mine\.toml exists"):
        run("--write", "mine.toml")
    assert (station / "mine.toml").read_text() == "mine"


def test_a_folder_that_does_not_exist_is_one_sentence(station: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        run("--write", "absent/proposal.toml")


def test_where_nothing_is_proposed_nothing_is_written(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (station / "telemetry.toml").write_text(
        SETTINGS + "[sources.web.guardrails]\nmissing_version_percent = 3\nvolume_deviation_percent = 15\n"
    )
    assert run("--write", "proposal.toml") == 0
    assert "No other threshold is proposed, nothing was written." in capsys.readouterr().out
    assert not (station / "proposal.toml").exists()


def test_too_little_history_says_what_is_required_what_was_found_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telemetry.toml").write_text(SETTINGS)
    fill_store(tmp_path, days=13)
    with pytest.raises(RequestError, match=r"at least 14 stored days .* but 13 of web .* run telemetry-quality"):
        run()


def test_a_store_without_any_day_is_too_little_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telemetry.toml").write_text(SETTINGS)
    fill_store(tmp_path, days=0)
    with pytest.raises(RequestError, match="but 0 of web were found"):
        run()


def test_only_the_last_days_are_tried(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--days", "60")
    assert (document["days"], document["first_day"], document["last_day"]) == (60, "2026-01-05", "2026-03-05")


def test_a_generous_target_leaves_thresholds_that_alarm_more(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = {guardrail["guardrail"]: guardrail for guardrail in answer(capsys, "--target", "100")["guardrails"]}
    assert rules["missing_version"]["advice"] == "keep"


@pytest.mark.parametrize("arguments", [["--target", "-1"], ["--target", "101"], ["--days", "13"]])
def test_an_impossible_option_is_refused(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        run(*arguments)


def test_the_json_answer_has_one_shape(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys)
    assert list(document) == [
        "source",
        "first_day",
        "last_day",
        "days",
        "left_out_days",
        "confirmed_days",
        "dismissed_days",
        "judge_again",
        "target_false_alarms_per_100_days",
        "guardrails",
        "fragment",
        "written_to",
    ]
    assert document["written_to"] is None
    for rule in document["guardrails"]:
        assert list(rule) == ["guardrail", "setting", "advice", "sentence", "today", "proposed"]
        for score in (rule["today"], rule["proposed"] or rule["today"]):
            assert set(score) == {
                "threshold",
                "judged_days",
                "unknown_days",
                "alarms",
                "dismissed_alarms",
                "confirmed_days",
                "found_days",
                "false_alarms_interval",
                "false_alarms_per_100_days",
                "caught_percent",
                "tried_days",
            }
            assert set(score["caught_percent"]) == set(score["tried_days"]) == set(Fault)


def test_no_proposal_is_no_fragment() -> None:
    assert fragment("web", [], 1.0, (FIRST_DAY, FIRST_DAY)) == ""


def test_fourteen_days_are_answered_with_their_uncertainty(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--days", "14")
    (rule,) = [rule for rule in document["guardrails"] if rule["guardrail"] == "error_rate"]

    assert document["days"] == 14
    assert rule["today"]["false_alarms_interval"] == pytest.approx([0.0, 23.2], abs=0.1)
    assert rule["sentence"] == (
        "Nothing is certain yet. 0 of 14 days failed, which may be 0 to 23 in 100 in the long run."
    )
    assert run("--days", "14") == 0
    assert "0.0 (0 to 23)" in capsys.readouterr().out


@pytest.mark.parametrize("action", [Action.DISMISS, Action.CONFIRM])
def test_what_people_said_about_incidents_labels_their_days(
    station: Path, capsys: pytest.CaptureFixture[str], action: Action
) -> None:
    work = daily_work(load_settings(), "web")
    list(work.judge([scan.day for scan in work.store.scans("web", FIRST_DAY, date(2026, 12, 31))], utc_now()))
    incident = next(
        incident for incident in incidents_of(work.store, "web") if "missing_version" in incident.guardrails
    )
    work.store.append_incident_action(incident.decide(action, "ada", utc_now()))

    document = answer(capsys)

    (rule,) = [rule for rule in document["guardrails"] if rule["guardrail"] == "missing_version"]
    failed = len(incident.guardrails["missing_version"])
    assert failed > 0
    if action is Action.CONFIRM:
        assert (document["confirmed_days"], document["dismissed_days"]) == (len(incident.days), 0)
        assert (rule["today"]["confirmed_days"], rule["today"]["found_days"]) == (failed, failed)
    else:
        assert (document["confirmed_days"], document["dismissed_days"]) == (0, len(incident.days))
        assert rule["today"]["dismissed_alarms"] == failed
