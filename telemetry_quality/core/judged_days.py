"""The days of a run in one line: how many are healthy, which are not, and what is wrong with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.clipping import ELLIPSIS
from telemetry_quality.core.incidents.grouping import failures_of
from telemetry_quality.core.incidents.model import severity
from telemetry_quality.core.incidents.wording import failure_words
from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

MOST_NAMED = 10
"""The days that a line names; pages have all of them."""

LONGEST_WORDS = 120
"""The characters of what is wrong with a day: whatever a name of an event or an error message adds is cut."""


class JudgedDays:
    """What a run found, day by day."""

    def __init__(self) -> None:
        self._healthy = 0
        self._others = 0
        self._named: list[str] = []

    def add(self, snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict]) -> None:
        """Count a day; the first that are not healthy are kept with what is wrong with them."""
        if snapshot.is_healthy():
            self._healthy += 1
            return
        self._others += 1
        if len(self._named) < MOST_NAMED:
            self._named.append(f"{snapshot.day} {_wrong(snapshot, verdicts)}")

    def sentence(self, verb: str) -> str:
        """``20 days judged: 18 healthy, 2 not: 2013-03-06 error rate 18.50 % (limit 5 %); 2013-03-08 …``."""
        total = self._healthy + self._others
        words = f"{total} day{'' if total == 1 else 's'} {verb}: {self._healthy} healthy"
        if not self._others:
            return f"{words}."
        more = self._others - len(self._named)
        named = [*self._named, *([f"and {more} more"] if more else [])]
        return f"{words}, {self._others} not: {'; '.join(named)}."


def _wrong(snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict]) -> str:
    """The worst failure of a day in a few words."""
    failures = failures_of(snapshot.day, snapshot.revision or 0, verdicts)
    if not failures:
        return snapshot.status.value.replace("_", " ")
    worst = min(failures, key=lambda failure: (severity(failure.level), -failure.times_threshold()))
    words = failure_words(worst)
    if snapshot.status is DayStatus.UNKNOWN:
        words = f"unknown, {words}"
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}{ELLIPSIS}"
