"""Days on the terminal: one line per day, or one day with the sentence of every guardrail."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.console.lines import Part, Styled, write
from telemetry_quality.console.listing import Column, Kind, print_listing
from telemetry_quality.core.guardrails.said_once import said_once, young_days
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.metrics import MAIN, Unit
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

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

    @property
    def status(self) -> DayStatus:
        """The status of the snapshot; unknown without one."""
        return DayStatus.UNKNOWN if self.snapshot is None else self.snapshot.status

    @property
    def what_failed(self) -> str:
        """The guardrails that failed with their levels, or why there are none."""
        if self.snapshot is None:
            return "no snapshot"
        failed = [f"{it.guardrail} {it.level}" for it in self.verdicts if it.outcome is Outcome.FAILED]
        return self.snapshot.unreadable_reason_code or ", ".join(failed)


# A status is never shown by colour alone, but also by a sign and a word.
STATUS_SIGNS = {
    DayStatus.HEALTHY: ("green", "✓"),
    DayStatus.DEGRADED: ("yellow", "!"),
    DayStatus.UNHEALTHY: ("red", "✗"),
    DayStatus.NO_ACTIVITY: ("red", "0"),
    DayStatus.UNKNOWN: ("magenta", "?"),
}
OUTCOME_SIGNS = {Outcome.PASSED: ("green", "✓"), Outcome.FAILED: ("red", "✗"), Outcome.UNKNOWN: ("magenta", "?")}

SHOWN = tuple(metric for metric in MAIN if metric.unit is not Unit.SIGNED_PERCENT)
"""The numbers in each line of the list."""

COLUMNS = (
    Column("source"),
    Column("day"),
    Column("status"),
    *(Column(metric.label.lower(), Kind.NUMBER) for metric in SHOWN),
    Column("guardrails that failed", Kind.WORDS),
)


def print_days(days: Iterable[ListedDay]) -> None:
    """Print one line per source and day: status, numbers and failed guardrails."""
    listed = list(days)
    print_listing(COLUMNS, map(_cells, listed))
    judged: defaultdict[str, list[tuple[date, Sequence[Verdict]]]] = defaultdict(list)
    for line in listed:
        judged[line.source].append((line.day, line.verdicts))
    for source, of_source in judged.items():
        if sentence := young_days(of_source):
            write(f"{source}: {sentence}")


def print_snapshot(
    snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict], mark: MarkedDays | None = None
) -> None:
    """Print a day with what somebody said about it, and the sentence of every guardrail."""
    write(f"{snapshot.source} {snapshot.day}, revision {snapshot.revision}: ", _status(snapshot.status))
    if mark is not None:
        write(mark.sentence, lead=["  "])
    if snapshot.unreadable_reason is not None:
        write(f"{snapshot.unreadable_reason_code}: {snapshot.unreadable_reason}", lead=["  "])
        return
    for names, sentence, verdict in said_once(verdicts):
        colour, sign = OUTCOME_SIGNS[verdict.outcome]
        # Several names are in the sentence already.
        name = verdict.guardrail if names == verdict.guardrail else "not judged"
        write(sentence, lead=["  ", Styled(sign, colour), f" {name:16}"])


def _cells(line: ListedDay) -> list[Part]:
    numbers = ("" if line.snapshot is None else _number(metric, line.snapshot.number(metric.name)) for metric in SHOWN)
    said = "" if line.mark is None else line.mark.words
    words = "; ".join(filter(None, (line.what_failed, said)))
    return [line.source, str(line.day), _status(line.status), *numbers, words]


def _status(status: DayStatus) -> Styled:
    colour, sign = STATUS_SIGNS[status]
    return Styled(f"{sign} {status}", colour)


def _number(metric: Metric, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{metric.digits}f} %" if metric.is_share else f"{value:,.0f}"
