"""The command ``telemetry-quality days``: lists what is known of days, says what they were, and withdraws it.

Exit codes: 0 done; 2 failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.incidents import by_option, note_option
from telemetry_quality.commands.known_days import Asked, known_days_options, print_known
from telemetry_quality.commands.options import (
    DAY_OR_RANGE,
    EXIT_HEALTHY,
    Commands,
    config_option,
    json_option,
    list_format,
    print_list,
    say,
    source_option,
)
from telemetry_quality.console import Column, Kind, print_listing, write
from telemetry_quality.core.known_days import DAY_COLUMNS
from telemetry_quality.core.marks import Mark, MarkedDays, mark_days, marks_of
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

COLUMNS = (
    *(Column("source"), Column("days"), Column("mark")),
    *(Column("by", Kind.WORDS), Column("on", Kind.FACT), Column("note", Kind.WORDS)),
)

CSV_COLUMNS = ("source", "day", "until", "mark", "by", "note", "marked_at")

days_argument = click.argument("days", metavar="DAY|FIRST...LAST", type=DAY_OR_RANGE)


@click.group(cls=Commands, invoke_without_command=True)
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in DayStatus]),
    multiple=True,
    help="Only this status; may be repeated.",
)
@click.option("--trusted", "is_trusted", is_flag=True, help="Only days that can be trusted.")
@known_days_options
@click.pass_context
def days(context: click.Context, /, statuses: tuple[str, ...], is_trusted: bool, **asked: Any) -> int:
    """List judged days, as known now or --as-of an instant, or say what days were: bad, special or accepted."""
    if context.invoked_subcommand is None:
        wanted = Asked(**asked)
        found = [day for day in wanted.load() if not statuses or day.snapshot.status in statuses]
        found = [day for day in found if day.is_trusted or not is_trusted]
        if wanted.is_table:
            print_known(found)
        else:
            wanted.write(DAY_COLUMNS, found)
    return EXIT_HEALTHY


@days.command()
@days_argument
@click.option("--bad", "is_bad", is_flag=True, help="Its events are wrong: no day is compared with it.")
@click.option("--special", "is_special", is_flag=True, help="Like no ordinary day: judged apart, and not learnt from.")
@click.option("--accepted", "is_accepted", is_flag=True, help="Can be trusted as it is; nothing more is raised.")
@by_option
@note_option
@config_option
@source_option
@json_option
def mark(  # noqa: PLR0917
    days: tuple[date, date],
    is_bad: bool,
    is_special: bool,
    is_accepted: bool,
    by: str,
    note: str,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Mark a day, or the days FIRST...LAST, judged or not, as --bad, --special or --accepted."""
    given = {Mark.BAD: is_bad, Mark.SPECIAL: is_special, Mark.ACCEPTED: is_accepted}
    chosen = [kind for kind, is_given in given.items() if is_given]
    if len(chosen) != 1:
        raise click.UsageError("One of --bad, --special and --accepted is required.")
    return _say(days, chosen[0], by=by, note=note, config=config, source=source, as_json=as_json)


@days.command()
@days_argument
@by_option
@note_option
@config_option
@source_option
@json_option
def unmark(  # noqa: PLR0917
    days: tuple[date, date], by: str, note: str, config: str | None, source: str | None, as_json: bool
) -> int:
    """Withdraw the marks of a day, or of the days FIRST...LAST; what was said stays in the store."""
    return _say(days, None, by=by, note=note, config=config, source=source, as_json=as_json)


@days.command("list")
@click.option("--all", "is_all", is_flag=True, help="Include what was replaced or withdrawn.")
@config_option
@source_option
@list_format
def list_(is_all: bool, config: str | None, source: str | None, form: str) -> int:
    """List the marks in force, by day."""
    settings = load_settings(config)
    store = open_store(settings)
    names = settings.names(source)
    said = [marked for name in names for marked in _said(store.marked_days(name), is_all=is_all)]
    said.sort(key=lambda marked: (marked.day, marked.marked_at))
    objects = [marked.as_json() for marked in said]
    print_list(form, "marks", objects, CSV_COLUMNS, lambda: _print(said))
    return EXIT_HEALTHY


def _say(
    days: tuple[date, date],
    kind: Mark | None,
    *,
    by: str,
    note: str,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Store what somebody says about days."""
    settings = load_settings(config)
    name, _ = settings.source(source)
    store = open_store(settings)
    if kind is None:
        _require_marks(store.marked_days(name), days)
    said = mark_days(name, days, kind, by, utc_now(), note=note)
    store.append_marked_days(said)
    later = " It affects what is judged from now on: telemetry-quality backfill judges days again."
    if kind is Mark.ACCEPTED:
        later = ""
    say(as_json, {"mark": said.as_json()}, f"{_days(said)} of {name}: {said.words}.{later}")
    return EXIT_HEALTHY


def _require_marks(said: Sequence[MarkedDays], days: tuple[date, date]) -> None:
    """Refuse to withdraw what was never said."""
    first, last = days
    if not any(first <= day <= last for day in marks_of(said)):
        raise RequestError(
            f"A marked day is required, but no day of {first}...{last} is; telemetry-quality days list shows them."
        )


def _said(said: Sequence[MarkedDays], *, is_all: bool) -> list[MarkedDays]:
    """All that was said, or that which still counts for at least one day."""
    if is_all:
        return list(said)
    in_force = {id(marked) for marked in marks_of(said).values()}
    return [marked for marked in said if id(marked) in in_force]


def _print(said: Sequence[MarkedDays]) -> None:
    if not said:
        write("No days are marked.")
        return
    rows = ((it.source, _days(it), it.mark or "unmarked", it.by, str(it.marked_at.date()), it.note) for it in said)
    print_listing(COLUMNS, rows)


def _days(marked: MarkedDays) -> str:
    return str(marked.day) if marked.day == marked.until else f"{marked.day}...{marked.until}"
