"""The command ``telemetry-quality count``: the current counts of a day, for a first look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_source, utc_now
from telemetry_quality.commands.options import DAY, EXIT_HEALTHY, config_option, json_option, say, source_option
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.events import DayCounts


@click.command()
@click.argument("day", type=DAY)
@config_option
@source_option
@json_option
def count(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Count a day's events, errors and missing values: one scan, nothing is sampled, judged or stored."""
    settings = load_settings(config)
    name, chosen = settings.source(source)
    calendar, now = chosen.calendar(), utc_now()
    day = day or calendar.latest_day(now)
    calendar.require(day, now)
    events = open_source(name, chosen)
    counts = events.count_day(calendar.window(day))
    has_no_version = "service_version" in counts.absent_roles
    document = {
        "source": name,
        "day": day.isoformat(),
        "total_events": counts.events,
        "error_events": None if "is_error" in counts.absent_roles else counts.errors,
        "error_unknown_events": counts.error_unknown_events,
        "error_rate_percent": counts.error_rate_percent,
        "missing_version_events": None if has_no_version else counts.missing_version,
        "missing_version_percent": None if has_no_version else counts.missing_version_percent,
        "missing_critical_fields": dict(counts.missing_critical),
        "rates": {rate.name: rate.as_json(counts.rate_counts, counts.events) for rate in events.schema.rates},
    }
    say(as_json, document, _sentence(document, counts))
    return EXIT_HEALTHY


def _sentence(document: dict[str, Any], counts: DayCounts) -> str:
    rates = document["rates"]
    missing = (f"{number:,} without {field}" for field, number in counts.missing_critical.items())
    parts = (
        f"{counts.events:,} events",
        _share(document["error_events"], counts.error_rate_percent, "errors", "no error state"),
        _share(document["missing_version_events"], counts.missing_version_percent, "without a version", "no versions"),
        *missing,
        *(f"{rate['matching_events'] or 0:,} {name}{_percent(rate['percent'])}" for name, rate in rates.items()),
    )
    return f"{document['source']} on {document['day']}: {', '.join(parts)}."


def _share(number: int | None, percent: float | None, what: str, absent: str) -> str:
    """``12 errors (1.20 %)``, or ``no error state by choice``."""
    return f"{absent} by choice" if number is None else f"{number:,} {what}{_percent(percent)}"


def _percent(value: float | None) -> str:
    return "" if value is None else f" ({value:.2f} %)"
