"""The gauges: the numbers about each source that monitoring systems get, whether they fetch them or are sent them.

What is not known has no sample, so that nothing is shown as zero that nobody measured. A source's newest day has the
status ``unknown`` and no numbers once the next one is overdue, as on the dashboard's pages. Names end in base units:
what the catalogue counts in percent is a ratio from 0 to 1 here, as Prometheus and OpenTelemetry expect.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import is_muted
from telemetry_quality.core.metrics import LISTED, Metric, Unit
from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.gaps import Gaps
    from telemetry_quality.core.incidents import Incident

PREFIX = "telemetry_quality"
SOURCE, STATUS, LEVEL, STATE = "source", "status", "level", "state"

RAISED, QUIET = "raised", "quiet"
"""Whether an open incident still calls for somebody: a muted or dismissed one is quiet."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The declaration of a number about a source.

    Attributes:
        name: The name everywhere, which ends in the unit if there is one.
        description: One sentence.
        unit: The unit as OpenTelemetry writes it (UCUM): ``s``, ``1`` for a ratio, ``{event}``; empty for a state.
        labels: What distinguishes its samples.
    """

    name: str
    description: str
    unit: str = ""
    labels: tuple[str, ...] = (SOURCE,)


class Sample(NamedTuple):
    """A value of a gauge; ``labels`` are in the order in which the gauge declares them."""

    gauge: Gauge
    labels: tuple[str, ...]
    value: float


class JudgedDay(Protocol):
    """The current snapshot of a day; it also has all LISTED numbers."""

    @property
    def status(self) -> str:
        """The value of a DayStatus."""
        ...

    @property
    def computed_at(self) -> datetime:
        """When the day was judged."""
        ...


@dataclass(frozen=True)
class WatchedSource:
    """What the store holds about a source.

    Attributes:
        gaps: Which of its days the store lacks.
        newest: The snapshot of ``gaps.newest``; None if there is none.
        incidents: At least those that are open.
    """

    calendar: Calendar
    gaps: Gaps
    newest: JudgedDay | None
    incidents: Sequence[Incident]


def _gauge_of(metric: Metric) -> Gauge:
    """The gauge of a number of the day."""
    name = f"{PREFIX}_day_{metric.name}"
    if metric.unit in {Unit.PERCENT, Unit.SIGNED_PERCENT}:
        ratio = metric.description.replace(", in percent of these", ", as a ratio of these")
        return Gauge(f"{name.removesuffix('_percent')}_ratio", ratio, "1")
    return Gauge(name, metric.description, "{event}" if metric.unit is Unit.EVENTS else "")


NUMBERS = {metric.name: _gauge_of(metric) for metric in LISTED}
"""The gauges of the newest day's numbers, by the names of these."""

DAY_STATUS = Gauge(
    f"{PREFIX}_day_status",
    "1 for the status of the newest day and 0 for every other status.",
    labels=(SOURCE, STATUS),
)
DAY_AGE = Gauge(f"{PREFIX}_day_age_seconds", "How long ago the newest judged day ended.", "s")
SNAPSHOT_AGE = Gauge(f"{PREFIX}_snapshot_age_seconds", "How long ago the newest judged day was judged last.", "s")
DAY_OVERDUE = Gauge(
    f"{PREFIX}_day_is_overdue", "1 if a later day should have been judged by now, by the settings, else 0."
)
SNAPSHOTS_MISSING = Gauge(
    f"{PREFIX}_snapshots_missing", "Days since first_day that should have a snapshot and have none.", "{day}"
)
SNAPSHOTS_IN_FUTURE = Gauge(
    f"{PREFIX}_snapshots_in_future", "Days that have a snapshot although they are not over yet.", "{day}"
)
OPEN_INCIDENTS = Gauge(
    f"{PREFIX}_open_incidents",
    "Open incidents by their highest level; muted and dismissed ones are quiet, the others are raised.",
    "{incident}",
    (SOURCE, LEVEL, STATE),
)

GAUGES = (
    *(DAY_STATUS, DAY_AGE, SNAPSHOT_AGE, DAY_OVERDUE),
    *(SNAPSHOTS_MISSING, SNAPSHOTS_IN_FUTURE, OPEN_INCIDENTS),
    *NUMBERS.values(),
)
"""All gauges, in the order in which they are shown."""


def samples_of(watched: Iterable[WatchedSource], now: datetime) -> Iterator[Sample]:
    """The samples of all gauges at the aware instant ``now``; what is not known has none."""
    for one in watched:
        yield from _of_day(one, now)
        yield Sample(DAY_OVERDUE, (one.gaps.source,), float(one.gaps.is_overdue))
        yield Sample(SNAPSHOTS_MISSING, (one.gaps.source,), one.gaps.missing_count)
        yield Sample(SNAPSHOTS_IN_FUTURE, (one.gaps.source,), len(one.gaps.future))
        yield from _of_incidents(one, now)


def _of_day(watched: WatchedSource, now: datetime) -> Iterator[Sample]:
    """What is known about the newest day."""
    source, newest = watched.gaps.source, watched.newest
    current = None if watched.gaps.is_overdue else newest
    status = DayStatus.UNKNOWN if current is None else current.status
    for possible in DayStatus:
        yield Sample(DAY_STATUS, (source, possible.value), float(possible == status))
    if newest is not None and watched.gaps.newest is not None:
        ended_at = watched.calendar.window(watched.gaps.newest).end
        yield Sample(DAY_AGE, (source,), (now - ended_at).total_seconds())
        yield Sample(SNAPSHOT_AGE, (source,), (now - newest.computed_at).total_seconds())
    for metric in LISTED if current is not None else ():
        number = getattr(current, metric.name)
        if number is not None:
            gauge = NUMBERS[metric.name]
            yield Sample(gauge, (source,), number / 100 if gauge.unit == "1" else float(number))


def _of_incidents(watched: WatchedSource, now: datetime) -> Iterator[Sample]:
    """How many incidents are open; zero of a kind is known, and said."""
    # A mute ends with a day, as on the pages.
    today = now.date()
    found = Counter(
        (incident.level, QUIET if incident.is_dismissed or is_muted(incident, today) else RAISED)
        for incident in watched.incidents
        if incident.is_open
    )
    for level in Level:
        for state in (RAISED, QUIET):
            yield Sample(OPEN_INCIDENTS, (watched.gaps.source, level.value, state), found[level, state])
