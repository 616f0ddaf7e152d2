"""``init``: files to start from, and settings proposed from events that exist; what it is sure of passes ``check``."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from telemetry_quality import cli
from telemetry_quality.settings import PRESETS, load_settings
from telemetry_quality_tests.presets.test_vendor_tables import (
    as_a_duckdb_file,
    as_parquet_files,
    in_clickhouse,
    in_postgresql,
)
from telemetry_quality_tests.presets.vendor_tables import LAYOUTS, Layout

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.servers import ClickHouse, PostgreSQL


class Typist:
    """Types commands in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def type(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and what is shown on both outputs."""
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        captured = self._capsys.readouterr()
        return int(stop.value.code or 0), captured.out + captured.err

    def proposal(self, *arguments: str) -> tuple[str, dict[str, Any]]:
        """The text of the file that ``init --from`` writes, and the settings of its source."""
        code, shown = self.type("init", "--from", *arguments)
        assert code == 0, shown
        text = (self.folder / "telemetry.toml").read_text()
        return text, tomllib.loads(text)["sources"]["events"]

    def checked(self) -> dict[str, Any]:
        """What ``check`` finds with that file, which it passes."""
        code, shown = self.type("check", "--json")
        assert code == 0, shown
        (found,) = json.loads(shown)["sources"]
        return dict(found)


@pytest.fixture
def typist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typist:
    monkeypatch.chdir(tmp_path)
    return Typist(tmp_path, capsys)


def layout_named(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_file_for_a_preset_says_of_each_role_what_plays_it_and_what_to_adapt(typist: Typist, preset: str) -> None:
    assert typist.type("init", "--preset", preset)[0] == 0
    text = (typist.folder / "telemetry.toml").read_text()
    source = load_settings(typist.folder / "telemetry.toml").sources["web"]
    assert (source.preset, dict(source.roles.model_dump(exclude_defaults=True))) == (preset, PRESETS[preset].roles)
    assert all(f"\n# {role} = " in text for role in PRESETS[preset].roles)
    assert all(advice in text for advice in PRESETS[preset].advice.values())
    assert PRESETS[preset].page in text
    assert "sources.web.guardrails" in text
    # Each role can be played by what the line says, once its # is removed.
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and " = " in line]
    roles = tomllib.loads("\n".join(line for line in lines if line.partition(" ")[0] in PRESETS[preset].roles))
    assert roles == {role: PRESETS[preset].example(role) for role in PRESETS[preset].roles}


RECOGNIZED = ["otel_logs", "otlp_records", "segment_order_completed", "snowplow_mobile", "posthog_parquet", "ga4"]


@pytest.mark.parametrize("name", [*RECOGNIZED, "cloudevents", "glean_ping", "rudderstack_tracks"])
def test_a_vendor_s_table_is_recognized_and_its_proposal_passes_check(typist: Typist, name: str) -> None:
    layout = layout_named(name)
    place = as_a_duckdb_file(typist.folder, layout)
    _, source = typist.proposal(place["path"])
    assert (source["preset"], source["table"]) == (layout.preset, name)
    assert (source["first_day"], source["last_day"]) == (date(2026, 2, 1), date(2026, 3, 2))
    assert typist.checked()["total_events"] == layout.expected()[date(2026, 3, 2)].events


def test_every_vendor_s_layout_is_recognized_by_its_columns() -> None:
    same = {"rudderstack_server_tracks": "segment"}
    for layout in LAYOUTS:
        found = {name for name, preset in PRESETS.items() if preset.is_of(set(layout.columns))}
        assert same.get(layout.name, layout.preset) in found, layout.name


def test_parquet_files_are_recognized_too(typist: Typist) -> None:
    place = as_parquet_files(typist.folder, layout_named("posthog_parquet"))
    _, source = typist.proposal(place["path"])
    assert (source["connector"], source["preset"]) == ("parquet", "posthog")
    assert source["first_day"] == date(2026, 2, 1)
    assert typist.checked()["error_events"] > 0


@pytest.mark.slow
def test_a_password_is_used_but_neither_shown_nor_written(
    typist: Typist, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.new_database()
    in_postgresql(postgresql, layout_named("snowplow_web"), url)
    text, source = typist.proposal(url, "--table", "snowplow_web")
    assert (source["connector"], source["preset"]) == ("database", "snowplow")
    assert postgresql.password not in text
    assert "TELEMETRY_QUALITY_SOURCES__EVENTS__URL" in text
    code, shown = typist.type("init", "--from", f"{url}x", "--table", "t", "--config", "other.toml")
    assert code == 2
    assert postgresql.password not in shown
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__EVENTS__URL", url)
    assert typist.checked()["total_events"] > 0


@pytest.mark.slow
def test_a_table_of_clickhouse_is_recognized(
    typist: Typist, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = in_clickhouse(clickhouse, layout_named("otel_logs_with_event_name"))
    text, source = typist.proposal(place["url"], "--table", place["table"])
    assert (source["connector"], source["preset"]) == ("clickhouse", "opentelemetry")
    assert clickhouse.password not in text
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__EVENTS__URL", place["url"])
    assert typist.checked()["error_unknown_events"] > 0


GUESSED = """
    SELECT 'e' || i AS "Message-Id", {time} AS {name}, ['view', 'buy'][1 + i % 2] AS event_type,
        CASE WHEN i % 5 > 0 THEN '1.' || i % 3 END AS "appVersion", {error}, 'web' AS platform,
        TIMESTAMP '2026-03-01 00:01:00' + i * INTERVAL 90 SECOND AS received_at
    FROM range(2000) numbers(i)
"""
AT = "TIMESTAMP '2026-03-01' + i * INTERVAL 90 SECOND"


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        (AT, None),
        (f"({AT})::TIMESTAMPTZ", None),
        (f"strftime({AT}, '%Y-%m-%dT%H:%M:%SZ')", None),
        (f"epoch({AT})::BIGINT", "s"),
        (f"epoch_ms({AT})", "ms"),
        (f"epoch_us({AT})", "us"),
        (f"epoch_ns({AT})", "ns"),
    ],
)
def test_roles_and_the_unit_of_times_are_guessed_by_names_types_and_values(
    typist: Typist, time: str, unit: str | None
) -> None:
    query = GUESSED.format(time=time, name="ts", error='i % 50 = 0 AS "isError"')
    with duckdb.connect(str(typist.folder / "events.duckdb")) as connection:
        connection.execute(f"CREATE TABLE clicks AS {query}")
    text, source = typist.proposal("events.duckdb")
    assert source["roles"] == {
        "event_id": "Message-Id",
        "occurred_at": "ts",
        "observed_at": "received_at",
        "event_name": "event_type",
        "service_version": "appVersion",
        "is_error": "isError",
        "dimensions": ["platform"],
    }
    assert source.get("time_unit") == unit
    assert (source["first_day"], source["last_day"]) == (date(2026, 3, 1), date(2026, 3, 3))
    assert text.count("# guessed") >= 6
    found = typist.checked()
    assert (found["total_events"], found["error_events"], found["missing_version_events"]) == (80, 1, 16)


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        ("['info', 'error'][1 + (i % 50 = 0)::INT] AS level", "LOWER(level) IN ('error', 'fatal', 'critical')"),
        ("['ok', 'Failed'][1 + (i % 50 = 0)::INT] AS status", "LOWER(status) IN ('failed')"),
        ("CASE WHEN i % 50 = 0 THEN 503 ELSE 200 END AS status_code", "status_code >= 500"),
        ("CASE WHEN i % 50 = 0 THEN 503 ELSE 200 END AS status", "status >= 500"),
        ("CASE WHEN i % 50 = 0 THEN 3 ELSE 200 END AS status", "NULL"),
        ("CASE WHEN i % 50 = 0 THEN 17 ELSE 9 END AS severity_number", "NULLIF(severity_number, 0) >= 17"),
        ("i % 50 <> 0 AS success", "NOT success"),
        ("(i % 50 = 0)::INT AS failed", "failed"),
        ("'x' AS nothing", "NULL"),
    ],
)
def test_a_condition_for_errors_is_guessed_or_declared_absent(typist: Typist, error: str, condition: str) -> None:
    with duckdb.connect(str(typist.folder / "events.duckdb")) as connection:
        connection.execute(f"CREATE TABLE clicks AS {GUESSED.format(time=AT, name='at', error=error)}")
    _, source = typist.proposal("events.duckdb")
    assert source["roles"]["is_error"] == condition
    assert typist.checked()["error_events"] == (None if condition == "NULL" else 1)


def test_what_is_not_found_is_said_and_left_to_be_named(typist: Typist) -> None:
    with duckdb.connect(str(typist.folder / "events.duckdb")) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT i AS x, i * i AS y FROM range(5) numbers(i)")
    code, shown = typist.type("init", "--from", "events.duckdb")
    text = (typist.folder / "telemetry.toml").read_text()
    assert code == 0
    assert "No column was found for occurred_at and event_name" in shown
    assert "# occurred_at: no column looks like the time of an event; name it" in text
    assert "# event_name: no column looks like the name of an event; name it" in text
    assert typist.type("check")[0] == 2


@pytest.mark.parametrize("name", ["events.db", "events.duckdb"])
def test_a_settings_file_in_another_folder_finds_the_same_events(typist: Typist, name: str) -> None:
    if name.endswith("duckdb"):
        with duckdb.connect(str(typist.folder / name)) as connection:
            connection.execute(f"CREATE TABLE clicks AS {GUESSED.format(time=AT, name='at', error='true AS is_error')}")
    else:
        with sqlite3.connect(typist.folder / name) as file:
            file.execute("CREATE TABLE clicks AS SELECT '2026-03-03T10:00:00Z' AS at, 'n' AS event_name, 1 AS is_error")
        file.close()
    (typist.folder / "there").mkdir()
    assert typist.type("init", "--from", name, "--config", "there/telemetry.toml")[0] == 0
    code, shown = typist.type("check", "--config", "there/telemetry.toml", "--json")
    (found,) = json.loads(shown)["sources"]
    assert (code, found["total_events"], found["day"]) == (0, found["error_events"], "2026-03-03")


HOSTILE = [
    'a "quote',
    "new\nline",
    "back\\slash",
    "# comment",
    "]\n[sources.evil]",
    "tab\t\x07bell",
    "ünïcode ☃",
    "x" * 400,
]


def test_names_and_values_of_the_data_cannot_break_out_of_the_file(typist: Typist) -> None:
    columns = [*HOSTILE, "event_name", "created_at", "level"]
    with sqlite3.connect(typist.folder / "events.db") as connection:
        names = ", ".join('"' + name.replace('"', '""') + '" TEXT' for name in columns)
        connection.execute(f'CREATE TABLE "it\'s ""events""" ({names})')
        rows = [[value] * len(HOSTILE) + [value, "2026-03-01T10:00:00Z", "error'\n]"] for value in HOSTILE]
        marks = ", ".join("?" * len(columns))
        connection.executemany(f'INSERT INTO "it\'s ""events""" VALUES ({marks})', rows)
    connection.close()
    text, source = typist.proposal("events.db")
    assert source["table"] == 'it\'s "events"'
    assert source["roles"]["occurred_at"] == "created_at"
    assert tomllib.loads(text)["sources"].keys() == {"events"}
    assert text.isprintable() or set(text) - {"\n"} == {letter for letter in text if letter.isprintable()}
    assert typist.checked()["total_events"] == len(HOSTILE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no nowhere"),
        (["empty"], "requires Parquet, JSON or CSV files"),
        (["two.duckdb"], "--table must name the table or view of the events; there are: a, b."),
        (["two.duckdb", "--table", "c"], "does not exist"),
        (["nosuch://host/database"], "nosuch"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_a_sentence_and_nothing_is_written(
    typist: Typist, arguments: list[str], words: str
) -> None:
    (typist.folder / "empty").mkdir()
    with duckdb.connect(str(typist.folder / "two.duckdb")) as connection:
        connection.execute("CREATE TABLE a AS SELECT 1 AS x; CREATE TABLE b AS SELECT 1 AS x")
    code, shown = typist.type("init", "--from", *arguments)
    assert code == 2
    assert words in shown
    assert "Traceback" not in shown
    assert not (typist.folder / "telemetry.toml").exists()
