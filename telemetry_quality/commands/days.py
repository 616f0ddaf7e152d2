"""The commands that judge days and show what is known of them: ``snapshot``, ``backfill`` and ``health``.

Without Dagster the first two do exactly what the assets and the alert sensor do, so that cron is served too.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import daily_work, open_store, utc_now
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    day_range,
    json_option,
    print_json,
    source_option,
)
from telemetry_quality.console import print_days, print_snapshot, progress
from telemetry_quality.core.alerts import Alert, alerts_of
from telemetry_quality.core.dispatch import dispatch
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot, unknown_day_as_json
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.storage.store import SqlQualityStore

alert_log = logging.getLogger("telemetry_quality.alerts")


@click.command()
@click.argument("day", type=DAY)
@config_option
@source_option
@json_option
def snapshot(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Read and judge one day (2013-02-08, or yesterday) and keep its snapshot."""
    settings = load_settings(config)
    name, its = settings.source(source)
    work = daily_work(settings, name)
    day = day or its.calendar().latest_day(utc_now())
    (taken,) = _take_snapshots(work, [day], is_shown=False)
    if as_json:
        print_json({"days": [day_as_json(taken.snapshot, taken.verdicts)]})
    else:
        print_snapshot(taken.snapshot, taken.verdicts)
    return exit_code([taken.snapshot])


@click.command()
@click.argument("first", type=DAY)
@click.argument("last", type=DAY)
@config_option
@source_option
@json_option
def backfill(
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Read and judge every day from FIRST to LAST, both included."""
    settings = load_settings(config)
    name, its = settings.source(source)
    latest = its.calendar().latest_day(utc_now())
    days = day_range(first or latest, last or latest)
    work = daily_work(settings, name)
    taken = _take_snapshots(work, days, is_shown=not as_json)
    if as_json:
        print_json({"days": [day_as_json(one.snapshot, one.verdicts) for one in taken]})
    else:
        print_days([(name, one.snapshot.day, one.snapshot, one.verdicts) for one in taken])
    return exit_code([one.snapshot for one in taken])


@click.command()
@click.option("--days", type=click.IntRange(1, 10_000), help="The last N complete days (default: 30).")
@click.option("--first", type=DAY, help="The first day of a range.")
@click.option("--last", type=DAY, help="The last day of a range (default: the latest complete one).")
@config_option
@source_option
@json_option
def health(  # noqa: PLR0917
    days: int | None,
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Show the status of days as the store knows them; nothing is read from the events."""
    if days is not None and (first or last):
        raise click.UsageError("--days or --first and --last are required, but both were given.")
    settings = load_settings(config)
    names = [settings.source(source)[0]] if source else list(settings.sources)
    store, now = open_store(settings), utc_now()
    listed: list[tuple[str, date, TelemetryIntegritySnapshot | None, Sequence[Verdict]]] = []
    for name in names:
        calendar = settings.sources[name].calendar()
        end = last or calendar.latest_day(now)
        # Days before the first are not unknown, they do not exist; who names them is shown them all the same.
        begin = first or max(end - timedelta(days=(days or 30) - 1), min(calendar.first_day, end))
        listed += known_days(store, name, day_range(begin, end))
    listed.sort(key=lambda line: line[1])
    if as_json:
        print_json(
            {
                "days": [
                    day_as_json(one, verdicts) if one else {**unknown_day_as_json(name, day), "guardrails": []}
                    for name, day, one, verdicts in listed
                ]
            }
        )
    else:
        print_days(listed)
    return exit_code([one for _, _, one, _ in listed])


def known_days(
    store: SqlQualityStore, name: str, days: Sequence[date]
) -> list[tuple[str, date, TelemetryIntegritySnapshot | None, Sequence[Verdict]]]:
    """Each day with what the store knows of it."""
    known = {one.day: one for one in store.snapshots(name, days[0], days[-1])}
    said = store.verdicts(name, days[0], days[-1])
    return [
        (name, day, known.get(day), said.get(day, {}).get(known[day].revision or 0, ()) if day in known else ())
        for day in days
    ]


def day_as_json(snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """A snapshot with what each guardrail says of it."""
    return {**snapshot.as_json(), "guardrails": [verdict.as_json() for verdict in verdicts]}


def _take_snapshots(work: DailyWork, days: Sequence[date], *, is_shown: bool) -> list[Judgement]:
    """What the assets and the alert sensor do, in their order."""
    now = utc_now()
    with progress("Reading", len(days), is_shown=is_shown) as advance:
        for scan in work.read(days, now):
            advance(1, scan.total_events or 0)
    taken = []
    with progress("Judging", len(days), is_shown=is_shown) as advance:
        for one in work.judge(days, now):
            taken.append(one)
            advance(1)
    alerts = [alert for one in taken for alert in alerts_of(one.snapshot, one.verdicts)]
    dispatch(work.store, alerts, _log, now)
    return taken


def _log(alert: Alert) -> None:
    alert_log.log(getattr(logging, Level(alert.level).value), alert.line())


def exit_code(snapshots: Iterable[TelemetryIntegritySnapshot | None]) -> int:
    """What a command that shows these days exits with; one without a snapshot is unknown."""
    statuses = {DayStatus.UNKNOWN if one is None else one.status for one in snapshots}
    if not statuses or DayStatus.UNKNOWN in statuses:
        return EXIT_UNKNOWN
    return EXIT_HEALTHY if statuses == {DayStatus.HEALTHY} else EXIT_NOT_HEALTHY
