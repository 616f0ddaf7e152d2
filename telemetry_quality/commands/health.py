"""The command ``health``: the status of days as the store knows them, what is missing, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import gaps_of, open_store, utc_now
from telemetry_quality.commands.days import DAY_CSV, day_as_csv, day_as_json, exit_code, known_days
from telemetry_quality.commands.options import (
    DAY,
    config_option,
    day_range,
    list_format,
    print_csv,
    print_json,
    source_option,
)
from telemetry_quality.commands.watching import DURATION, report_age, show_changes
from telemetry_quality.console import ListedDay, next_step, print_days, write
from telemetry_quality.core.counting import OtherRules, other_rules
from telemetry_quality.core.forecasts.scoring import stored_score
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.marks import is_trustworthy
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.forecasts.scoring import ForecastScore
    from telemetry_quality.core.gaps import Gaps
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.store import SqlQualityStore


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
@click.option("--watch", "is_watch", is_flag=True, help="Show it again whenever something has changed, until Ctrl-C.")
@config_option
@source_option
@list_format
def health(  # noqa: PLR0917
    days: int | None,
    first: date | None,
    last: date | None,
    max_age: timedelta | None,
    is_watch: bool,
    config: str | None,
    source: str | None,
    form: str,
) -> int:
    """Show the status of days from the store, without reading events."""
    if sum(map(bool, (days, first or last, max_age))) > 1:
        raise click.UsageError("Either --days, --max-age, or --first and --last may be given, but not both.")
    if max_age is not None:
        return report_age(config, source, max_age, as_json=form == "json")
    settings = load_settings(config)
    store, names = open_store(settings), settings.names(source)

    def look() -> Health:
        now = utc_now()
        ranges = {name: _range(settings.sources[name].calendar(), now, days, first, last) for name in names}
        return _look(settings, store, ranges, now)

    if is_watch:
        return show_changes(look, lambda found: found.show(form, config))
    return look().show(form, config)


def _range(calendar: Calendar, now: datetime, days: int | None, first: date | None, last: date | None) -> list[date]:
    end = last or calendar.latest_day(now)
    # Days before the source's first day do not exist, so they are shown only on request.
    return day_range(first or max(end - timedelta(days=(days or 30) - 1), min(calendar.first_day, end)), end)


@dataclass(frozen=True)
class Health:
    """What the store knows of some days, and what is wrong with it as a whole.

    Attributes:
        counted: The sources with days that were counted by other settings.
        gaps: The sources with missing days.
        scores: How right forecasts were, by source.
        untrusted: The newest day that cannot be trusted; None if all can.
        incident: The key of an incident that holds it; None if there is none.
    """

    days: list[ListedDay]
    counted: list[OtherRules]
    gaps: list[Gaps]
    scores: dict[str, ForecastScore]
    untrusted: ListedDay | None
    incident: str | None

    def as_json(self) -> dict[str, Any]:
        """All of it for machines."""
        return {
            "days": [day_as_json(line) for line in self.days],
            "other_rules": [found.as_json() for found in self.counted],
            "gaps": [gap.as_json() for gap in self.gaps],
            "forecasts": {name: scored.as_json() for name, scored in self.scores.items()},
        }

    def show(self, form: str, config: str | None) -> int:
        """Print it, and return the exit code."""
        if form == "json":
            print_json(self.as_json())
        elif form == "csv":
            print_csv(DAY_CSV, map(day_as_csv, self.days))
        else:
            print_days(self.days)
            for sentence in chain((found.sentence for found in self.counted), *(gap.sentences() for gap in self.gaps)):
                write(sentence, lead=["! "])
            for name, scored in self.scores.items():
                write(f"{name}: {scored.sentence}")
            next_step(*self._next(), config=config)
        return exit_code(self.days)

    def _next(self) -> Sequence[str]:
        """What helps the newest day that cannot be trusted."""
        if self.untrusted is None:
            missing = next((gap.source for gap in self.gaps if gap.missing), None)
            return ["health", "--watch"] if missing is None else ["backfill", "--missing", "--source", missing]
        source, day, snapshot, *_ = self.untrusted
        if snapshot is None:
            return ["backfill", "--missing", "--source", source]
        if snapshot.unreadable_reason is not None or self.incident is None:
            return ["snapshot", str(day), "--source", source]
        return ["incidents", "show", self.incident]


def _look(settings: Settings, store: SqlQualityStore, ranges: dict[str, list[date]], now: datetime) -> Health:
    listed = [line for name, days in ranges.items() for line in known_days(store, name, days)]
    listed.sort(key=lambda line: line.day)
    counted = [
        found
        for name in ranges
        if (found := other_rules(name, store.counted_days(name), settings.sources[name].counting_rules()))
    ]
    gaps = [gap for name in ranges if (gap := gaps_of(settings, store, name, now)).sentences()]
    scores = {name: scored for name in ranges if (scored := _score(settings, store, name, now)) is not None}
    untrusted = next((line for line in reversed(listed) if not is_trustworthy(line.mark, line.status)), None)
    held = incidents_of(store, untrusted.source, untrusted.day, untrusted.day) if untrusted else []
    return Health(listed, counted, gaps, scores, untrusted, held[0].key if held else None)


def _score(settings: Settings, store: SqlQualityStore, name: str, now: datetime) -> ForecastScore | None:
    source = settings.sources[name]
    return stored_score(store, name, source.calendar(), source.policy(), now)
