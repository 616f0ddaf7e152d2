"""Every preset on its vendors' tables: the settings fit, and every day is counted as its events were made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from telemetry_quality import cli
from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window, days_between
from telemetry_quality.core.events import DayScan
from telemetry_quality.settings import PRESETS, load_settings
from telemetry_quality_tests.presets.vendor_tables import DAYS, FIRST_DAY, LAYOUTS, Counts, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from telemetry_quality.core.ports import EventSource
    from telemetry_quality_tests.servers import ClickHouse, PostgreSQL

LAST_DAY = FIRST_DAY.replace(month=3, day=2)
WINDOWS = [day_window(day, ZoneInfo("UTC")) for day in days_between(FIRST_DAY, LAST_DAY)]


def in_duckdb(folder: Path, layout: Layout, table: str) -> duckdb.DuckDBPyConnection:
    lines = folder / f"{table}.jsonl"
    lines.write_text("\n".join(json.dumps(row, default=_plain) for row in layout.rows()))
    connection = duckdb.connect(str(folder / f"{table}.duckdb"))
    types = layout.types("duckdb")
    connection.execute(
        f"CREATE TABLE \"{table}\" AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {types!r})",
        [str(lines)],
    )
    return connection


def _plain(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "+00"


def as_a_duckdb_file(folder: Path, layout: Layout) -> dict[str, str]:
    in_duckdb(folder, layout, layout.name).close()
    return {"connector": "duckdb", "path": str(folder / f"{layout.name}.duckdb"), "table": layout.name}


def as_parquet_files(folder: Path, layout: Layout) -> dict[str, str]:
    files = folder / layout.name
    files.mkdir()
    with in_duckdb(folder, layout, layout.name) as connection:
        for half, order in enumerate(("rowid < 200", "rowid >= 200")):
            connection.execute(
                f"COPY (FROM \"{layout.name}\" WHERE {order}) TO '{files}/{half}.parquet' (FORMAT parquet)"
            )
    return {"connector": "parquet", "path": str(files)}


def in_postgresql(server: PostgreSQL, layout: Layout, url: str | None = None) -> dict[str, str]:
    types = layout.types("postgresql")
    table = sql.Identifier(layout.name)
    defined = sql.SQL(", ").join(sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in types.items())
    with psycopg.connect(url or server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, defined))
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for row in layout.rows():
                copy.write_row(
                    [
                        Jsonb(value) if types[name] == "JSONB" and value is not None else value
                        for name, value in row.items()
                    ]
                )
    return {"connector": "database", "url": server.url(), "table": layout.name}


def in_clickhouse(server: ClickHouse, layout: Layout) -> dict[str, str]:
    types = layout.types("clickhouse")
    columns = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    rows = [
        {
            name: json.dumps(value) if types[name] == "String" and not isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in layout.rows()
    ]
    return {"connector": "clickhouse", "url": server.url(), "table": server.new_table(columns, rows)}


NESTED = {"map", "json_text", "contexts", "app", "client"}
"""Types of columns that Parquet files hold otherwise than DuckDB's own; other layouts are read once."""


def laid_out_in(place: str) -> list[Layout]:
    """The layouts that are tried in a place."""
    return [layout for layout in LAYOUTS if place != "parquet" or NESTED & set(layout.columns.values())]


def settings_for(folder: Path, layouts: Sequence[Layout], put: Callable[[Layout], Mapping[str, str]]) -> Path:
    """A settings file with a source for every layout, by its preset alone."""
    lines = [f'store = "sqlite:///{folder}/quality.db"']
    for layout in layouts:
        keys = {**put(layout), "preset": layout.preset}
        lines += [
            f"[sources.{layout.name}]",
            *(f"{key} = {json.dumps(value)}" for key, value in keys.items()),
            f"first_day = {FIRST_DAY}",
            f"last_day = {LAST_DAY}",
        ]
    file = folder / "telemetry.toml"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture(
    scope="module",
    params=[
        "duckdb",
        *(
            pytest.param(place, marks=[pytest.mark.slow, pytest.mark.rare])
            for place in ("parquet", "postgresql", "clickhouse")
        ),
    ],
)
def settings_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings for all layouts in one place."""
    folder = tmp_path_factory.mktemp(request.param)
    puts: dict[str, Callable[[Layout], Mapping[str, str]]] = {
        "duckdb": lambda layout: as_a_duckdb_file(folder, layout),
        "parquet": lambda layout: as_parquet_files(folder, layout),
        "postgresql": lambda layout: in_postgresql(request.getfixturevalue("postgresql"), layout),
        "clickhouse": lambda layout: in_clickhouse(request.getfixturevalue("clickhouse"), layout),
    }
    return settings_for(folder, laid_out_in(request.param), puts[request.param])


def test_every_preset_has_a_vendor_s_table() -> None:
    assert {layout.preset for layout in LAYOUTS} == set(PRESETS)
    assert len(WINDOWS) == DAYS


def test_check_fits_every_vendor_s_table(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", "--config", str(settings_file), "--day", "2026-02-10", "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["mistakes"], stop.value.code) == ([], 0)
    shown = {source["source"]: source for source in found["sources"]}
    for layout in LAYOUTS:
        if layout.name not in shown:
            continue
        expected = layout.expected()[WINDOWS[9].day]
        assert shown[layout.name]["total_events"] == expected.events, layout.name
        assert shown[layout.name]["error_events"] == (expected.errors if layout.has_errors else None), layout.name
        missing = expected.missing_version if layout.has_versions else None
        assert shown[layout.name]["missing_version_events"] == missing, layout.name


def counts_of(scan: DayScan) -> Counts:
    totals = scan.aggregates.totals()
    return Counts(totals.events, totals.errors, totals.error_unknown_events, totals.missing_version)


def test_thirty_days_of_every_vendor_s_table_are_counted_exactly(settings_file: Path) -> None:
    sources = load_settings(settings_file).sources
    for layout in LAYOUTS:
        if layout.name in sources:
            require_exact_counts(layout, open_source(layout.name, sources[layout.name]))


def require_exact_counts(layout: Layout, source: EventSource) -> None:
    scans = list(source.scan_days(WINDOWS, 100))
    assert all(isinstance(scan, DayScan) for scan in scans), scans
    found = {scan.day: counts_of(scan) for scan in scans if isinstance(scan, DayScan)}
    assert found == layout.expected(), layout.name
    for scan in scans:
        assert isinstance(scan, DayScan)
        assert ("service_version" in scan.absent_roles) is not layout.has_versions
        assert ("is_error" in scan.absent_roles) is not layout.has_errors
        assert scan.duplicates is not None
        assert scan.duplicates.duplicate_events == 0
        assert not [name for name in scan.aggregates.by_signal() if name in {"", "(null)"}]
