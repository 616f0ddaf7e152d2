from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest

from telemetry_quality import cli, console, load_settings
from telemetry_quality.assembly import daily_work
from telemetry_quality.commands import health
from telemetry_quality.console import bars
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
from telemetry_quality.core.tuning.proposals import MINIMUM_DAYS
from telemetry_quality.settings import PRESETS
from telemetry_quality.sources import costs
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import (
    NOW,
    FakeSource,
    make_events,
    make_scan,
    make_snapshot,
    make_work,
    migrated_store,
    write_parquet,
)
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telemetry_quality_tests.servers import PostgreSQL


THIRD_DAY_MISSING = {
    "source": "web",
    "missing_days": 1,
    "missing": [{"first": "2026-02-03", "last": "2026-02-03"}],
    "command": "telemetry-quality backfill --missing --source web",
    "future_days": [],
    "sentences": [
        "web: 1 day has no snapshot (2026-02-03); run telemetry-quality backfill --missing --source web.",
    ],
}
"""What ``health`` says of the prepared folder once its first two days are judged."""


class Terminal:
    """A folder in which the command is typed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def type(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of ``telemetry-quality ARGUMENTS``."""
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        captured = self._capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, _ = self.type(*arguments, "--json")
        return code, json.loads(out)

    def write_day(self, day: date, events: int = 40, errors: int = 0, **overrides: Any) -> Path:
        return write_day(self.folder, day, events, errors, **overrides)


def write_day(folder: Path, day: date, events: int = 40, errors: int = 0, **overrides: Any) -> Path:
    rows = make_events(events, day, **overrides)
    for row in rows[:errors]:
        row["is_error"] = True
    return write_parquet(folder / "events" / f"day={day}" / "events.parquet", rows)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings, a migrated store and three days of events, made once: healthy, too many errors, healthy."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "telemetry.toml").write_text(SETTINGS.format(extra="last_day = 2026-02-03"))
    for offset, errors in enumerate([0, 10, 0]):
        write_day(folder, FIRST_DAY + timedelta(days=offset), errors=errors)
    migrated_store(folder / "quality.db")
    return folder


@pytest.fixture
def terminal(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, capsys)


def test_exit_codes_say_healthy_not_healthy_and_unknown(terminal: Terminal) -> None:
    assert terminal.type("snapshot", "2026-02-01")[0] == 0
    assert terminal.type("snapshot", "2026-02-02")[0] == 1
    terminal.write_day(FIRST_DAY + timedelta(days=2)).write_bytes(b"half")
    assert terminal.type("snapshot", "2026-02-03")[0] == 2


def test_backfill_and_health_agree_and_unknown_outweighs_unhealthy(terminal: Terminal) -> None:
    code, made = terminal.json("backfill", "2026-02-01", "2026-02-02")
    assert code == 1
    assert terminal.json("health", "--first", "2026-02-01", "--last", "2026-02-02") == (
        1,
        made | {"other_rules": [], "gaps": [THIRD_DAY_MISSING], "forecasts": {}},
    )
    code, shown = terminal.json("health", "--days", "3")
    assert code == 2
    assert shown["days"][:2] == made["days"]
    assert shown["days"][2]["status"] == "unknown"


def test_without_a_terminal_progress_is_a_line_now_and_then_and_with_json_there_is_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, errors = terminal.type("backfill", "2026-02-01", "2026-02-02")
    scan, judging = re.findall(r"^(?:Reading|Judging): .*", errors, re.MULTILINE)
    assert re.fullmatch(r"Reading: 2 of 2 days, 80 events, [\d,]+ events/s", scan)
    assert re.fullmatch(r"Judging: 2 of 2 days, [\d,.]+ days/s", judging)

    monkeypatch.setattr(bars, "LINE_SECONDS", 0)
    *_, errors = terminal.type("backfill", "2026-02-01", "2026-02-03")
    lines = [line for line in errors.splitlines() if line.startswith("Reading")]
    assert [line.split(",")[0] for line in lines] == [f"Reading: {done} of 3 days" for done in (1, 2, 3)]
    assert all(line.endswith(" left") for line in lines[:-1])

    *_, errors = terminal.type("backfill", "2026-02-01", "2026-02-03", "--json")
    assert "Reading" not in errors
    assert "Judging" not in errors


def test_health_lists_one_object_per_source_and_day_oldest_first_with_every_field(terminal: Terminal) -> None:
    terminal.type("backfill", "2026-02-02", "2026-02-03")
    _, shown = terminal.json("health", "--days", "3")
    assert [(day["source"], day["day"]) for day in shown["days"]] == [
        ("web", "2026-02-01"),
        ("web", "2026-02-02"),
        ("web", "2026-02-03"),
    ]
    fields = {*TelemetryIntegritySnapshot.__dataclass_fields__, "guardrails", "mark"}
    assert all(day.keys() == fields for day in shown["days"])
    missing = shown["days"][0]
    assert {name: value for name, value in missing.items() if value is not None} == {
        "source": "web",
        "day": "2026-02-01",
        "status": "unknown",
        "extra_numbers": {},
        "guardrails": [],
    }


def test_every_command_that_shows_days_shows_the_verdict_of_each_guardrail(terminal: Terminal) -> None:
    _, taken = terminal.json("snapshot", "2026-02-02")
    _, made = terminal.json("backfill", "2026-02-02", "2026-02-02")
    _, shown = terminal.json("health", "--first", "2026-02-02", "--last", "2026-02-02")
    assert taken == made
    assert shown == made | {"other_rules": [], "gaps": shown["gaps"], "forecasts": {}}
    schema = load_settings("telemetry.toml").sources["web"].event_schema()
    guardrails = {guardrail["guardrail"]: guardrail for guardrail in shown["days"][0]["guardrails"]}
    assert list(guardrails) == [rule.name for rule in guardrails_of(schema)]
    assert {frozenset(guardrail) for guardrail in guardrails.values()} == {frozenset(Verdict.__dataclass_fields__)}
    failed = guardrails["error_rate"]
    assert (failed["outcome"], failed["level"], failed["reason_code"]) == ("failed", "CRITICAL", "ERROR_RATE_HIGH")
    assert (failed["value"], failed["threshold"]) == (25.0, 5.0)
    assert failed["sentence"].startswith("25.00 % of 40 events are errors (10)")


@pytest.mark.slow
def test_a_failure_says_where_for_people_and_for_machines(terminal: Terminal) -> None:
    for offset in range(3, 10):
        terminal.write_day(FIRST_DAY + timedelta(days=offset))
    bad = FIRST_DAY + timedelta(days=10)
    terminal.write_day(bad)
    late = make_events(20, bad, event_name="checkout", is_error=True)
    rows = [{**event, "event_id": f"c-{number}"} for number, event in enumerate(late)]
    write_parquet(terminal.folder / "events" / f"day={bad}" / "checkout.parquet", rows)
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace("last_day = 2026-02-03", f"last_day = {bad}"))
    _, shown = terminal.json("backfill", "2026-02-01", str(bad))
    guardrails = {guardrail["guardrail"]: guardrail for guardrail in shown["days"][-1]["guardrails"]}
    assert guardrails["error_rate"]["contributors"][0]["parts"] == [["event_name", "checkout"]]
    _, out, _ = terminal.type("snapshot", str(bad))
    assert "event_name=checkout" in " ".join(out.split())


def test_latest_means_the_source_s_own_last_day(terminal: Terminal) -> None:
    _, shown = terminal.json("snapshot", "yesterday")
    assert shown["days"][0]["day"] == "2026-02-03"


def test_running_a_day_twice_adds_no_revision_and_logs_no_alert_twice(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        terminal.type("snapshot", "2026-02-02")
    ((name, level, line),) = caplog.record_tuples
    assert (name, level) == ("telemetry_quality.alerts", logging.CRITICAL)
    assert line.startswith("CRITICAL web 2026-02-02 error_rate")
    _, shown = terminal.json("snapshot", "2026-02-02")
    assert shown["days"][0]["revision"] == 1


def test_check_shows_columns_types_and_one_day_s_counts(terminal: Terminal) -> None:
    code, shown = terminal.json("check", "--day", "2026-02-02")
    (found,) = shown["sources"]
    assert code == 0
    assert {"role": "occurred_at", "column": "occurred_at", "type": "TIMESTAMP WITH TIME ZONE"} in found["roles"]
    assert (found["total_events"], found["error_events"], found["sample_size"]) == (40, 10, 40)
    assert found["signals"] == {"page.view": 40}
    code, out, _ = terminal.type("check", "--day", "2026-02-02")
    assert code == 0
    assert "service_version  service_version (VARCHAR)" in out


def test_check_shows_which_times_it_can_read_and_their_span(terminal: Terminal) -> None:
    _, shown = terminal.json("check", "--day", "2026-02-02")
    (times,) = shown["sources"][0]["times"]
    assert (times["role"], times["events"], times["readable"], times["readable_percent"]) == (
        "occurred_at",
        120,
        120,
        100,
    )
    assert times["first"] < "2026-02-02" < times["last"]
    _, out, _ = terminal.type("check", "--day", "2026-02-02")
    assert f"  occurred_at: 100 % of 120 times can be read, from {times['first'][:19].replace('T', ' ')} to " in out


@pytest.mark.parametrize(
    ("times", "code", "words"),
    [
        (
            ["yesterday", "tomorrow"],
            2,
            "sources.web.roles.occurred_at requires times, but of 2 values none can be read;",
        ),
        (
            ["2026-02-02T12:00:00Z"] * 199 + ["noon"],
            0,
            "! occurred_at: 99.5 % of 200 times can be read, from 2026-02-02 ",
        ),
        (["1970-01-21T12:00:00Z"], 0, "to 1970-01-21 12:00:00; is time_unit right?"),
        (["1979-12-31T23:59:59Z"], 0, "is time_unit right?"),
        (["1980-01-01T00:00:00Z"], 0, "from 1980-01-01 00:00:00 to 1980-01-01 00:00:00.\n"),
        ([], 0, "occurred_at: there are no events to look at."),
    ],
)
def test_check_says_what_share_of_the_times_it_can_read_and_fails_if_it_is_none(
    terminal: Terminal, times: list[str], code: int, words: str
) -> None:
    for file in (terminal.folder / "events").rglob("*.parquet"):
        file.unlink()
    rows = [event | {"occurred_at": at} for event, at in zip(make_events(len(times), FIRST_DAY), times, strict=True)]
    write_parquet(terminal.folder / "events" / "all.parquet", rows, {"occurred_at": "VARCHAR"})
    found, out, err = terminal.type("check", "--day", "2026-02-02")
    assert found == code
    assert words in (err if code else out)


def test_check_reports_every_source_and_every_mistake(terminal: Terminal) -> None:
    file = terminal.folder / "telemetry.toml"
    text = file.read_text()
    tables = text[text.index("[sources.web]") :]
    wrong = tables.replace("sources.web", "sources.wrong").replace('event_name = "event_name"', 'event_name = "nome"')
    wrong = wrong.replace('is_error = "is_error"', 'is_error = "is_error OR"')
    lost = tables.replace("sources.web", "sources.lost").replace('path = "events"', 'path = "nowhere/*.parquet"')
    file.write_text(f"{text}\n{wrong}\n{lost}")

    code, shown = terminal.json("check", "--day", "2026-02-02")

    assert code == 2
    assert [found["source"] for found in shown["sources"]] == ["web"]
    assert [(found["source"], found["reason_code"]) for found in shown["mistakes"]] == [
        ("wrong", "COLUMN_MISSING"),
        ("wrong", "EXPRESSION_INVALID"),
        ("lost", "NO_FILES"),
    ]
    assert shown["error"]["sentence"] == shown["mistakes"][0]["sentence"]
    code, out, err = terminal.type("check", "--day", "2026-02-02")
    assert code == 2
    assert out.startswith("web: the settings fit the events.")
    assert [line.split(" requires")[0] for line in err.splitlines()[:2]] == [
        "Error: sources.wrong.roles.event_name",
        "Error: sources.wrong.roles.is_error",
    ]
    assert err.splitlines()[2].startswith("Error: sources.lost: At least one Parquet file")


def test_check_reports_every_mistake_of_the_settings(terminal: Terminal) -> None:
    file = terminal.folder / "telemetry.toml"
    text = file.read_text().replace('event_name = "event_name"', 'event_nam = "event_name"')
    file.write_text(text.replace("[sources.web]", '[sources.web]\ntime_zone = "Mars"', 1))
    code, out, err = terminal.type("check")
    assert (code, out) == (2, "")
    assert [
        "event_nam is not a setting" in err,
        "roles.event_name is required" in err,
        "time_zone: must be" in err,
    ] == [True] * 3
    assert err.count("Error: ") == err.count("\n") == 3


def test_count_shows_the_counts_of_a_day_and_stores_nothing(terminal: Terminal) -> None:
    store = terminal.folder / "quality.db"
    before = store.read_bytes()
    code, shown = terminal.json("count", "2026-02-02")
    assert code == 0
    assert shown == {
        "source": "web",
        "day": "2026-02-02",
        "total_events": 40,
        "error_events": 10,
        "error_unknown_events": 0,
        "error_rate_percent": 25.0,
        "missing_version_events": 0,
        "missing_version_percent": 0.0,
        "missing_critical_fields": {},
        "rates": {},
    }
    code, out, _ = terminal.type("count", "2026-02-02")
    sentence = "web on 2026-02-02: 40 events, 10 errors (25.00 %), 0 without a version (0.00 %).\n"
    assert (code, out) == (0, sentence)
    assert store.read_bytes() == before


RATE = """
[sources.web.rates.failures]
where = "{where}"
of = "event_name = 'page.view'"
above_percent = 20
level = "CRITICAL"
"""


def set_rate(terminal: Terminal, where: str = "is_error") -> None:
    file = terminal.folder / "telemetry.toml"
    file.write_text(SETTINGS.format(extra="last_day = 2026-02-03") + RATE.format(where=where))


def test_a_rate_of_the_settings_is_counted_judged_explained_and_shown(terminal: Terminal) -> None:
    set_rate(terminal)
    code, made = terminal.json("backfill", "2026-02-01", "2026-02-02")
    healthy, broken = made["days"]
    assert code == 1
    assert healthy["extra_numbers"]["rate_failures_percent"] == 0
    assert broken["extra_numbers"]["rate_failures_percent"] == 25
    rules = [
        {guardrail["guardrail"]: guardrail for guardrail in day["guardrails"]}["rate_failures"]
        for day in (healthy, broken)
    ]
    assert [rule["outcome"] for rule in rules] == ["passed", "failed"]
    assert (rules[1]["level"], rules[1]["reason_code"]) == ("CRITICAL", "RATE_HIGH")
    assert rules[1]["sentence"].startswith(
        "The rate failures is 25.00 % (10 of 40 events), more than the 20 % allowed. 90 % of the additional events "
        "that match the rate failures fall between 00:00 and 05:00 ("
    )
    assert rules[1]["contributors"][0]["hours"] == [0, 4]
    assert terminal.json("health", "--first", "2026-02-01", "--last", "2026-02-02") == (
        1,
        made | {"other_rules": [], "gaps": [THIRD_DAY_MISSING], "forecasts": {}},
    )
    assert terminal.type("verify")[0] == 0


def test_a_day_that_was_kept_before_a_rate_was_defined_says_so_until_it_is_scanned_again(terminal: Terminal) -> None:
    terminal.type("backfill", "2026-02-02", "2026-02-02")
    set_rate(terminal)
    day = date(2026, 2, 2)
    snapshot, verdicts = daily_work(load_settings(), "web").standing([day], NOW)[day]
    assert verdicts[-1].reason_code == "RATE_NOT_COUNTED"
    assert snapshot.extra_numbers["rate_failures_percent"] is None
    _, shown = terminal.json("backfill", "2026-02-02", "2026-02-02")
    assert shown["days"][0]["guardrails"][-1]["reason_code"] == "RATE_HIGH"


def test_check_and_count_show_the_rates_of_the_day(terminal: Terminal) -> None:
    set_rate(terminal)
    rates = {"failures": {"matching_events": 10, "base_events": 40, "percent": 25.0}}
    assert terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["rates"] == rates
    assert "10  failures: 25.00 % of 40\n" in terminal.type("check", "--day", "2026-02-02")[1]
    assert terminal.json("count", "2026-02-02")[1]["rates"] == rates
    assert terminal.type("count", "2026-02-02")[1].endswith(", 10 failures (25.00 %).\n")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("is_lost", "requires the column 'is_lost', but the events have only: "),
        ("is_error OR", "but 'is_error OR' was found and it cannot be parsed."),
        ("event_name", "requires a boolean or an integer column, but 'event_name' is VARCHAR; "),
    ],
)
def test_check_tries_the_predicates_of_rates_on_the_events(terminal: Terminal, where: str, found: str) -> None:
    set_rate(terminal, where)
    code, _, err = terminal.type("check", "--day", "2026-02-02")
    assert code == 2
    assert "sources.web.rates.failures.where requires" in err
    assert found in err


def test_count_of_a_day_that_is_not_over_is_refused(terminal: Terminal) -> None:
    code, _, err = terminal.type("count", "2100-01-01")
    assert code == 2
    assert "2100-01-01" in err


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ('event_name = "event_name"', 'event_name = "nome"', "sources.web.roles.event_name requires the column 'nome'"),
        ('is_error = "is_error"', 'is_error = "event_name"', "sources.web.roles.is_error requires a boolean"),
        (
            'is_error = "is_error"',
            'is_error = "sleep(9)"',
            "sources.web.roles.is_error requires a column or an expression",
        ),
        ('path = "events"', 'path = "nowhere/*.parquet"', "sources.web: At least one Parquet file is required"),
        (
            'occurred_at = "occurred_at"',
            'occurred_at = "is_error"',
            "sources.web.roles.occurred_at requires a timestamp",
        ),
        ("first_day = 2026-02-01", "first_day = 2026-02-01\ntypo = 1", "sources.web.typo is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_sentence_naming_the_key_and_exit_code_2(
    terminal: Terminal, find: str, replace: str, words: str
) -> None:
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace(find, replace))
    code, out, err = terminal.type("check")
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["snapshot", "2026-02-30"],
        ["snapshot", "2027-01-01"],
        ["snapshot", "2020-01-01"],
        ["snapshot", "2026-02-01", "--source", "other"],
        ["snapshot", "2026-02-01", "--config", "nowhere.toml"],
        ["snapshot"],
        ["backfill", "2026-02-03", "2026-02-01"],
        ["health", "--days", "0"],
        ["health", "--days", "3", "--first", "2026-02-01"],
        ["incidents", "nonsense"],
        ["incidents", "show", "web/2026-02-01"],
        ["incidents", "confirm", "2026-02-01"],
        ["incidents", "mute", "web/2026-02-02"],
        ["tune"],
        ["tune", "--days", "1"],
        ["init"],
        ["nonsense"],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_mistake_is_one_sentence_and_exit_code_2_and_never_a_traceback(
    terminal: Terminal, arguments: Sequence[str], as_json: bool
) -> None:
    code, out, err = terminal.type(*arguments, *(["--json"] if as_json else []))
    assert code == 2
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out).keys() == {"error"}


def test_a_missing_store_is_reported_in_a_sentence_with_the_remedy(terminal: Terminal) -> None:
    (terminal.folder / "quality.db").unlink()
    code, _, err = terminal.type("health")
    assert code == 2
    assert "run telemetry-quality migrate" in err


def test_an_internal_error_is_a_sentence_too_and_debug_shows_the_traceback(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(health, "open_store", broken)
    code, _, err = terminal.type("health")
    assert code == 2
    assert "an internal error (RuntimeError: boom)" in err
    with pytest.raises(RuntimeError, match="boom"):
        cli.main(["--debug", "health"])


def test_verify_finds_an_edited_row_and_says_so_by_its_exit_code(terminal: Terminal) -> None:
    terminal.type("snapshot", "2026-02-02")
    code, shown = terminal.json("verify")
    assert (code, shown["is_intact"], shown["findings"]) == (0, True, [])
    with sqlite3.connect(terminal.folder / "quality.db") as connection:
        connection.execute("DROP TRIGGER integrity_snapshot_no_update")
        connection.execute("UPDATE integrity_snapshot SET status = 'healthy'")
    connection.close()
    code, shown = terminal.json("verify")
    assert (code, shown["is_intact"]) == (1, False)
    assert any("was changed after it was written" in finding["sentence"] for finding in shown["findings"])


def test_every_run_keeps_an_anchor_where_the_settings_say_and_goes_on_if_it_cannot(terminal: Terminal) -> None:
    file = terminal.folder / "telemetry.toml"
    plain = file.read_text()
    file.write_text('anchor = "anchors.txt"\n' + plain)
    assert terminal.type("snapshot", "2026-02-01")[0] == 0
    assert terminal.type("backfill", "2026-02-01", "2026-02-03")[0] == 1
    code, shown = terminal.json("verify", "--expect", "anchors.txt")
    assert (code, shown["expected_anchors"]) == (0, 2)
    file.write_text('anchor = "missing/anchors.txt"\n' + plain)
    code, _, err = terminal.type("snapshot", "2026-02-01")
    assert (code, err.count("must be writable")) == (0, 1)


def test_init_writes_settings_that_load_and_never_overwrites(terminal: Terminal) -> None:
    file = terminal.folder / "new.toml"
    assert terminal.type("init", "--config", str(file))[0] == 0
    before = file.read_text()
    assert terminal.type("init", "--config", str(file))[0] == 2
    assert file.read_text() == before


@pytest.mark.parametrize("preset", PRESETS)
def test_init_with_a_preset_needs_no_column_names(terminal: Terminal, preset: str) -> None:
    file = terminal.folder / f"{preset}.toml"
    assert terminal.type("init", "--preset", preset, "--config", str(file))[0] == 0
    assert load_settings(file).sources["web"].preset == preset


def test_several_sources_require_a_name_for_commands_about_one(terminal: Terminal) -> None:
    file = terminal.folder / "telemetry.toml"
    text = file.read_text()
    second = text[text.index("[sources.web]") :].replace("sources.web", "sources.app")
    file.write_text(text + second)
    code, _, err = terminal.type("snapshot", "2026-02-01")
    assert code == 2
    assert "--source requires one of web, app" in err
    assert terminal.type("snapshot", "2026-02-01", "--source", "app")[0] == 0
    _, shown = terminal.json("health", "--first", "2026-02-01", "--last", "2026-02-01")
    assert [(day["source"], day["status"]) for day in shown["days"]] == [("web", "unknown"), ("app", "healthy")]


def test_incidents_is_a_subcommand_with_its_own_exit_codes(terminal: Terminal) -> None:
    assert terminal.json("incidents") == (0, {"incidents": []})
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    code, shown = terminal.json("incidents")
    assert (code, [incident["key"] for incident in shown["incidents"]]) == (1, ["web/2026-02-02"])
    assert terminal.type("incidents", "show", "web/2026-02-02")[0] == 1
    assert terminal.type("incidents", "confirm", "web/2026-02-02", "--by", "ada")[0] == 0
    assert terminal.type("incidents", "dismiss", "web/2026-02-09")[0] == 2
    terminal.type("snapshot", "2026-02-03")
    assert terminal.json("incidents") == (0, {"incidents": []})
    _, shown = terminal.json("incidents", "--all")
    assert [(incident["is_open"], incident["is_confirmed"]) for incident in shown["incidents"]] == [(False, True)]


def test_tune_is_a_subcommand_with_its_own_exit_codes(terminal: Terminal) -> None:
    code, _, err = terminal.type("tune")
    assert (code, f"at least {MINIMUM_DAYS} stored days" in err) == (2, True)
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(MINIMUM_DAYS)]
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace("last_day = 2026-02-03", f"last_day = {days[-1]}"))
    source = FakeSource({day: make_scan(day) for day in days})
    store = SqlQualityStore(f"sqlite:///{terminal.folder / 'quality.db'}")
    list(make_work(terminal.folder, source, store=store).read(days, NOW))
    code, shown = terminal.json("tune")
    assert (code, shown["source"], shown["days"]) == (0, "web", MINIMUM_DAYS)


def test_help_names_every_command(terminal: Terminal) -> None:
    _, out, _ = terminal.type("--help")
    for name in cli.MODULES:
        assert re.search(rf"^  {name} ", out, flags=re.MULTILINE), name


def test_help_names_the_exit_codes(terminal: Terminal) -> None:
    code, out, _ = terminal.type("--help")
    assert code == 0
    assert "0 healthy, 1 not healthy, 2 unknown or failed" in out


def test_migrations_and_models_agree(terminal: Terminal) -> None:
    assert terminal.json("migrate", "--check") == (0, {"differences": []})


@pytest.mark.slow
def test_two_snapshots_of_a_day_at_the_same_time_leave_one_revision_and_no_error(terminal: Terminal) -> None:
    command = [sys.executable, "-m", "telemetry_quality", "snapshot", "2026-02-02", "--json"]
    runs = [
        subprocess.Popen(command, cwd=terminal.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)
    ]
    results = [(*run.communicate(timeout=60), run.returncode) for run in runs]
    assert [code for _, _, code in results] == [1] * 4
    assert {json.loads(out)["days"][0]["content_hash"] for out, _, _ in results} == {
        terminal.json("health", "--first", "2026-02-02", "--last", "2026-02-02")[1]["days"][0]["content_hash"]
    }
    assert all(b"Traceback" not in err and b"locked" not in err for _, err, _ in results)
    assert terminal.json("verify")[1]["is_intact"]


@pytest.mark.slow
def test_an_interrupted_backfill_keeps_what_it_finished(terminal: Terminal) -> None:
    for offset in range(3, 33):
        terminal.write_day(FIRST_DAY + timedelta(days=offset), events=200)
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace("last_day = 2026-02-03", "last_day = 2026-03-05"))
    command = [sys.executable, "-m", "telemetry_quality", "backfill", "2026-02-01", "2026-03-05"]
    with subprocess.Popen(command, cwd=terminal.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 30
        while not _scans(terminal.folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert run.returncode in {0, 1, 2}
    assert b"Traceback" not in err
    assert terminal.json("verify")[1]["is_intact"]
    assert terminal.type("backfill", "2026-02-01", "2026-03-05")[0] == 1


def _scans(folder: Path) -> int:
    connection = sqlite3.connect(folder / "quality.db")
    try:
        return int(connection.execute("SELECT count(*) FROM day_scan").fetchone()[0])
    finally:
        connection.close()


def test_a_day_in_postgresql_is_checked_and_the_index_it_lacks_is_printed(
    terminal: Terminal, postgresql: PostgreSQL
) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT n::text AS event_id,"
            " n * INTERVAL '1 minute' + TIMESTAMPTZ '2026-02-01 00:00Z' AS occurred_at,"
            " 'page.view' AS event_name, '1.0' AS service_version, n % 10 = 0 AS is_error,"
            " repeat('x', 900) AS payload FROM generate_series(0, 14399) AS numbers(n)"
        )
        connection.execute("ANALYZE events")
    file = terminal.folder / "telemetry.toml"
    text = file.read_text().replace('connector = "parquet"', 'connector = "database"\ntable = "events"')
    file.write_text(text.replace('path = "events"', f'url = "{url}"'))
    code, shown = terminal.json("check", "--day", "2026-02-02")
    (found,) = shown["sources"]
    assert (code, found["total_events"], found["error_events"], found["sample_size"]) == (0, 1440, 144, 100)
    index = 'CREATE INDEX CONCURRENTLY ON "public"."events" USING brin ("occurred_at");'
    assert found["full_scan"] == {"relation": "public.events", "create_index": index}
    _, out, _ = terminal.type("check", "--day", "2026-02-02")
    assert "Each day reads public.events from end to end" in out
    assert index in out
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(index.encode())
    assert terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["full_scan"] is None
    assert terminal.type("snapshot", "2026-02-02")[0] == 1


def test_check_says_whether_hours_of_the_running_day_can_be_read_cheaply(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["intraday"] is None
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace('path = "events"', 'path = "events"\nintraday = true'))
    _, shown = terminal.json("check", "--day", "2026-02-02")
    assert shown["sources"][0]["intraday"] == {"is_cheap": True, "reason": None}
    assert "Hours of the running day can be read" in terminal.type("check", "--day", "2026-02-02")[1]

    monkeypatch.setattr(costs, "CHEAP_BYTES", 0)
    code, out, _ = terminal.type("check", "--day", "2026-02-02")
    assert (code, "  ! A look at some hours must not read far more than these" in out) == (0, True)
    found = terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["intraday"]
    assert (found["is_cheap"], "sort each by its time" in found["reason"]) == (False, True)


@pytest.mark.parametrize("connector", ["duckdb", "database"])
def test_a_day_in_a_database_file_is_the_same_day(terminal: Terminal, connector: str) -> None:
    _, parquet = terminal.json("check", "--day", "2026-02-02")
    rows = [
        (str(event["event_id"]), str(event["occurred_at"]), "page.view", "1.0", n < 10)
        for n, event in enumerate(make_events(40, FIRST_DAY + timedelta(days=1)))
    ]
    create = (
        "CREATE TABLE events (event_id TEXT, occurred_at TEXT, event_name TEXT, service_version TEXT, is_error BOOLEAN)"
    )
    if connector == "duckdb":
        with duckdb.connect(str(terminal.folder / "events.duckdb")) as duck:
            duck.execute(create)
            duck.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        place = 'path = "events.duckdb"'
    else:
        lite = sqlite3.connect(terminal.folder / "events.sqlite")
        lite.execute(create)
        lite.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        lite.commit()
        lite.close()
        place = 'url = "sqlite:///events.sqlite"'
    file = terminal.folder / "telemetry.toml"
    text = file.read_text().replace('connector = "parquet"', f'connector = "{connector}"\ntable = "events"')
    file.write_text(text.replace('path = "events"', place))
    code, shown = terminal.json("check", "--day", "2026-02-02")
    assert code == 0
    same = ("total_events", "error_events", "missing_version_events", "sample_size", "signals")
    assert [shown["sources"][0][name] for name in same] == [parquet["sources"][0][name] for name in same]
    assert terminal.type("snapshot", "2026-02-02")[0] == 1


def test_days_before_the_first_are_shown_only_on_request(terminal: Terminal) -> None:
    _, shown = terminal.json("health", "--days", "30")
    assert [day["day"] for day in shown["days"]] == ["2026-02-01", "2026-02-02", "2026-02-03"]
    _, shown = terminal.json("health", "--first", "2026-01-31", "--last", "2026-02-01")
    assert [day["status"] for day in shown["days"]] == ["unknown", "unknown"]


def test_control_characters_in_event_names_are_escaped(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\rgone"
    terminal.write_day(FIRST_DAY, event_name=nasty)
    _, out, _ = terminal.type("check", "--day", str(FIRST_DAY))
    assert "�[2J�gone" in out
    assert nasty not in out
    verdict = Verdict(
        "silence", Level.WARNING, Outcome.FAILED, "SEGMENT_SILENT", 1, 0, f"event_name={nasty} is silent."
    )
    console.print_snapshot(make_snapshot(), [verdict])
    assert "event_name=�[2J�gone is silent." in capsys.readouterr().out


def test_days_that_were_counted_in_another_time_zone_are_said_and_scanned_again_by_the_command_given(
    terminal: Terminal,
) -> None:
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    _, before = terminal.json("health", "--first", "2026-02-01", "--last", "2026-02-02")
    assert before["other_rules"] == []

    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace('path = "events"', 'path = "events"\ntime_zone = "Asia/Tokyo"'))
    _, after = terminal.json("health", "--first", "2026-02-01", "--last", "2026-02-02")
    (found,) = after["other_rules"]

    assert (found["days"], found["changed"], found["command"]) == (
        2,
        ["time_zone"],
        "telemetry-quality backfill 2026-02-01 2026-02-02 --source web",
    )
    assert f"! {found['sentence']}" in terminal.type("health", "--days", "2")[1]
    assert found["sentence"] in terminal.type("check", "--day", "2026-02-02")[1]
    assert terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["other_rules"] == found

    terminal.type(*found["command"].split()[1:])
    assert terminal.json("health", "--days", "2")[1]["other_rules"] == []
    assert terminal.json("check", "--day", "2026-02-02")[1]["sources"][0]["other_rules"] is None


def test_check_says_if_the_store_cannot_say_how_days_were_counted(terminal: Terminal) -> None:
    (terminal.folder / "quality.db").unlink()
    code, out, _ = terminal.type("check", "--day", "2026-02-02")
    assert code == 0
    assert "Whether stored days were counted by these settings is not known:" in out


def test_thresholds_are_no_settings_that_days_are_counted_by(terminal: Terminal) -> None:
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    file = terminal.folder / "telemetry.toml"
    file.write_text(f"{file.read_text()}\n[sources.web.guardrails]\nerror_rate_percent = 50\n")
    assert terminal.json("health", "--days", "2")[1]["other_rules"] == []


def test_days_with_too_short_a_history_say_so_once_with_the_guardrails_concerned(terminal: Terminal) -> None:
    _, taken, _ = terminal.type("snapshot", "2026-02-01")
    assert taken.count("Too few earlier days are known to judge ") == 1
    assert "too few earlier days" not in taken
    terminal.type("snapshot", "2026-02-02")

    _, shown, _ = terminal.type("health", "--first", "2026-02-01", "--last", "2026-02-02")

    (line,) = [line for line in shown.splitlines() if "Too few earlier days" in line]
    assert "were known on 2 days from 2026-02-01 to 2026-02-02 to judge " in line
    assert "leak" in line
