"""The command ``telemetry-quality incidents``: lists and shows incidents, and records decisions about them.

Exit codes: 0 no incident is open, or the decision is stored; 1 at least one is open; 2 failed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    Commands,
    config_option,
    day_range,
    json_option,
    list_format,
    login_name,
    print_json,
    print_list,
    say,
    source_option,
)
from telemetry_quality.console import Column, Kind, Part, Styled, next_step, print_listing, write
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import Action, incidents_of, require_incident, worst_first
from telemetry_quality.core.incidents.wording import PAST_TENSE
from telemetry_quality.errors import RequestError, TelemetryQualityError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.incidents import Incident, IncidentAction
    from telemetry_quality.core.ports import QualityStore
    from telemetry_quality.settings import Settings

# Levels and states are never shown by colour alone, but also by a sign and a word.
LEVEL_SIGNS = {Level.CRITICAL: ("red", "✗"), Level.WARNING: ("yellow", "!"), Level.INFO: ("cyan", "i")}

COLUMNS = (
    *(Column("incident"), Column("level"), Column("days", Kind.FACT)),
    *(Column(name, Kind.WORDS) for name in ("state", "guardrails", "root cause", "at its peak")),
)
FAILURE_COLUMNS = (Column("day"), Column("level"), Column("guardrail"), Column("what happened", Kind.WORDS))
CSV_COLUMNS = (
    *("source", "key", "first_day", "last_day", "days", "level", "is_open", "guardrails", "root_cause", "peak"),
    *("assignee", "acknowledged_by", "muted_until", "is_confirmed", "is_dismissed", "is_accepted", "owners"),
)


def _open_keys(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The open incidents that a shell offers; none if the store cannot be read."""
    try:
        settings = load_settings(context.params.get("config"))
        store = open_store(settings)
        found = [incident for name in settings.sources for incident in incidents_of(store, name, None, None)]
    except TelemetryQualityError:
        return []
    return [incident.key for incident in worst_first(found) if incident.is_open and incident.key.startswith(incomplete)]


key_argument = click.argument("key", shell_complete=_open_keys)
note_option = click.option("--note", metavar="TEXT", default="", help="A note for others.")


by_option = click.option("--by", metavar="NAME", default=login_name, help="Who decides (default: your login name).")


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--all", "is_all", is_flag=True, help="Include closed incidents.")
@click.option("--days", type=click.IntRange(1, 10_000), help="Incidents in the last N complete days.")
@click.option("--first", type=DAY, help="Incidents in a range: its first day.")
@click.option("--last", type=DAY, help="Incidents in a range: its last day (default: the latest complete day).")
@config_option
@source_option
@list_format
@click.pass_context
def incidents(  # noqa: PLR0917
    context: click.Context,
    is_all: bool,
    days: int | None,
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    form: str,
) -> int:
    """List incidents, open ones first, then by level: failures with one root cause on consecutive days.

    Without options, only open incidents.
    """
    if days is not None and (first or last):
        raise click.UsageError("Either --days or --first and --last may be given, but not both.")
    has_range = bool(days or first or last)
    if context.invoked_subcommand is not None:
        if is_all or has_range:
            raise click.UsageError("--all, --days, --first and --last apply only to the list, but a command was given.")
        _hand_on(context, config=config, source=source, as_json=form == "json")
        return EXIT_HEALTHY
    settings = load_settings(config)
    store, now = open_store(settings), utc_now()
    found: list[Incident] = []
    for name in [settings.source(source)[0]] if source else settings.sources:
        latest = settings.sources[name].calendar().latest_day(now) if has_range and last is None else last
        found += incidents_of(store, name, *_range(days, first, latest))
    listed = worst_first(incident for incident in found if incident.is_open or is_all or has_range)
    objects = [_as_json(settings, incident, now.date()) for incident in listed]
    has_closed = is_all or has_range
    print_list(form, "incidents", objects, CSV_COLUMNS, lambda: _print_list(listed, now.date(), config, has_closed))
    return EXIT_NOT_HEALTHY if any(incident.is_open for incident in listed) else EXIT_HEALTHY


def _range(days: int | None, first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """The first and the last requested day; both None for all incidents."""
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
    """Show an incident with its failed days, its failures and the decisions about it."""
    settings = load_settings(config)
    incident = _incident(open_store(settings), settings, key, source)
    today = utc_now().date()
    if as_json:
        print_json({"incident": _as_json(settings, incident, today)})
    else:
        _print_incident(incident, today, settings.owners_of(incident.source))
        if incident.is_open and not incident.acknowledged_by:
            next_step("incidents", "acknowledge", incident.key, config=config)
    return EXIT_NOT_HEALTHY if incident.is_open else EXIT_HEALTHY


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def acknowledge(key: str, **options: Any) -> int:
    """Record that somebody is looking after an incident."""
    return _decide(key, Action.ACKNOWLEDGE, **options)


@incidents.command()
@key_argument
@click.option("--to", "assignee", metavar="NAME", required=True, help="Who is to look into it.")
@by_option
@note_option
@config_option
@source_option
@json_option
def assign(key: str, assignee: str, **options: Any) -> int:
    """Record who has an incident, instead of who had it before."""
    return _decide(key, Action.ASSIGN, assignee=assignee, **options)


@incidents.command()
@key_argument
@by_option
@click.option("--note", metavar="TEXT", required=True, help="What others should know.")
@config_option
@source_option
@json_option
def comment(key: str, **options: Any) -> int:
    """Write words about an incident for others, which change nothing."""
    return _decide(key, Action.COMMENT, **options)


@incidents.command()
@key_argument
@click.option(
    "--until",
    type=DAY,
    required=True,
    help="The last day, in UTC, on which its alerts are muted; at most 90 days ahead.",
)
@by_option
@note_option
@config_option
@source_option
@json_option
def mute(key: str, until: date | None, **options: Any) -> int:
    """Log none of an incident's alerts until a day; they are still stored, and the days still fail.

    If what happened was intended, accept it instead: then later days pass.
    """
    return _decide(key, Action.MUTE, until=until or utc_now().date() - ONE_DAY, **options)


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def confirm(key: str, **options: Any) -> int:
    """Confirm that an incident was real: later days are no longer compared with its days so far."""
    return _decide(key, Action.CONFIRM, **options)


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def dismiss(key: str, **options: Any) -> int:
    """Record that it was not an incident; revokes a confirmation or an acceptance."""
    return _decide(key, Action.DISMISS, **options)


@incidents.command()
@key_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def accept(key: str, **options: Any) -> int:
    """Accept an incident as intended: what it found is normal from its first day on.

    Later days are judged by the new level, and nothing more is raised about it.
    """
    return _decide(key, Action.ACCEPT, **options)


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
    assignee: str = "",
) -> int:
    """Store a decision and print the incident's new state."""
    settings, now = load_settings(config), utc_now()
    store = open_store(settings)
    incident = _incident(store, settings, key, source)
    store.append_incident_action(incident.decide(action, by, now, note=note, muted_until=until, assignee=assignee))
    incident = _incident(store, settings, key, source)
    words = ", ".join(incident.state_words(now.date()))
    say(as_json, {"incident": _as_json(settings, incident, now.date())}, f"{key} is now {words}.")
    return EXIT_HEALTHY


def _hand_on(context: click.Context, **options: Any) -> None:
    """Apply options given before the command's name as if they were given after it."""
    given = {name: value for name, value in options.items() if value}
    context.default_map = {context.invoked_subcommand or "": given}


def _incident(store: QualityStore, settings: Settings, key: str, source: str | None) -> Incident:
    """The incident with this key.

    Raises:
        RequestError: If there is no such incident.
    """
    name, _, rest = key.partition("/")
    if name not in settings.sources or (source is not None and source != name):
        wanted = [source] if source else list(settings.sources)
        raise RequestError(
            f"An incident's key such as {wanted[0]}/2026-03-10, of the source {' or '.join(wanted)}, is required, "
            f"but {key!r} was found; telemetry-quality incidents --all lists them."
        )
    try:
        day = date.fromisoformat(rest.partition(".")[0])
    except ValueError:
        return require_incident([], key)
    return require_incident(incidents_of(store, name, day, day), key)


def _print_list(listed: Sequence[Incident], today: date, config: str | None, has_closed: bool) -> None:
    if not listed:
        write("No incidents." if has_closed else "No open incidents; --all lists closed ones too.")
        next_step("health", config=config)
        return
    rows = (
        (
            incident.key,
            _level(incident.level),
            _days(incident),
            _state(incident, today),
            ", ".join(incident.guardrails),
            incident.where,
            f"{incident.peak.day} {incident.peak.sentence}",
        )
        for incident in listed
    )
    print_listing(COLUMNS, rows)
    next_step("incidents", "show", listed[0].key, config=config)


def _as_json(settings: Settings, incident: Incident, today: date) -> dict[str, Any]:
    """All that is known about an incident, with the owners of its source."""
    return {**incident.as_json(today), "owners": list(settings.owners_of(incident.source))}


def _print_incident(incident: Incident, today: date, owners: Sequence[str]) -> None:
    peak = incident.peak
    guardrails = ", ".join(f"{guardrail} ({len(days)})" for guardrail, days in incident.guardrails.items())
    facts: dict[str, Part] = {
        "state": _state(incident, today),
        "owners": ", ".join(owners),
        "days": _days(incident),
        "level": _level(incident.level),
        "guardrails": guardrails,
        "root cause": incident.where,
        "peak": f"{peak.day} {peak.guardrail}: {peak.sentence}",
    }
    write(incident.key)
    for name, fact in facts.items():
        if fact:
            write(fact, lead=[f"{name:12}"])
    write()
    rows = ((str(it.day), _level(it.level), it.guardrail, it.sentence) for it in incident.failures)
    print_listing(FAILURE_COLUMNS, rows)
    for action in incident.actions:
        write(_action_line(action))


def _action_line(action: IncidentAction) -> str:
    whom = f" to {action.assignee}" if action.action is Action.ASSIGN else ""
    until = f" until {action.until}" if action.action is Action.MUTE else ""
    note = f": {action.note}" if action.note else ""
    return f"{action.acted_at:%Y-%m-%d %H:%M} UTC {action.by} {PAST_TENSE[action.action]}{whom}{until}{note}"


def _days(incident: Incident) -> str:
    count = len(incident.days)
    return f"{count} to {incident.last_day}" if count > 1 else "1"


def _level(level: Level) -> Styled:
    colour, sign = LEVEL_SIGNS[level]
    return Styled(f"{sign} {level.value}", colour)


def _state(incident: Incident, today: date) -> Styled:
    colour, sign = ("red", "✗") if incident.is_open else ("green", "✓")
    return Styled(f"{sign} {', '.join(incident.state_words(today))}", colour)
