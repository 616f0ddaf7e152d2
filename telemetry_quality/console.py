"""The command line's output for people: tables and progress bars."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

import click

from telemetry_quality.core.guardrails.said_once import said_once, young_days
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.metrics import MAIN, Unit
from telemetry_quality.core.progress import Pace
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from rich.console import Console

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.metrics import Metric


class ListedDay(NamedTuple):
    """A day of a source as a command shows it; without a snapshot if the store has none."""

    source: str
    day: date
    snapshot: TelemetryIntegritySnapshot | None
    verdicts: Sequence[Verdict]
    mark: MarkedDays | None = None


# A status is never shown by colour alone, but also by a sign and a word.
STATUS_SIGNS = {
    DayStatus.HEALTHY: ("green", "✓"),
    DayStatus.DEGRADED: ("yellow", "!"),
    DayStatus.UNHEALTHY: ("red", "✗"),
    DayStatus.NO_ACTIVITY: ("red", "0"),
    DayStatus.UNKNOWN: ("magenta", "?"),
}
OUTCOME_SIGNS = {Outcome.PASSED: ("green", "✓"), Outcome.FAILED: ("red", "✗"), Outcome.UNKNOWN: ("magenta", "?")}

LINE_SECONDS = 10
"""How often a line of progress is written to a file or a mail, which cannot show a bar."""


def console(*, stderr: bool = False) -> Console:
    """A Rich console for the terminal, or for a plain stream without one."""
    from rich.console import Console  # noqa: PLC0415 - late: JSON readers do not need it

    terminal = Console(stderr=stderr, highlight=False)
    # A file or a cron mail has no width, so tables must not be cut to fit.
    return terminal if terminal.is_terminal else Console(stderr=stderr, highlight=False, width=160)


class Advance(Protocol):
    """A function that advances the progress."""

    def __call__(self, steps: int, events: int = 0, /) -> None:
        """Report that ``steps`` more steps are done, for which ``events`` events were read."""
        ...


@contextmanager
def progress(what: str, total: int, *, is_shown: bool, unit: str = "days") -> Iterator[Advance]:
    """Show progress on standard error, as a bar or as lines now and then; yields the function that advances it."""
    pace = Pace(total, monotonic, unit)
    if not is_shown:
        yield pace.advance
        return
    out = console(stderr=True)
    with _bar(out, what, pace) if out.is_terminal else _lines(out, what, pace) as advance:
        yield advance


@contextmanager
def _lines(out: Console, what: str, pace: Pace) -> Iterator[Advance]:
    said_at = monotonic()

    def say() -> None:
        out.print(f"{what}: {pace.sentence()}", markup=False, soft_wrap=True)

    def advance(steps: int, events: int = 0) -> None:
        nonlocal said_at
        pace.advance(steps, events)
        if monotonic() - said_at >= LINE_SECONDS and pace.done < pace.total:
            said_at = monotonic()
            say()

    yield advance
    say()


@contextmanager
def _bar(out: Console, what: str, pace: Pace) -> Iterator[Advance]:
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(what, total=pace.total, speed="")

        def advance(steps: int, events: int = 0) -> None:
            pace.advance(steps, events)
            read = f"{pace.events:,} events, " if pace.events else ""
            bar.update(task, advance=steps, speed=read + pace.rate())

        yield advance


def print_days(days: Iterable[ListedDay]) -> None:
    """Print one line per source and day: status, numbers and failed guardrails."""
    from rich.markup import escape  # noqa: PLC0415 - late: JSON readers do not need it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("source", "day", "status"):
        table.add_column(heading, no_wrap=True)
    for metric in SHOWN:
        table.add_column(metric.label.lower(), justify="right", no_wrap=True)
    table.add_column("guardrails that failed")
    judged: defaultdict[str, list[tuple[date, Sequence[Verdict]]]] = defaultdict(list)
    for source, day, snapshot, verdicts, mark in days:
        *cells, failed = _cells(snapshot, verdicts)
        said = "" if mark is None else visible(mark.words)
        table.add_row(source, str(day), *cells, escape("; ".join(words for words in (failed, said) if words)))
        judged[source].append((day, verdicts))
    console().print(table)
    for source, of_source in judged.items():
        if sentence := young_days(of_source):
            console().print(f"{source}: {sentence}", markup=False, highlight=False, soft_wrap=True)


def print_snapshot(
    snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict], mark: MarkedDays | None = None
) -> None:
    """Print a day with what somebody said about it, and the sentence of every guardrail."""
    colour, sign = STATUS_SIGNS[snapshot.status]
    status = click.style(f"{sign} {snapshot.status}", fg=colour)
    click.echo(f"{snapshot.source} {snapshot.day}, revision {snapshot.revision}: {status}")
    if mark is not None:
        click.echo(visible(f"  {mark.sentence}"))
    if snapshot.unreadable_reason is not None:
        click.echo(visible(f"  {snapshot.unreadable_reason_code}: {snapshot.unreadable_reason}"))
        return
    for names, sentence, verdict in said_once(verdicts):
        colour, sign = OUTCOME_SIGNS[verdict.outcome]
        # Several names are in the sentence already.
        name = verdict.guardrail if names == verdict.guardrail else "not judged"
        click.echo(f"  {click.style(sign, fg=colour)} {name:16}{visible(sentence)}")


SHOWN = tuple(metric for metric in MAIN if metric.unit is not Unit.SIGNED_PERCENT)
"""The numbers in each line of the table."""


def _cells(snapshot: TelemetryIntegritySnapshot | None, verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    if snapshot is None:
        return (_status(DayStatus.UNKNOWN), *("" for _ in SHOWN), "no snapshot")
    numbers = (_number(metric, snapshot.number(metric.name)) for metric in SHOWN)
    failed = [f"{verdict.guardrail} {verdict.level}" for verdict in verdicts if verdict.outcome is Outcome.FAILED]
    return (_status(snapshot.status), *numbers, snapshot.unreadable_reason_code or ", ".join(failed))


def _status(status: DayStatus) -> str:
    colour, sign = STATUS_SIGNS[status]
    return f"[{colour}]{sign} {status}[/]"


def _number(metric: Metric, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{metric.digits}f} %" if metric.is_share else f"{value:,.0f}"
