"""The command ``now``: looks at the running day, and shows its hours against what is expected.

Without Dagster, it does exactly what the sensor of running days does, so that cron can run it.
"""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

import click

from telemetry_quality.assembly import look_at, open_store, running_sources, utc_now
from telemetry_quality.commands.alert_log import dispatch_to_log
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    json_option,
    print_json,
    source_option,
)
from telemetry_quality.console import Column, Kind, Part, Styled, print_listing, write
from telemetry_quality.core.running.report import RunningState
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality.core.hours import ExpectedHour
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.core.running.report import RunningDay

EXIT_CODES = {
    RunningState.NOTHING_FAILED: EXIT_HEALTHY,
    RunningState.FAILING: EXIT_NOT_HEALTHY,
    RunningState.UNKNOWN: EXIT_UNKNOWN,
    RunningState.NOT_LOOKED_AT: EXIT_UNKNOWN,
}

COLUMNS = (
    Column("hour"),
    Column("events", Kind.NUMBER),
    Column("expected", Kind.NUMBER),
    Column("errors", Kind.NUMBER),
    Column("", Kind.FACT),
    Column("", Kind.WORDS),
)
BAR_WIDTH = 24
"""Characters of the longest bar."""


@click.command()
@click.option("--watch", "is_watch", is_flag=True, help="Look again every intraday_minutes, until Ctrl-C.")
@config_option
@source_option
@json_option
def now(is_watch: bool, config: str | None, source: str | None, as_json: bool) -> int:
    """Look at the day that is not over, and show its hours.

    An hour is judged when its late events have usually arrived. Exit codes: 0 nothing failed so far, 1 something
    failed, 2 the last hour is unknown.
    """
    settings = load_settings(config)
    names = running_sources(settings, source)
    while True:
        days = [look_at(settings, name, utc_now()) for name in names]
        dispatch_to_log(open_store(settings), names)
        if as_json:
            print_json({"running_days": [day.as_json() for day in days]})
        else:
            for day in days:
                _print(day)
        if not is_watch:
            return max(EXIT_CODES[day.state] for day in days)
        sleep(60 * min(settings.sources[name].intraday_minutes for name in names))


def _print(day: RunningDay) -> None:
    write(*_title(day))
    if not day.hours:
        return
    print_listing(COLUMNS, _rows(day))
    if (reason := day.hours[-1].unreadable_reason) is not None:
        write(reason, lead=["  ", Styled("?", "magenta"), " "])
    for verdict in day.verdicts:
        sentence = f"{verdict.guardrail} {verdict.level}: {verdict.sentence}"
        write(sentence, lead=["  ", Styled("✗", "red"), " "])


def _rows(day: RunningDay) -> Iterator[tuple[Part, ...]]:
    most = max((hour.counts.events for hour in day.hours if hour.counts is not None), default=0)
    for hour in day.hours:
        yield (f"{day.begins_at(hour.hour):%H:%M}", *_numbers(hour), _bar(hour, most), _what_is_wrong(hour))
    first = day.hours[-1].hour + 1
    for number, expected in enumerate(day.later, start=first):
        yield (f"{day.begins_at(number):%H:%M}", "", _interval(expected), "", "", "")


def _title(day: RunningDay) -> tuple[Part, ...]:
    until = "" if not day.hours else f", {len(day.hours)} hours to {day.begins_at(day.hours[-1].hour + 1):%H:%M}"
    words = {
        RunningState.FAILING: ("red", f"✗ {len(day.verdicts)} guardrails fail so far"),
        RunningState.UNKNOWN: ("magenta", "? the last hour could not be read"),
        RunningState.NOTHING_FAILED: (None, "· nothing failed so far"),
        RunningState.NOT_LOOKED_AT: ("magenta", "? none of its hours is known yet"),
    }
    colour, sentence = words[day.state]
    if len(day.verdicts) == 1:
        sentence = "✗ 1 guardrail fails so far"
    return f"{day.source} {day.day}, running{until} (provisional): ", Styled(sentence, colour)


def _numbers(hour: RunningHour) -> Iterator[str]:
    counts = hour.counts
    yield "" if counts is None else f"{counts.events:,}"
    yield "" if hour.expected is None else _interval(hour.expected)
    yield "" if counts is None or counts.errors is None else f"{counts.errors:,}"


def _interval(expected: ExpectedHour) -> str:
    return f"{expected.low:,.0f} to {expected.high:,.0f}"


def _bar(hour: RunningHour, most: int) -> str:
    return "" if hour.counts is None or not most else "▇" * round(BAR_WIDTH * hour.counts.events / most)


def _what_is_wrong(hour: RunningHour) -> Part:
    if hour.counts is None:
        return Styled(f"? {hour.unreadable_reason_code}", "magenta")
    failed = ", ".join(verdict.guardrail for verdict in hour.verdicts)
    return Styled(f"✗ {failed}", "red") if failed else ""
