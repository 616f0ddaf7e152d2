"""A year of flights backfilled in one Dagster run, and the same without Dagster: seconds, and what Dagster adds.

Run ``make bench`` or ``python benchmarks/year.py``; needs the extra ``demo``. Works in a temporary folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from telemetry_quality import demo, load_settings
from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.days import days_between
from telemetry_quality.storage.migrations import migrate


def main() -> None:
    with TemporaryDirectory() as folder:
        os.environ["DAGSTER_HOME"] = str(Path(folder) / "dagster")
        settings = load_settings(demo.prepare(Path(folder) / "telemetry.toml"))
        calendar = settings.sources[demo.SOURCE].calendar()
        days = list(days_between(calendar.first_day, calendar.latest_day(utc_now())))

        start = perf_counter()
        demo.backfill(settings, days, lambda _: None)
        with_dagster = perf_counter() - start

        bare = settings.model_copy(update={"store": f"sqlite:///{folder}/bare.db"})
        migrate(bare.store)
        work, now = daily_work(bare, demo.SOURCE), utc_now()
        start = perf_counter()
        for _ in work.read(days, now):
            pass
        for _ in work.judge(days, now):
            pass
        without = perf_counter() - start
    print(f"{len(days)} days of flights, in one run:")
    print(f"  with Dagster's events and checks  {with_dagster:6.1f} s")
    print(f"  without Dagster                   {without:6.1f} s  ({with_dagster / without:.1f} x)")


if __name__ == "__main__":
    main()
