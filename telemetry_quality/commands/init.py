"""The command ``telemetry-quality init``: a settings file to start from."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import telemetry_quality
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, say
from telemetry_quality.commands.settings_file import Line, rendered, shown
from telemetry_quality.documentation import page
from telemetry_quality.errors import SettingsError, SourceError
from telemetry_quality.settings import DEFAULT_FILE, PRESETS

if TYPE_CHECKING:
    from telemetry_quality.commands.looking import Days, Look, Place
    from telemetry_quality.commands.proposals import Proposal
    from telemetry_quality.settings import Preset

_PLACES = f"# or duckdb, database, clickhouse …: see {page('reference/sources')}"


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Use the roles of a vendor's table.")
@click.option("--from", "location", metavar="PATH|URL", help="Look at events and propose their roles.")
@click.option("--table", help="The table or view that holds the events, with --from.")
@config_option
@json_option
def init(preset: str | None, location: str | None, table: str | None, config: str | None, as_json: bool) -> int:
    """Write a settings file to start from; an existing file is never overwritten."""
    file = Path(config or DEFAULT_FILE)
    _require_new(file)
    if location is None:
        text, said = _starter(preset), "Name your columns in it"
        said = said if preset is None else "Say in it where your events are"
    else:
        text, said = _from(location, table, preset, file)
    _write(file, text)
    say(as_json, {"file": str(file)}, f"Wrote {file}. {said}, then run telemetry-quality check.")
    return EXIT_HEALTHY


def _require_new(file: Path) -> None:
    if file.exists():
        raise SettingsError(
            f"init requires a new file, but {file} exists; remove it or pass another name with --config."
        )


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise SettingsError(
            f"init requires a writable folder, but {file} could not be written: {error.strerror}."
        ) from None


def _starter(preset: str | None) -> str:
    """The file to start from; with a preset, its roles are those of the preset."""
    text = (Path(telemetry_quality.__file__).with_name("starter") / "telemetry.toml").read_text(encoding="utf-8")
    if preset is None:
        return text
    chosen = PRESETS[preset]
    before, _, rest = text.partition("[sources.web.roles]")
    guardrails = rest[rest.index("[sources.web.guardrails]") :]
    before = re.sub(r"^# preset = .*$", rendered([_preset_line(preset)]).strip(), before, flags=re.MULTILINE)
    before = re.sub(r"^(connector = .*?) *#.*$", rf"\1            {_PLACES}", before, flags=re.MULTILINE)
    table = f'# table = "{chosen.table}"'
    before = re.sub(r"^(path = .*)$", rf"\1\n{table:32} # of a database or DuckDB file", before, flags=re.MULTILINE)
    if "time_unit" in chosen.settings:
        before = re.sub(r"^# time_unit = .*\n", "", before, flags=re.MULTILINE)
    return f"{before}{_preset_roles('web', chosen)}\n{guardrails}"


def _preset_line(preset: str) -> Line:
    return Line("preset", preset, PRESETS[preset].title)


def _preset_roles(source: str, preset: Preset) -> str:
    """The table of roles, whose lines say what the preset takes and what else to write."""
    lines = [
        *(Line(role, preset.example(role), preset.advice.get(role, ""), is_active=False) for role in preset.layouts),
        Line("critical_fields", [], "columns that must have a value", is_active=False),
        Line("dimensions", [], "columns such as platform or country, to look for root causes", is_active=False),
    ]
    return (
        f"[sources.{source}.roles]\n"
        f"# The preset plays the roles below, in whichever layout of the table it finds ({preset.page}).\n"
        "# To have a role played by something else, remove the # and write a column or an expression.\n\n"
        f"{rendered(lines)}"
    )


def _from(location: str, table: str | None, preset: str | None, file: Path) -> tuple[str, str]:
    """The text of the file for events that exist, and what to do next."""
    from telemetry_quality.commands.looking import days_with_events, look_at, place_of  # noqa: PLC0415 - loads engines
    from telemetry_quality.commands.proposals import Proposal, propose  # noqa: PLC0415

    try:
        place = place_of(location, table)
        look = look_at(place)
    except SourceError as error:
        raise SettingsError(f"--from: {error}") from None
    proposal = (
        propose(look.columns, look.sights) if preset is None else Proposal(preset, settings=PRESETS[preset].settings)
    )
    roles = {} if proposal.preset else {role: guess.text for role, guess in proposal.roles.items()}
    more: dict[str, Any] = {**proposal.settings, **({"preset": proposal.preset} if proposal.preset else {})}
    days = days_with_events(place, _complete(roles), **more) if proposal.is_complete else None
    return _proposed(place.anchored(file.parent), look, proposal, days), _next_step(place, proposal)


def _complete(roles: dict[str, str]) -> dict[str, str]:
    return {"service_version": "NULL", "is_error": "NULL", **roles} if roles else {}


def _next_step(place: Place, proposal: Proposal) -> str:
    todo = ["Read what it says of each role"]
    if place.secret_url is not None:
        todo.append("set the URL with its password in TELEMETRY_QUALITY_SOURCES__EVENTS__URL")
    lacking = [role for role in ("occurred_at", "event_name") if role in proposal.missing]
    if lacking and not proposal.is_complete:
        return f"No column was found for {' and '.join(lacking)}: name one in the file; {', '.join(todo).lower()}"
    return ", ".join(todo)


_HEAD = """\
# Settings of telemetry-quality, proposed from {looked_at}. What is guessed says so: read each line.
# `telemetry-quality check` compares them with your events.
# All settings: {settings}

store = "sqlite:///telemetry_quality.db"

[sources.events]
"""

_GUARDRAILS = """
[sources.events.guardrails]      # a day fails beyond these thresholds
error_rate_percent = 5           # CRITICAL above
missing_version_percent = 1      # WARNING above
volume_deviation_percent = 30    # INFO beyond
sample_success_percent = 99      # WARNING below
"""


def _proposed(place: Place, look: Look, proposal: Proposal, days: Days | None) -> str:
    lines = [Line(key, value, _PLACE_COMMENTS.get(key, "")) for key, value in place.keys.items()]
    if place.secret_url is not None:
        lines.append(Line("url", None, "with its password, set TELEMETRY_QUALITY_SOURCES__EVENTS__URL or PGPASSWORD"))
    lines += [Line("time_zone", "UTC", "the zone whose midnight ends a day"), *_day_lines(days)]
    if proposal.preset is not None:
        lines.append(_preset_line(proposal.preset))
    else:
        lines += [Line(key, value, "guessed by the size of the numbers") for key, value in proposal.settings.items()]
    head = _HEAD.format(settings=page("reference/settings"), looked_at=f"{look.events:,} events")
    roles = _preset_roles("events", PRESETS[proposal.preset]) if proposal.preset else _guessed_roles(proposal)
    return f"{head}{rendered(lines)}\n{roles}{_GUARDRAILS}"


_PLACE_COMMENTS = {"table": "the table or view of the events"}


def _day_lines(days: Days | None) -> list[Line]:
    if days is None or days.first is None or days.last is None:
        why = shown(days.trouble) if days is not None and days.trouble else "no day with events was found"
        return [Line("first_day", _today() - timedelta(days=1), f"the first day to judge; {why}")]
    since = "events go back further: set the first day to judge" if days.is_cut else "the first day that has events"
    lines = [Line("first_day", days.first, since)]
    if (_today() - days.last).days > 1:
        lines.append(Line("last_day", days.last, "the last day that has events; remove this line if more will come"))
    return lines


def _today() -> Any:
    from telemetry_quality.assembly import utc_now  # noqa: PLC0415

    return utc_now().date()


_ROLES = ("event_id", "occurred_at", "observed_at", "event_name", "service_version", "is_error")


def _guessed_roles(proposal: Proposal) -> str:
    lines = []
    for role in _ROLES:
        guess = proposal.roles.get(role)
        if guess is not None:
            lines.append(Line(role, guess.text, guess.why))
        elif role in {"service_version", "is_error"}:
            lines.append(Line(role, "NULL", proposal.missing[role]))
        else:
            lines.append(Line(role, None, proposal.missing[role]))
    dimensions = list(proposal.dimensions)
    lines += [
        Line("critical_fields", [], "columns that must have a value", is_active=False),
        Line("dimensions", dimensions, "columns in which to look for root causes", is_active=bool(dimensions)),
    ]
    return f"[sources.events.roles]           # which column or expression plays which role\n{rendered(lines)}"
