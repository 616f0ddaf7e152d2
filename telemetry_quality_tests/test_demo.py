from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from telemetry_quality import demo, load_settings
from telemetry_quality.errors import RequestError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``telemetry-quality demo --no-serve --days 3 --json`` was typed."""
    return tmp_path_factory.mktemp("demo")


def _demo(folder: Path, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "telemetry_quality", "demo", "--no-serve", "--json", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, json.loads(result.stdout)


@pytest.mark.slow
def test_the_demo_fills_an_empty_folder_and_typing_it_again_changes_nothing(stage: Path) -> None:
    code, first = _demo(stage, "--days", "3")
    assert code == 1
    assert [(one["day"], one["status"]) for one in first["days"]] == [
        ("2013-12-29", "healthy"),
        ("2013-12-30", "healthy"),
        ("2013-12-31", "degraded"),
    ]
    assert _demo(stage, "--days", "3") == (code, first)
    assert (stage / ".dagster" / "dagster.yaml").exists()
    days = sorted(folder.name for folder in (stage / "data" / "flights").iterdir())
    assert (len(days), days[0], days[-1]) == (365, "day=2013-01-01", "day=2013-12-31")


@pytest.mark.slow
def test_the_demo_s_year_is_the_real_one(stage: Path) -> None:
    """Counts that the packages' own documentation and the register give: nothing was lost on the way."""
    _demo(stage, "--days", "3")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        events = str(stage / "data" / "flights" / "*" / "*.parquet")
        row = connection.execute(
            "SELECT count(*), count(DISTINCT event_id), sum(is_cancelled::INT), count(*) FILTER (model IS NULL),"
            " bool_and(strftime(scheduled_at, '%Y-%m-%d') = day::VARCHAR), count(DISTINCT event_name)"
            " FROM read_parquet(?)",
            [events],
        ).fetchone()
    assert row == (336_776, 336_776, 8_255, 2_512, True, 3)


@pytest.mark.slow
def test_both_february_days_of_the_blizzard_are_unhealthy(stage: Path) -> None:
    _demo(stage, "--days", "3")
    command = [sys.executable, "-m", "telemetry_quality", "backfill", "2013-02-08", "2013-02-09", "--json"]
    result = subprocess.run(command, cwd=stage, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    days = {one["day"]: one for one in json.loads(result.stdout)["days"]}
    assert [days[day]["status"] for day in ("2013-02-08", "2013-02-09")] == ["unhealthy", "unhealthy"]
    assert [round(days[day]["error_rate_percent"]) for day in ("2013-02-08", "2013-02-09")] == [51, 57]
    assert result.stderr.count("CRITICAL flights 2013-02-08 error_rate") == 1


def test_a_killed_run_leaves_no_half_written_data_behind(tmp_path: Path) -> None:
    unfinished = tmp_path / "flights.unfinished" / "day=2013-01-01"
    unfinished.mkdir(parents=True)
    (unfinished / "data_0.parquet").write_bytes(b"half")
    assert demo.write_flights(tmp_path / "flights") == 365
    assert not (tmp_path / "flights.unfinished").exists()


def test_settings_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.toml"
    text = (demo.STARTER / "telemetry.toml").read_text()
    file.write_text(text)
    with pytest.raises(SettingsError, match="has no source flights"):
        demo.prepare(file)
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["telemetry.toml"]


def test_a_port_in_use_is_told_before_anything_is_done() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RequestError, match="A free port is required"):
            demo.require_free_port("127.0.0.1", taken.getsockname()[1])


def test_a_free_port_is_free() -> None:
    demo.require_free_port("127.0.0.1", 0)


def test_the_demo_s_settings_cover_the_year() -> None:
    source = load_settings(demo.STARTER / "demo.toml").sources[demo.SOURCE]
    assert (source.first_day, source.last_day) == (date(2013, 1, 1), date(2013, 12, 31))
    assert source.time_zone == demo.ZONE
