"""The command ``telemetry-quality check``: do the settings fit the events?"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import gaps_of, open_source, open_store, utc_now
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    json_option,
    print_json,
    source_option,
)
from telemetry_quality.connectors import BUILT_IN, connectors
from telemetry_quality.console import next_step, write
from telemetry_quality.core.calendar_effects import holiday_calendar
from telemetry_quality.core.counting import other_rules
from telemetry_quality.core.days import DayWindow
from telemetry_quality.core.event_schema import OPTIONAL_ROLES
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.catalogue import BUILT_IN as GUARDRAILS
from telemetry_quality.core.guardrails.catalogue import guardrails
from telemetry_quality.core.policies import HOLIDAYS, SAMPLE_SIZE
from telemetry_quality.errors import DeliveryError, SettingsError, SourceError, StoreError
from telemetry_quality.extensions import find_extensions
from telemetry_quality.notifiers import BUILT_IN as NOTIFIERS
from telemetry_quality.notifiers import notifiers
from telemetry_quality.settings import load_settings, settings_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.settings import Settings, SourceSettings
    from telemetry_quality.sources.sql_source import SqlSource, TimesFound

LOOK_HOURS = 2
"""How many hours a look at the running day usually reads."""

ONE_HOUR = timedelta(hours=1)

TIMES_LOOKED_AT = 10_000
"""How many events are looked at to find out whether their times can be read."""


@click.command()
@click.option("--day", type=DAY, help="The day to count (default: the latest complete day).")
@config_option
@source_option
@json_option
def check(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Compare the settings with the real data: connect, find the columns and count one day."""
    from telemetry_quality.commands.rights import exposures  # noqa: PLC0415 - loads SQLAlchemy

    try:
        settings = load_settings(config)
    except SettingsError as error:
        mistakes = [{"sentence": sentence} for sentence in (str(error), *error.further)]
        return _report([], mistakes, [], [], as_json=as_json)
    names = settings.names(source)
    extensions = _extensions()
    found: list[dict[str, Any]] = []
    mistakes = []
    for name in names:
        try:
            found.append(_checked(name, settings.sources[name], day) | _other_rules(settings, name))
        except SourceError as error:
            mistakes += [_mistake(name, one) for one in (error, *error.further)]
    mistakes += _mistakes_of_channels(settings)
    exposed = exposures(settings, settings_file(config), os.environ.get("DAGSTER_HOME"))
    code = _report(found, mistakes, extensions, exposed, as_json=as_json)
    if not mistakes and not as_json:
        next_step(*_next(settings, found), config=config)
    return code


def _next(settings: Settings, found: list[dict[str, Any]]) -> Sequence[str]:
    """The command to type when the settings fit the events."""
    if any(checked["store_error"] for checked in found):
        return ["migrate"]
    store, now = open_store(settings), utc_now()
    for name in (checked["source"] for checked in found):
        if gaps_of(settings, store, name, now).missing:
            return ["backfill", "--missing", "--source", name]
    return ["health"]


def _report(
    found: list[dict[str, Any]],
    mistakes: list[dict[str, str]],
    extensions: list[dict[str, str]],
    exposed: list[str],
    *,
    as_json: bool,
) -> int:
    """Show what was found, and every mistake; return the exit code."""
    if as_json:
        error = {"error": {"sentence": mistakes[0]["sentence"]}} if mistakes else {}
        print_json({"sources": found, "mistakes": mistakes, "extensions": extensions, "exposed": exposed, **error})
    else:
        for extension in extensions:
            write("The {kind} {name} is of {package} {version}.".format_map(extension))
        for checked in found:
            _print_checked(checked)
        for sentence in exposed:
            write(sentence, lead=["! "])
    for mistake in mistakes:
        write(f"Error: {mistake['sentence']}", stderr=True)
    return EXIT_UNKNOWN if mistakes else EXIT_HEALTHY


def _extensions() -> list[dict[str, str]]:
    """The extensions of other packages.

    Raises:
        SettingsError: If an extension cannot be used, even if no source uses it.
    """
    connectors()
    guardrails()
    notifiers()
    rules = tuple(rule.name for rule in GUARDRAILS)
    built_in = {"connector": BUILT_IN, "guardrail": rules, "notifier": NOTIFIERS}
    found = [extension for kind, names in built_in.items() for extension in find_extensions(kind, names).values()]
    return [{name: getattr(extension, name) for name in ("kind", "name", "package", "version")} for extension in found]


def _mistakes_of_channels(settings: Settings) -> list[dict[str, str]]:
    """What keeps channels from sending; nothing is sent."""
    from telemetry_quality.notifications.process import check_in_process  # noqa: PLC0415 - few settings have channels

    mistakes = []
    for name, channel in settings.alerts.items():
        try:
            check_in_process(channel.kind, channel.channel_settings)
        except DeliveryError as error:
            sentence = f"alerts.{name}: {error}"
            mistakes.append({"channel": name, "reason_code": error.reason_code, "sentence": sentence})
    return mistakes


def _mistake(source: str, error: SourceError) -> dict[str, str]:
    """A mistake located where the user made it: in the source, or in its table of roles."""
    is_in_rates = str(error).startswith("rates.") or str(error).startswith("where ")
    is_in_roles = error.reason_code in {"COLUMN_MISSING", "COLUMN_TYPE", "EXPRESSION_INVALID", "TIMES_UNREADABLE"}
    place = "." if is_in_roles and is_in_rates else ".roles." if is_in_roles else ": "
    return {"source": source, "reason_code": error.reason_code, "sentence": f"sources.{source}{place}{error}"}


def _checked(name: str, settings: SourceSettings, day: date | None) -> dict[str, Any]:
    from telemetry_quality.sources.columns import fitted, role_expressions  # noqa: PLC0415 - loads SQLAlchemy

    calendar, now = settings.calendar(), utc_now()
    day = day or calendar.latest_day(now)
    holiday_calendar(settings.policy()[HOLIDAYS], day.year)
    calendar.require(day, now)
    events = open_source(name, settings)
    columns = events.columns()
    times = _looked_at(events.look_at_times(TIMES_LOOKED_AT))
    window = calendar.window(day)
    (scan,) = events.scan_days([window], settings.policy()[SAMPLE_SIZE])
    if isinstance(scan, UnreadableDay):
        raise SourceError(scan.reason_code, scan.reason)
    totals, absent = scan.aggregates.totals(), scan.absent_roles
    schema = fitted(events.schema, columns).without(absent)
    full_scan = events.full_scan(window)
    return {
        "source": name,
        "roles": [
            {"role": role, "column": text, "type": columns[text].type_name if text in columns else "condition"}
            for role, text in role_expressions(schema)
        ]
        + [{"role": role, "column": None, "type": None} for role in _left_out(events.schema, absent)],
        "times": [_time_as_json(found) for found in times],
        "day": day.isoformat(),
        "total_events": totals.events,
        "error_events": None if "is_error" in absent else totals.errors,
        "error_unknown_events": totals.error_unknown_events,
        "missing_version_events": None if "service_version" in absent else totals.missing_version,
        "missing_critical_fields": scan.aggregates.missing_critical(),
        "late_events": totals.late_events,
        "rates": {
            rate.name: rate.as_json(scan.aggregates.rate_counts(), totals.events) for rate in events.schema.rates
        },
        "sample_size": len(scan.sample),
        "signals": {signal: part.events for signal, part in list(scan.aggregates.by_signal().items())[:10]},
        "dimensions": {column: dict(events.frequent_values(column, window, 5)) for column in events.schema.dimensions},
        "holds_up_writers": events.holds_up_writers(),
        "intraday": _hours(events, window) if settings.intraday else None,
        "full_scan": full_scan and {"relation": full_scan.relation, "create_index": full_scan.create_index},
    }


def _hours(events: SqlSource[Any], window: DayWindow) -> dict[str, Any]:
    """Whether hours of the running day can be asked for, by hours in the middle of the day."""
    middle = (window.end - window.start) // ONE_HOUR // 2 * ONE_HOUR
    hours = DayWindow(window.day, window.start + middle, window.start + middle + LOOK_HOURS * ONE_HOUR)
    reason = events.costly_hours(hours)
    return {"is_cheap": reason is None, "reason": reason}


def _left_out(schema: EventSchema, absent: Collection[str]) -> list[str]:
    """The roles that nothing plays although the settings name them, or although guardrails judge by them."""
    judged = {"service_version", "is_error"}
    return [role for role in OPTIONAL_ROLES if role in absent and (role in judged or getattr(schema, role) is not None)]


def _looked_at(times: list[TimesFound]) -> list[TimesFound]:
    """The times, unless none of a role can be read."""
    mistakes = [
        SourceError(
            "TIMES_UNREADABLE",
            f"{found.role} requires times, but of {found.events:,} values none can be read; "
            "set time_unit or time_format, or name another column.",
        )
        for found in times
        if found.events and not found.readable
    ]
    if mistakes:
        raise SourceError(mistakes[0].reason_code, str(mistakes[0]), mistakes[1:])
    return times


def _time_as_json(found: TimesFound) -> dict[str, Any]:
    return {
        "role": found.role,
        "events": found.events,
        "readable": found.readable,
        "readable_percent": 100 * found.readable / found.events if found.events else None,
        "first": found.first and found.first.isoformat(),
        "last": found.last and found.last.isoformat(),
    }


def _other_rules(settings: Settings, name: str) -> dict[str, Any]:
    """The stored days that were counted by other settings, or why the store does not say."""
    store = open_store(settings)
    try:
        found = other_rules(name, store.counted_days(name), settings.sources[name].counting_rules())
    except StoreError as error:
        return {"other_rules": None, "store_error": str(error)}
    return {"other_rules": found and found.as_json(), "store_error": None}


def _print_checked(found: dict[str, Any]) -> None:
    write(f"{found['source']}: the settings fit the events.")
    for role in found["roles"]:
        what = "none, by choice" if role["column"] is None else f"{role['column']} ({role['type']})"
        write(what, lead=[f"  {role['role']:16} "])
    for times in found["times"]:
        write(_times_words(times), lead=["  "])
    write(f"  On {found['day']}:")
    for name in (
        "total_events",
        "error_events",
        "error_unknown_events",
        "missing_version_events",
        "late_events",
    ):
        number = found[name]
        write(f"    {name:24}{'none' if number is None else f'{number:,}':>14}")
    for group in ("missing_critical_fields", "signals"):
        for value, events in found[group].items():
            write(str(value), lead=[f"    {group:24}{events:>14,}  "])
    for name, rate in found["rates"].items():
        write(_rate_words(name, rate), lead=[f"    {'rates':24}{rate['matching_events'] or 0:>14,}  "])
    for column, values in found["dimensions"].items():
        for value, events in values.items():
            write(str(value), lead=[f"    {column:24}{events:>14,}  "])
    _print_warnings(found)


def _times_words(times: dict[str, Any]) -> str:
    """What was found out about one role, such as ``occurred_at: 98.50 % of 10,000 times can be read, …``."""
    if not times["events"]:
        return f"{times['role']}: there are no events to look at."
    span = f"from {_second(times['first'])} to {_second(times['last'])}"
    words = f"{times['role']}: {times['readable_percent']:.4g} % of {times['events']:,} times can be read, {span}"
    if _is_odd(times):
        return f"! {words}; is time_unit right?"
    return f"{words}." if times["readable"] == times["events"] else f"! {words}; look at the others."


def _second(instant: str | None) -> str:
    return "beyond the calendar" if instant is None else instant[:19].replace("T", " ")


def _is_odd(times: dict[str, Any]) -> bool:
    """Whether all times lie before 1980, as they do if their unit is taken for too small a one, or beyond year 9999."""
    return times["last"] is None or times["last"] < "1980" or times["first"] is None


def _print_warnings(found: dict[str, Any]) -> None:
    if found["other_rules"]:
        write(found["other_rules"]["sentence"], lead=["  ! "])
    if found["store_error"]:
        sentence = f"Whether stored days were counted by these settings is not known: {found['store_error']}"
        write(sentence, lead=["  "])
    if found["holds_up_writers"]:
        write(found["holds_up_writers"], lead=["  ! "])
    if found["intraday"] and found["intraday"]["is_cheap"]:
        write("Hours of the running day can be read without reading far more.", lead=["  "])
    elif found["intraday"]:
        write(found["intraday"]["reason"], lead=["  ! "])
    if found["full_scan"]:
        relation, create_index = found["full_scan"]["relation"], found["full_scan"]["create_index"]
        remedy = "create an index:" if create_index else "index the time its view shows."
        write(f"Each day reads {relation} from end to end; {remedy}", lead=["  ! "])
        if create_index:
            write(create_index, lead=["    "])


def _rate_words(name: str, rate: dict[str, Any]) -> str:
    """``diverted: 1.25 % of 800``."""
    base = f"{rate['base_events'] or 0:,}"
    return f"{name}: none of {base}" if rate["percent"] is None else f"{name}: {rate['percent']:.2f} % of {base}"
