"""The command ``telemetry-quality``.

Exit codes: 0 all days asked for are healthy, 1 at least one is not, 2 at least one is unknown or the command
failed. Without Dagster the commands ``snapshot`` and ``backfill`` do exactly what the assets and the alert
sensor do, so that cron is served too.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality import __version__
from telemetry_quality.assembly import daily_work, open_source, open_store, utc_now
from telemetry_quality.commands.count import count
from telemetry_quality.commands.dashboard import dashboard
from telemetry_quality.commands.incidents import incidents
from telemetry_quality.commands.options import (
    DAY,
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    day_range,
    json_option,
    print_json,
    say,
    source_option,
)
from telemetry_quality.commands.staff import staff
from telemetry_quality.commands.tune import tune
from telemetry_quality.console import console, print_days, print_snapshot, progress
from telemetry_quality.core.alerts import Alert, alerts_of, tell
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot, unknown_day_as_json
from telemetry_quality.core.special_days import holiday_calendar
from telemetry_quality.errors import SettingsError, SourceError, TelemetryQualityError
from telemetry_quality.settings import DEFAULT_FILE, PRESETS, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.settings import SourceSettings
    from telemetry_quality.storage.store import SqlQualityStore

alert_log = logging.getLogger("telemetry_quality.alerts")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Know whether a day of telemetry can be trusted.

    Exit codes: 0 healthy, 1 not healthy, 2 unknown or failed.
    """
    del debug  # read by main


for command in (count, incidents, tune, dashboard, staff):
    cli.add_command(command)


@cli.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Use the field names of a well-known format.")
@config_option
@json_option
def init(preset: str | None, config: str | None, as_json: bool) -> int:
    """Write a settings file to start from; an existing one is never overwritten."""
    file = Path(config or DEFAULT_FILE)
    text = (Path(__file__).with_name("starter") / "telemetry.toml").read_text(encoding="utf-8")
    if preset is not None:
        before, _, rest = text.partition("[sources.web.roles]")
        guardrails = rest[rest.index("[sources.web.guardrails]") :]
        chosen = before.replace('# preset = "opentelemetry"       #', f'preset = "{preset}"  #')
        text = f"{chosen}[sources.web.roles]  # beyond the preset's\n\n{guardrails}"
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise SettingsError(
            f"init requires a new file, but {file} exists; remove it or pass another name with --config."
        ) from None
    except OSError as error:
        raise SettingsError(f"init requires a folder it may write to, but for {file} {error.strerror}.") from None
    say(
        as_json,
        {"file": str(file)},
        f"Wrote {file}. Name your columns in it, then run telemetry-quality check.",
    )
    return EXIT_HEALTHY


@cli.command()
@click.option("--day", type=DAY, help="The day to count (default: the latest complete one).")
@config_option
@source_option
@json_option
def check(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Compare the settings with the real data: connect, find the columns, count one day."""
    settings = load_settings(config)
    names = [settings.source(source)[0]] if source else list(settings.sources)
    found = []
    for name in names:
        try:
            found.append(_checked(name, settings.sources[name], day))
        except SourceError as error:
            is_role = error.reason_code in {"COLUMN_MISSING", "COLUMN_TYPE", "PREDICATE_INVALID"}
            raise SettingsError(f"sources.{name}{'.roles.' if is_role else ': '}{error}") from None
    if as_json:
        print_json({"sources": found})
    else:
        for one in found:
            _print_checked(one)
    return EXIT_HEALTHY


def _checked(name: str, settings: SourceSettings, day: date | None) -> dict[str, Any]:
    from telemetry_quality.sources.columns import column_roles, require_roles  # noqa: PLC0415 - loads SQLAlchemy

    calendar, now = settings.calendar(), utc_now()
    day = day or calendar.latest_day(now)
    holiday_calendar(settings.guardrails.holidays, day.year)
    calendar.require(day, now)
    events = open_source(name, settings)
    columns = events.columns()
    require_roles(events.schema, columns)
    window = calendar.window(day)
    (reading,) = events.read_days([window], settings.guardrails.sample_size)
    if isinstance(reading, UnreadableDay):
        raise SourceError(reading.reason_code, reading.reason)
    totals = reading.aggregates.totals()
    full_scan = events.full_scan(window)
    return {
        "source": name,
        "roles": [
            {"role": role, "column": column, "type": columns[column].type_name}
            for role, column in column_roles(events.schema)
        ],
        "day": day.isoformat(),
        "total_events": totals.events,
        "error_events": totals.errors,
        "error_unknown_events": totals.error_unknown_events,
        "missing_version_events": totals.missing_version,
        "missing_critical_fields": reading.aggregates.missing_critical(),
        "late_events": totals.late_events,
        "sample_size": len(reading.sample),
        "signals": {signal: part.events for signal, part in list(reading.aggregates.by_signal().items())[:10]},
        "dimensions": {column: dict(events.frequent_values(column, window, 5)) for column in settings.roles.dimensions},
        "holds_up_writers": events.holds_up_writers(),
        "full_scan": full_scan and {"relation": full_scan.relation, "create_index": full_scan.create_index},
    }


def _print_checked(found: dict[str, Any]) -> None:
    out = console()
    out.print(f"[bold]{found['source']}[/]: the settings fit the events.")
    for role in found["roles"]:
        out.print(f"  {role['role']:16} {role['column']} ({role['type']})", markup=False)
    out.print(f"  On {found['day']}:")
    for name in (
        "total_events",
        "error_events",
        "error_unknown_events",
        "missing_version_events",
        "late_events",
    ):
        out.print(f"    {name:24}{found[name]:>14,}")
    for group in ("missing_critical_fields", "signals"):
        for value, events in found[group].items():
            out.print(f"    {group:24}{events:>14,}  {value}", markup=False)
    for column, values in found["dimensions"].items():
        for value, events in values.items():
            out.print(f"    {column:24}{events:>14,}  {value}", markup=False)
    if found["holds_up_writers"]:
        out.print(f"  ! {found['holds_up_writers']}", markup=False, soft_wrap=True)
    if found["full_scan"]:
        relation, create_index = found["full_scan"]["relation"], found["full_scan"]["create_index"]
        remedy = f"create an index:\n    {create_index}" if create_index else "index the time its view shows."
        out.print(f"  ! Each day reads {relation} from end to end; {remedy}", markup=False, soft_wrap=True)


@cli.command()
@click.argument("day", type=DAY)
@config_option
@source_option
@json_option
def snapshot(day: date | None, config: str | None, source: str | None, as_json: bool) -> int:
    """Read and judge one day (2013-02-08, or yesterday) and keep its snapshot."""
    settings = load_settings(config)
    name, its = settings.source(source)
    work = daily_work(settings, name)
    day = day or its.calendar().latest_day(utc_now())
    (taken,) = _take_snapshots(work, [day], is_shown=False)
    if as_json:
        print_json({"days": [_day_as_json(taken.snapshot, taken.verdicts)]})
    else:
        print_snapshot(taken.snapshot, taken.verdicts)
    return _exit_code([taken.snapshot])


@cli.command()
@click.argument("first", type=DAY)
@click.argument("last", type=DAY)
@config_option
@source_option
@json_option
def backfill(
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Read and judge every day from FIRST to LAST, both included."""
    settings = load_settings(config)
    name, its = settings.source(source)
    latest = its.calendar().latest_day(utc_now())
    days = day_range(first or latest, last or latest)
    work = daily_work(settings, name)
    taken = _take_snapshots(work, days, is_shown=not as_json)
    if as_json:
        print_json({"days": [_day_as_json(one.snapshot, one.verdicts) for one in taken]})
    else:
        print_days([(name, one.snapshot.day, one.snapshot, one.verdicts) for one in taken])
    return _exit_code([one.snapshot for one in taken])


@cli.command()
@click.option("--days", type=click.IntRange(1, 10_000), help="The last N complete days (default: 30).")
@click.option("--first", type=DAY, help="The first day of a range.")
@click.option("--last", type=DAY, help="The last day of a range (default: the latest complete one).")
@config_option
@source_option
@json_option
def health(  # noqa: PLR0917
    days: int | None,
    first: date | None,
    last: date | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Show the status of days as the store knows them; nothing is read from the events."""
    if days is not None and (first or last):
        raise click.UsageError("--days or --first and --last are required, but both were given.")
    settings = load_settings(config)
    names = [settings.source(source)[0]] if source else list(settings.sources)
    store, now = open_store(settings), utc_now()
    listed: list[tuple[str, date, TelemetryIntegritySnapshot | None, Sequence[Verdict]]] = []
    for name in names:
        calendar = settings.sources[name].calendar()
        end = last or calendar.latest_day(now)
        # Days before the first are not unknown, they do not exist; who names them is shown them all the same.
        begin = first or max(end - timedelta(days=(days or 30) - 1), min(calendar.first_day, end))
        listed += _known_days(store, name, day_range(begin, end))
    listed.sort(key=lambda line: line[1])
    if as_json:
        print_json(
            {
                "days": [
                    _day_as_json(one, verdicts) if one else {**unknown_day_as_json(name, day), "guardrails": []}
                    for name, day, one, verdicts in listed
                ]
            }
        )
    else:
        print_days(listed)
    return _exit_code([one for _, _, one, _ in listed])


def _known_days(
    store: SqlQualityStore, name: str, days: Sequence[date]
) -> list[tuple[str, date, TelemetryIntegritySnapshot | None, Sequence[Verdict]]]:
    """Each day with what the store knows of it."""
    known = {one.day: one for one in store.snapshots(name, days[0], days[-1])}
    said = store.verdicts(name, days[0], days[-1])
    return [
        (name, day, known.get(day), said.get(day, {}).get(known[day].revision or 0, ()) if day in known else ())
        for day in days
    ]


def _day_as_json(snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """A snapshot with what each guardrail says of it."""
    return {**snapshot.as_json(), "guardrails": [verdict.as_json() for verdict in verdicts]}


@cli.command()
@config_option
@json_option
def verify(config: str | None, as_json: bool) -> int:
    """Find rows of the store that were changed, added or removed behind the program's back."""
    result = open_store(load_settings(config)).verify()
    if as_json:
        print_json(
            {
                "is_intact": not result.findings,
                "rows": result.rows,
                "head_hash": result.head_hash,
                "findings": [{"table": one.table, "row": one.row, "sentence": one.sentence} for one in result.findings],
            }
        )
    else:
        for one in result.findings:
            click.echo(f"{one.table}: {one.sentence}")
        click.echo(f"{result.rows:,} rows looked at, {len(result.findings)} findings; last hash {result.head_hash}.")
    return EXIT_NOT_HEALTHY if result.findings else EXIT_HEALTHY


@cli.command()
@click.option("--check", "only_check", is_flag=True, help="For developers: do migrations and models agree?")
@config_option
@json_option
def migrate(only_check: bool, config: str | None, as_json: bool) -> int:
    """Create the quality store or bring it up to date."""
    from telemetry_quality.storage import migrations  # noqa: PLC0415 - Alembic costs a third of a second

    if only_check:
        found = migrations.differences_of_a_new_store()
        say(
            as_json,
            {"differences": list(map(str, found))},
            "\n".join(map(str, found)) or "Migrations and models agree.",
        )
        return EXIT_UNKNOWN if found else EXIT_HEALTHY
    settings = load_settings(config)
    revision = migrations.migrate(settings.store)
    say(as_json, {"schema_revision": revision}, f"The store has schema {revision}.")
    return EXIT_HEALTHY


@cli.command()
@click.option("--days", type=click.IntRange(1, 365), default=60, show_default=True, help="Days to backfill.")
@click.option("--no-serve", is_flag=True, help="Stop before serving anything.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the Dagster UI.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.option("--dashboard-port", default=3001, show_default=True, help="Port of the health dashboard.")
@config_option
@json_option
def demo(  # noqa: PLR0917
    days: int,
    no_serve: bool,
    host: str,
    port: int,
    dashboard_port: int,
    config: str | None,
    as_json: bool,
) -> int:
    """Put a year of real telemetry in place, backfill its last days in Dagster, serve its UI and the dashboard."""
    from telemetry_quality import demo as stage  # noqa: PLC0415 - loads Dagster

    if not no_serve:
        stage.require_free_ports(host, port, dashboard_port)
    file = stage.prepare(Path(config or DEFAULT_FILE).absolute())
    settings = load_settings(file)
    its = settings.sources[stage.SOURCE]
    latest = its.calendar().latest_day(utc_now())
    wanted = day_range(latest - timedelta(days=days - 1), latest)
    steps = stage.steps_per_day(settings) * days
    with progress(f"Backfilling {days} days", steps, is_shown=not as_json, unit="steps") as advance:
        stage.backfill(settings, wanted, advance)
    known = _known_days(open_store(settings), stage.SOURCE, wanted)
    if as_json:
        print_json({"days": [_day_as_json(one, verdicts) for _, _, one, verdicts in known if one]})
    else:
        print_days(known)
    if no_serve:
        return _exit_code([one for _, _, one, _ in known])
    click.echo(stage.greeting(settings, host, port, dashboard_port, utc_now()), err=True)
    stage.serve(host, port, dashboard_port)
    return EXIT_HEALTHY


def _take_snapshots(work: DailyWork, days: Sequence[date], *, is_shown: bool) -> list[Judgement]:
    """What the assets and the alert sensor do, in their order."""
    now = utc_now()
    with progress("Reading", len(days), is_shown=is_shown) as advance:
        for reading in work.read(days, now):
            advance(1, reading.total_events or 0)
    taken = []
    with progress("Judging", len(days), is_shown=is_shown) as advance:
        for one in work.judge(days, now):
            taken.append(one)
            advance(1)
    alerts = [alert for one in taken for alert in alerts_of(one.snapshot, one.verdicts)]
    tell(work.store, alerts, _log, now)
    return taken


def _log(alert: Alert) -> None:
    alert_log.log(getattr(logging, Level(alert.level).value), alert.line())


def _exit_code(snapshots: Iterable[TelemetryIntegritySnapshot | None]) -> int:
    statuses = {DayStatus.UNKNOWN if one is None else one.status for one in snapshots}
    if not statuses or DayStatus.UNKNOWN in statuses:
        return EXIT_UNKNOWN
    return EXIT_HEALTHY if statuses == {DayStatus.HEALTHY} else EXIT_NOT_HEALTHY


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; a mistake is one sentence on standard error and exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    alert_log.setLevel(logging.INFO)
    try:
        code = cli.main(given, prog_name="telemetry-quality", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        code = _fail(given, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        code = _fail(given, "Interrupted; what was finished is kept, run the same command again for the rest.")
    except TelemetryQualityError as error:
        code = _fail(given, str(error))
    except BrokenPipeError:
        # The reader of our output went away: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_UNKNOWN
    except Exception as error:
        if "--debug" in given:
            raise
        code = _fail(
            given,
            f"telemetry-quality failed by a mistake of its own ({type(error).__name__}: {error}); "
            "run telemetry-quality --debug with the same arguments for the traceback and report it.",
        )
    sys.exit(code)


def _fail(arguments: Sequence[str], sentence: str) -> int:
    if "--json" in arguments:
        print_json({"error": {"sentence": sentence}})
    click.echo(f"Error: {sentence}", err=True)
    return EXIT_UNKNOWN
