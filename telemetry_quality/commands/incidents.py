"""The command ``telemetry-quality incidents``: what fails together, since when, and what was decided about it.

Exit codes: 0 none is open, or the decision is kept; 1 at least one is open; 2 a mistake.
"""

from __future__ import annotations

import getpass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    config_option,
    day_range,
    json_option,
    print_json,
    say,
    source_option,
)
from telemetry_quality.console import console
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import Action, incidents_of, require_incident
from telemetry_quality.core.visible import visible
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from telemetry_quality.core.incidents import Incident, IncidentAction
    from telemetry_quality.core.ports import QualityStore
    from telemetry_quality.settings import Settings

# Neither level nor state is reported by colour alone: the sign and the word say it too.
LEVEL_SIGNS = {Level.CRITICAL: ("red", "✗"), Level.WARNING: ("yellow", "!"), Level.INFO: ("cyan", "i")}
PAST_TENSE = {
    Action.ACKNOWLEDGE: "acknowledged it",
    Action.MUTE: "muted it",
    Action.CONFIRM: "confirmed it",
    Action.DISMISS: "dismissed it",
}

key_argument = click.argument("key")
note_option = click.option("--note", metavar="TEXT", default="", help="Why, for those who come later.")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""  # a container whose user has no name: asked for by the rejection of an empty one


by_option = click.option("--by", metavar="NAME", default=_login_name, help="Who decides (default: your login name).")


@click.group(invoke_without_command=True)
@click.option("--all", "is_all", is_flag=True, help="Closed incidents too.")
@click.option("--days", type=click.IntRange(1, 10_000), help="All that touch the last N complete days.")
@click.option("--first", type=DAY, help="All that touch a range: its first day.")
@click.option("--last", type=DAY, help="All that touch a range: its last day (default: the latest complete one).")
@config_option
@source_option
@json_option
@click.pass_context
def incidents(  # noqa: PLR0917
    context: click.Context,
    is_all: bool,
    days: int | None,
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """List incidents, newest first: failures of one cause on consecutive days.

    Without options, those still open.
    """
    if days is not None and (first or last):
        raise click.UsageError("--days or --first and --last are required, but both were given.")
    has_range = bool(days or first or last)
    if context.invoked_subcommand is not None:
        if is_all or has_range:
            raise click.UsageError("--all, --days, --first and --last require the list, but a command was given.")
        _hand_on(context, config=config, source=source, as_json=as_json)
        return EXIT_HEALTHY
    settings = load_settings(config)
    store, now = open_store(settings), utc_now()
    found: list[Incident] = []
    for name in [settings.source(source)[0]] if source else settings.sources:
        latest = settings.sources[name].calendar().latest_day(now) if has_range and last is None else last
        found += incidents_of(store, name, *_range(days, first, latest))
    listed = [one for one in found if one.is_open or is_all or has_range]
    listed.sort(key=lambda one: one.first_day, reverse=True)
    if as_json:
        print_json({"incidents": [one.as_json(now.date()) for one in listed]})
    else:
        _print_list(listed, now.date(), has_closed=is_all or has_range)
    return EXIT_NOT_HEALTHY if any(one.is_open for one in listed) else EXIT_HEALTHY


def _range(days: int | None, first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """The first and the last day that are asked for; both None where all incidents are."""
    if last is None:
        return None, None
    begin = last - timedelta(days=days - 1) if days else first
    day_range(begin or last, last)
    return begin, last


@incidents.command()
@key_argument
@config_option
@source_option
@json_option
def show(key: str, config: str | None, source: str | None, as_json: bool) -> int:
    """Show one incident with its days, what failed on each, and what was decided."""
    settings = load_settings(config)
    incident = _incident(open_store(settings), settings, key, source)
    today = utc_now().date()
    if as_json:
        print_json({"incident": incident.as_json(today)})
    else:
        _print_incident(incident, today)
    return EXIT_NOT_HEALTHY if incident.is_open else EXIT_HEALTHY


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def acknowledge(key: str, **options: Any) -> int:
    """Say that somebody looks after it."""
    return _decide(key, Action.ACKNOWLEDGE, **options)


@incidents.command()
@key_argument
@click.option("--until", type=DAY, required=True, help="The last day, in UTC, on which its alerts are not logged.")
@by_option
@note_option
@config_option
@source_option
@json_option
def mute(key: str, until: date | None, **options: Any) -> int:
    """Log none of its alerts until a day; they are kept all the same."""
    return _decide(key, Action.MUTE, until=until or utc_now().date() - ONE_DAY, **options)


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def confirm(key: str, **options: Any) -> int:
    """Say that it was real: later days are no longer compared with its days so far."""
    return _decide(key, Action.CONFIRM, **options)


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def dismiss(key: str, **options: Any) -> int:
    """Say that it was none: takes back an earlier confirmation."""
    return _decide(key, Action.DISMISS, **options)


def _decide(
    key: str,
    action: Action,
    *,
    by: str,
    note: str,
    config: str | None,
    source: str | None,
    as_json: bool,
    until: date | None = None,
) -> int:
    """Keep one decision and say what the incident is now."""
    settings, now = load_settings(config), utc_now()
    store = open_store(settings)
    store.append_incident_action(
        _incident(store, settings, key, source).decide(action, by, now, note=note, muted_until=until)
    )
    incident = _incident(store, settings, key, source)
    words = ", ".join(incident.state_words(now.date()))
    say(as_json, {"incident": incident.as_json(now.date())}, f"{key} is now {words}.")
    return EXIT_HEALTHY


def _hand_on(context: click.Context, **options: Any) -> None:
    """Let options before the command's name count as if they stood behind it."""
    given = {name: value for name, value in options.items() if value}
    context.default_map = {context.invoked_subcommand or "": given}


def _incident(store: QualityStore, settings: Settings, key: str, source: str | None) -> Incident:
    """The incident called ``key``.

    Raises:
        RequestError: If there is none.
    """
    name, _, rest = key.partition("/")
    if name not in settings.sources or (source is not None and source != name):
        wanted = [source] if source else list(settings.sources)
        raise RequestError(
            f"An incident's key such as {wanted[0]}/2026-03-10 is required, of the source {' or '.join(wanted)}, "
            f"but {key!r} was found; telemetry-quality incidents --all lists them."
        )
    try:
        day = date.fromisoformat(rest.partition(".")[0])
    except ValueError:
        return require_incident([], key)
    return require_incident(incidents_of(store, name, day, day), key)


def _print_list(listed: Sequence[Incident], today: date, *, has_closed: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - late: JSON readers do not need it

    if not listed:
        click.echo("No incident." if has_closed else "No open incident; --all lists the closed ones.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("incident", "days", "level"):
        table.add_column(heading, no_wrap=True)
    for heading in ("state", "guardrails", "root cause", "at its peak"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        table.add_row(
            one.key,
            _days(one),
            _level(one.level),
            _state(one, today),
            _text(", ".join(one.guardrails)),
            _text(one.root_cause),
            _text(f"{one.peak.day} {one.peak.sentence}"),
        )
    console().print(table)


def _print_incident(incident: Incident, today: date) -> None:
    from rich.table import Table  # noqa: PLC0415

    peak, out = incident.peak, console()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("state", _state(incident, today))
    table.add_row("days", _days(incident))
    table.add_row("level", _level(incident.level))
    table.add_row("guardrails", _text(", ".join(f"{one} ({len(days)})" for one, days in incident.guardrails.items())))
    table.add_row("root cause", _text(incident.root_cause))
    table.add_row("peak", _text(f"{peak.day} {peak.guardrail}: {peak.sentence}"))
    out.print(f"[bold]{incident.key}[/]")
    out.print(table)
    failures = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("day", "level", "guardrail"):
        failures.add_column(heading, no_wrap=True)
    failures.add_column("what happened", overflow="fold")
    for one in incident.failures:
        failures.add_row(str(one.day), _level(one.level), one.guardrail, _text(one.sentence))
    out.print()
    out.print(failures)
    for action in incident.actions:
        out.print(_text(_action_line(action)), soft_wrap=True)


def _action_line(action: IncidentAction) -> str:
    until = f" until {action.until}" if action.action is Action.MUTE else ""
    note = f": {action.note}" if action.note else ""
    return f"{action.acted_at:%Y-%m-%d %H:%M} UTC {action.by} {PAST_TENSE[action.action]}{until}{note}"


def _days(incident: Incident) -> str:
    count = len(incident.days)
    return f"{count} to {incident.last_day}" if count > 1 else "1"


def _level(level: Level) -> Text:
    colour, sign = LEVEL_SIGNS[level]
    return _text(f"{sign} {level.value}", colour)


def _state(incident: Incident, today: date) -> Text:
    colour, sign = ("red", "✗") if incident.is_open else ("green", "✓")
    return _text(f"{sign} {', '.join(incident.state_words(today))}", colour)


def _text(words: str, style: str = "") -> Text:
    """Words as they are: values of events and notes may look like markup or hold control characters."""
    from rich.text import Text  # noqa: PLC0415

    return Text(visible(words), style=style)
