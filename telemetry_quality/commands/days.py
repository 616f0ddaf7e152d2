"""The commands that judge days and show their status: ``snapshot``, ``backfill`` and ``health``.

Without Dagster, the first two do exactly what the assets and the alert sensor do, so that cron can run them.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import (
    daily_work,
    gaps_of,
    heartbeat,
    keep_anchor,
    lineage,
    open_store,
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
    print_json,
    source_option,
)
from telemetry_quality.commands.watching import DURATION, report_age
from telemetry_quality.console import ListedDay, print_days, print_snapshot, progress
from telemetry_quality.core.counting import other_rules
from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.forecasts.scoring import stored_score
from telemetry_quality.core.marks import is_trustworthy, marks_of
from telemetry_quality.core.snapshots import DayStatus, unknown_day_as_json
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.forecasts.scoring import ForecastScore
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.store import SqlQualityStore


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
@json_option
def backfill(
    first_and_last: tuple[date | None, ...],
    is_missing: bool,
    config: str | None,
    source: str | None,
    as_json: bool,
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
    taken = [_listed(judgement) for judgement in _watched(settings, work, days, is_shown=not as_json)] if days else []
    _after_judging(settings, work)
    if as_json:
        print_json({"days": [day_as_json(listed) for listed in taken]})
    elif taken:
        print_days(taken)
    else:
        click.echo("No day is missing.")
    return exit_code(taken) if taken else EXIT_HEALTHY


@click.command()
@click.option("--days", type=click.IntRange(1, 10_000), help="The last N complete days (default: 30).")
@click.option("--first", type=DAY, help="The first day of a range.")
@click.option("--last", type=DAY, help="The last day of a range (default: the latest complete day).")
@click.option(
    "--max-age",
    type=DURATION,
    help="Say only whether days are still being judged: whether the newest ended at most 26h, 90m or 2d ago. "
    "Exit codes as monitors expect them: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
)
@config_option
@source_option
@json_option
def health(  # noqa: PLR0917
    days: int | None,
    first: date | None,
    last: date | None,
    max_age: timedelta | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Show the status of days from the store, without reading events."""
    if sum(map(bool, (days, first or last, max_age))) > 1:
        raise click.UsageError("Either --days, --max-age, or --first and --last may be given, but not both.")
    if max_age is not None:
        return report_age(config, source, max_age, as_json=as_json)
    settings = load_settings(config)
    names = settings.names(source)
    store, now = open_store(settings), utc_now()
    listed: list[ListedDay] = []
    for name in names:
        calendar = settings.sources[name].calendar()
        end = last or calendar.latest_day(now)
        # Days before the source's first day do not exist, so they are shown only on request.
        begin = first or max(end - timedelta(days=(days or 30) - 1), min(calendar.first_day, end))
        listed += known_days(store, name, day_range(begin, end))
    listed.sort(key=lambda line: line.day)
    _print_health(settings, store, names, listed, now, as_json=as_json)
    return exit_code(listed)


def _print_health(
    settings: Settings,
    store: SqlQualityStore,
    names: Sequence[str],
    listed: list[ListedDay],
    now: datetime,
    *,
    as_json: bool,
) -> None:
    """Print days, and what is wrong with the store as a whole."""
    counted = [
        found
        for name in names
        if (found := other_rules(name, store.counted_days(name), settings.sources[name].counting_rules()))
    ]
    gaps = [gap for name in names if (gap := gaps_of(settings, store, name, now)).sentences()]
    scores = {name: scored for name in names if (scored := _score(settings, store, name, now)) is not None}
    if as_json:
        print_json(
            {
                "days": [day_as_json(line) for line in listed],
                "other_rules": [found.as_json() for found in counted],
                "gaps": [gap.as_json() for gap in gaps],
                "forecasts": {name: scored.as_json() for name, scored in scores.items()},
            }
        )
    else:
        print_days(listed)
        for sentence in chain((found.sentence for found in counted), *(gap.sentences() for gap in gaps)):
            click.echo(f"! {sentence}")
        for name, scored in scores.items():
            click.echo(f"{name}: {scored.sentence}")


def _score(settings: Settings, store: SqlQualityStore, name: str, now: datetime) -> ForecastScore | None:
    source = settings.sources[name]
    return stored_score(store, name, source.calendar(), source.policy(), now)


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
        click.echo(f"Warning: {emitter.failure}", err=True)
    dispatch_to_log(work.store, [work.name])
    return taken


def _after_judging(settings: Settings, work: DailyWork) -> None:
    """Keep the forecast; where the settings say so, keep the anchor and push the metrics; neither fails the command."""
    now = utc_now()
    keep_forecast(work.store, work.name, work.calendar, work.policy, now)
    if (failure := keep_anchor(settings, now)) is not None:
        click.echo(f"Error: {failure}", err=True)
    if (failure := push_metrics(settings, now)) is not None:
        click.echo(f"Warning: {failure}", err=True)


def exit_code(days: Iterable[ListedDay]) -> int:
    """The exit code of a command that shows these days; a day without a snapshot is unknown."""
    codes = [_exit_code(listed) for listed in days]
    return max(codes, default=EXIT_UNKNOWN)


def _exit_code(listed: ListedDay) -> int:
    if listed.snapshot is None or listed.snapshot.status is DayStatus.UNKNOWN:
        return EXIT_UNKNOWN
    is_trusted = is_trustworthy(listed.mark, listed.snapshot.status)
    return EXIT_HEALTHY if is_trusted else EXIT_NOT_HEALTHY
