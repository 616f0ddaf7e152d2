"""The commands that judge days, ``snapshot`` and ``backfill``, and what other commands show of days.

Without Dagster, they do exactly what the assets and the alert sensor do, so that cron can run them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import (
    daily_work,
    gaps_of,
    heartbeat,
    keep_anchor,
    lineage,
    push_metrics,
    utc_now,
)
from telemetry_quality.commands.alert_log import dispatch_to_log
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    day_range,
    json_option,
    list_format,
    print_csv,
    print_json,
    source_option,
)
from telemetry_quality.console import ListedDay, print_days, print_snapshot, progress, write
from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.marks import is_trustworthy, marks_of
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.core.snapshots import DayStatus, unknown_day_as_json
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.store import SqlQualityStore

DAY_CSV = (
    "source",
    "day",
    "revision",
    "status",
    "failed_guardrails",
    "unreadable_reason_code",
    "mark",
    *(metric.name for metric in METRICS),
)
"""The columns of a day as CSV."""


@click.command()
@click.argument("day", type=DAY)
@config_option
@source_option
@json_option
def snapshot(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Read and judge one day (2013-02-08, or yesterday) and store its snapshot."""
    settings = load_settings(config)
    name, its = settings.source(source)
    work = daily_work(settings, name)
    day = day or its.calendar().latest_day(utc_now())
    (taken,) = _watched(settings, work, [day], is_shown=False)
    _after_judging(settings, work)
    if as_json:
        print_json({"days": [day_as_json(_listed(taken))]})
    else:
        print_snapshot(taken.snapshot, taken.verdicts, taken.mark)
    return exit_code([_listed(taken)])


@click.command()
@click.argument("first_and_last", type=DAY, nargs=-1, metavar="[FIRST LAST]")
@click.option("--missing", "is_missing", is_flag=True, help="Every day since first_day that has no snapshot.")
@config_option
@source_option
@list_format
def backfill(
    first_and_last: tuple[date | None, ...],
    is_missing: bool,
    config: str | None,
    source: str | None,
    form: str,
) -> int:
    """Read and judge every day from FIRST to LAST, inclusive, or every day that is missing."""
    if len(first_and_last) != (0 if is_missing else 2):
        raise click.UsageError("Either FIRST and LAST or --missing is required, but not both.")
    settings = load_settings(config)
    name, its = settings.source(source)
    work, now = daily_work(settings, name), utc_now()
    if is_missing:
        gaps = gaps_of(settings, work.store, name, now).missing
    else:
        latest = its.calendar().latest_day(now)
        first, last = first_and_last
        gaps = ((first or latest, last or latest),)
    days = [day for gap in gaps for day in day_range(*gap)]
    if not days:
        dispatch_to_log(work.store, [name])
    is_shown = form == "table"
    taken = [_listed(judgement) for judgement in _watched(settings, work, days, is_shown=is_shown)] if days else []
    _after_judging(settings, work)
    if form == "json":
        print_json({"days": [day_as_json(listed) for listed in taken]})
    elif form == "csv":
        print_csv(DAY_CSV, map(day_as_csv, taken))
    elif taken:
        print_days(taken)
    else:
        write("No day is missing.")
    return exit_code(taken) if taken else EXIT_HEALTHY


def known_days(store: SqlQualityStore, name: str, days: Sequence[date]) -> list[ListedDay]:
    """Each day with its snapshot, its verdicts and its mark, if the store has them."""
    marks = marks_of(store.marked_days(name))
    known = {snapshot.day: snapshot for snapshot in store.snapshots(name, days[0], days[-1])}
    verdicts = store.verdicts(name, days[0], days[-1])
    return [
        ListedDay(
            name,
            day,
            known.get(day),
            verdicts.get(day, {}).get(known[day].revision or 0, ()) if day in known else (),
            marks.get(day),
        )
        for day in days
    ]


def day_as_json(listed: ListedDay) -> dict[str, Any]:
    """A snapshot with the verdict of each guardrail and what somebody said about the day."""
    source, day, snapshot, verdicts, mark = listed
    return {
        **(unknown_day_as_json(source, day) if snapshot is None else snapshot.as_json()),
        "guardrails": [verdict.as_json() for verdict in verdicts],
        "mark": mark and mark.as_json(),
    }


def day_as_csv(listed: ListedDay) -> dict[str, Any]:
    """What a row of CSV says of a day; failed guardrails by name."""
    failed = [verdict.guardrail for verdict in listed.verdicts if verdict.outcome is Outcome.FAILED]
    return {**day_as_json(listed), "failed_guardrails": failed, "mark": listed.mark and listed.mark.mark}


def _listed(judgement: Judgement) -> ListedDay:
    snapshot = judgement.snapshot
    return ListedDay(snapshot.source, snapshot.day, snapshot, judgement.verdicts, judgement.mark)


def _watched(settings: Settings, work: DailyWork, days: Sequence[date], *, is_shown: bool) -> list[Judgement]:
    """Read and judge days; if yesterday is among them, the outcome is sent as a heartbeat."""
    latest = work.calendar.latest_day(utc_now())
    if latest not in days:
        return _take_snapshots(settings, work, days, is_shown=is_shown)
    beat = heartbeat(settings, work.name)
    beat.start()
    try:
        taken = _take_snapshots(settings, work, days, is_shown=is_shown)
    except Exception as error:
        beat.fail(f"{work.name} {latest}: {type(error).__name__}.")
        raise
    (snapshot,) = (judgement.snapshot for judgement in taken if judgement.snapshot.day == latest)
    if snapshot.unreadable_reason_code is None:
        beat.success(f"{work.name} {latest} was judged: {snapshot.status.value}.")
    else:
        beat.fail(f"{work.name} {latest} could not be read: {snapshot.unreadable_reason_code}.")
    return taken


def _take_snapshots(settings: Settings, work: DailyWork, days: Sequence[date], *, is_shown: bool) -> list[Judgement]:
    """Read and judge days, send their lineage and dispatch their alerts, as the assets and the alert sensor do."""
    now, emitter = utc_now(), lineage(settings, work.name)
    with progress("Reading", len(days), is_shown=is_shown) as advance:
        for scan in work.read(days, now):
            advance(1, scan.total_events or 0)
    taken = []
    with progress("Judging", len(days), is_shown=is_shown) as advance:
        for judgement in work.judge(days, now):
            taken.append(judgement)
            emitter.emit(judgement)
            advance(1)
    if emitter.failure is not None:
        write(f"Warning: {emitter.failure}", stderr=True)
    dispatch_to_log(work.store, [work.name])
    return taken


def _after_judging(settings: Settings, work: DailyWork) -> None:
    """Keep the forecast; where the settings say so, keep the anchor and push the metrics; neither fails the command."""
    now = utc_now()
    keep_forecast(work.store, work.name, work.calendar, work.policy, now)
    if (failure := keep_anchor(settings, now)) is not None:
        write(f"Error: {failure}", stderr=True)
    if (failure := push_metrics(settings, now)) is not None:
        write(f"Warning: {failure}", stderr=True)


def exit_code(days: Iterable[ListedDay]) -> int:
    """The exit code of a command that shows these days; a day without a snapshot is unknown."""
    codes = [_exit_code(listed) for listed in days]
    return max(codes, default=EXIT_UNKNOWN)


def _exit_code(listed: ListedDay) -> int:
    if listed.snapshot is None or listed.snapshot.status is DayStatus.UNKNOWN:
        return EXIT_UNKNOWN
    is_trusted = is_trustworthy(listed.mark, listed.snapshot.status)
    return EXIT_HEALTHY if is_trusted else EXIT_NOT_HEALTHY
