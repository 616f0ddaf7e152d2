"""A year of flights in one process: processor time of judging a day, and of the four questions to the health service.

Run ``python benchmarks/judging.py [FOLDER]``; the folder keeps the year between runs, if the schema is the same.
Prints medians and maxima in milliseconds of processor time of all threads, and their ratios to a passing day whose
history is loaded. The days are every fourth from March on, the last 31, and those with the worst weather.
"""

from __future__ import annotations

import gc
import sys
from contextlib import chdir
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from shutil import copyfile
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.health import TelemetryHealthService
from telemetry_quality.core.judging import evidence_of, judge, load_history
from telemetry_quality.demo import STARTER, write_flights
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.settings import load_settings
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry_quality.core.daily import DailyWork

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
LAST_DAYS = [LAST - timedelta(days=n) for n in range(30, -1, -1)]
WORST = [date(2013, 2, 8), date(2013, 2, 9), date(2013, 3, 8), date(2013, 6, 13), date(2013, 12, 9), date(2013, 12, 10)]
ROUNDS = 3


def prepared(folder: Path) -> DailyWork:
    """The year of flights with the demo's settings, read and judged."""
    settings_file = folder / "telemetry.toml"
    if not settings_file.exists():
        copyfile(STARTER / "demo.toml", settings_file)
    settings = load_settings(settings_file)
    write_flights(Path(settings.sources["flights"].location))
    migrate(settings.store)
    work = daily_work(settings, "flights")
    year = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    judged = {snapshot.day for snapshot in work.store.snapshots("flights", FIRST, LAST)}
    if missing := [day for day in year if day not in judged]:
        for _ in work.read(missing, utc_now()):
            pass
        for _ in work.judge(missing, utc_now()):
            pass
    return work


def cost(act: Callable[[], object]) -> float:
    """Milliseconds of processor time, without other work's garbage."""
    gc.collect()
    began = process_time()
    act()
    return 1000 * (process_time() - began)


def costs(days: Iterable[date], act: Callable[[date], object]) -> list[float]:
    """The median of a few rounds for each day, warm."""
    found = []
    for day in days:
        act(day)
        found.append(median(cost(lambda day=day: act(day)) for _ in range(ROUNDS)))  # type: ignore[misc]
    return found


def judging(work: DailyWork, days: Sequence[date]) -> tuple[list[float], list[float]]:
    """What evidence, guardrails and root causes of each day cost once its history is loaded: passing, failing days."""
    passing: list[float] = []
    failing: list[float] = []
    loaded = load_history(work.store, work.name, days)
    for day in days:

        def judged(day: date = day) -> bool:
            # Root causes load days that other failing days have loaded too: each day pays for its own here.
            context = replace(loaded)
            with garbage_collection_paused():
                evidence = evidence_of(day, context, work.policy, work.calendar, work.source.schema, now=utc_now())
                verdicts = judge(evidence, context, work.policy, work.source.schema)
            return any(verdict.outcome is Outcome.FAILED for verdict in verdicts)

        (failing if judged() else passing).append(median(cost(judged) for _ in range(ROUNDS)))
    return passing, failing


def main(folder: Path) -> None:
    with chdir(folder):
        work = prepared(folder)
        service = TelemetryHealthService(work, utc_now)
        every_other = [FIRST + timedelta(days=n) for n in range(60, 365, 4)]
        with work.store.kept_open():  # as whoever judges days keeps it
            passing, failing = judging(work, sorted({*every_other, *WORST}))
        rows = {
            "judge a passing day, history loaded": passing,
            "judge a failing day with its root causes": failing,
            "load the history of a day": costs(WORST, lambda day: load_history(work.store, work.name, [day])),
            "calculate_daily_integrity": costs([*LAST_DAYS, *WORST], service.calculate_daily_integrity),
            "detect_anomaly_spikes": costs(WORST, service.detect_anomaly_spikes),
            "detect_version_mismatch": costs(WORST, service.detect_version_mismatch),
            "detect_zero_activity": costs([LAST] * 5, lambda _: service.detect_zero_activity(utc_now())),
        }
    floor = median(passing)
    print(f"{'':42} days  median ms   most ms   × a passing day")
    for title, found in rows.items():
        print(f"{title:42} {len(found):4} {median(found):10.1f} {max(found):9.1f} {median(found) / floor:16.1f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]).resolve())
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
