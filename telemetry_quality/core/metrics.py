"""The numbers of a day: each is declared once, in its field of DayFigures.

Columns of the store, fields of the API, Dagster's column schema and metadata, the day page, the comparison of
revisions, the columns that the log is sorted by, exports and the table in ``docs/numbers.md`` are derived from here.
Numbers that guardrails of other packages or a source's own rates add are declared by the same Metric and held in
``extra_numbers``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.policies import COMPLETE_PERCENT

if TYPE_CHECKING:
    from telemetry_quality.core.detectors.expected_volume import Expectation
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.scans import StoredScan


class Unit(StrEnum):
    """What a number is, as the docs name it."""

    EVENTS = "events"
    PERCENT = "percent"
    """A share, 0 to 100."""
    SIGNED_PERCENT = "signed percent"
    """A signed distance from a number, in percent of that number."""
    COMBINATIONS = "combinations"
    """How many different names and versions events have."""
    YES_NO = "yes or no"


@dataclass(frozen=True, slots=True)
class Basis:
    """What the numbers of a day are computed from.

    Attributes:
        completeness_percent: Share of a day's events that has usually arrived by now; None if it is not known.
    """

    scan: StoredScan
    expectation: Expectation
    completeness_percent: float | None
    policy: Policy


Numbers = Mapping[str, Any]
"""The numbers computed so far, by name."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How a number is computed, for people and for the program.

    Attributes:
        needs_events: Whether the number is unknown for a day that could not be read.
    """

    text: str
    compute: Callable[[Basis, Numbers], Any]
    needs_events: bool = True


def counted(name: str) -> Formula:
    """A count of the scan; zero if a readable day has none."""
    return Formula("counted", lambda basis, _: getattr(basis.scan, name) or 0)


def counted_unless_absent(name: str) -> Formula:
    """A count of the scan; unknown if the source has none of what would be counted, by choice."""
    return Formula("counted", lambda basis, _: getattr(basis.scan, name))


def share(part: str, whole: str) -> Formula:
    """A number in percent of another; unknown if the other is zero or unknown."""
    return Formula(
        f"100 × `{part}` / `{whole}`",
        lambda _, numbers: percent_of(numbers[part], numbers[whole]) if numbers[part] is not None else None,
    )


def percent_of(part: float, whole: float | None) -> float | None:
    """``part`` in percent of ``whole``; None if ``whole`` is zero or not known."""
    return 100 * part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Metric:
    """The declaration of a number of the day.

    Attributes:
        name: The name everywhere: field, column, JSON key, metadata label; ends in the unit.
        label: The name on pages.
        description: One sentence for the API, Dagster and the docs.
        kind: ``int``, ``float``, ``bool`` or ``str``.
        how: How the number is computed.
        digits: Decimals that pages show.
        phrase: The name in sentences that compare revisions: ``5 -> 7 % errors``; empty leaves the number out.
        count: The name of the number that counts the events of this share.
        whole: The name of the number that this is a share of, unless that is the day's events.
        schema_revision: The migration that added the column.
        is_listed: Whether the index of days holds the number.
        is_main: Whether the log and the first pages show it, and the log can be sorted by it; requires ``is_listed``.
        is_plotted: Whether Dagster plots it over days.
        is_fact: Whether the day page shows it among its facts, in its own row.
    """

    name: str
    label: str
    description: str
    unit: Unit
    kind: type
    how: Formula
    digits: int = 0
    phrase: str = ""
    count: str | None = None
    whole: str | None = None
    schema_revision: str = "0001"
    is_listed: bool = False
    is_main: bool = False
    is_plotted: bool = True
    is_fact: bool = False

    @property
    def is_share(self) -> bool:
        """Whether the number is a share of the day's events, which a day without events does not have."""
        return self.unit is Unit.PERCENT and self.how.needs_events


def _number(label: str, description: str, unit: Unit, how: Formula, **more: Any) -> Any:
    """A field of DayFigures with its declaration; unknown by default."""
    more = {"digits": 2 if unit is Unit.PERCENT else 0, **more}
    return field(default=None, metadata={"label": label, "description": description, "unit": unit, "how": how, **more})


def _of_expectation(name: str) -> Formula:
    return Formula(
        "see [detection](../explanation/detection.md)",
        lambda basis, _: getattr(basis.expectation, name),
        needs_events=False,
    )


def _error_rate_percent(basis: Basis, numbers: Numbers) -> float | None:
    total = numbers["total_events"]
    return None if total == basis.scan.error_unknown_events else 100 * numbers["error_events"] / total


def deviation_percent(total: int, expected: float | None) -> float | None:
    """Signed distance from the expected number, in percent of it; None if nothing was expected."""
    return 100 * (total - expected) / expected if expected else None


def is_outside(total: int, low: float | None, high: float | None) -> bool | None:
    """Whether a number of events lies outside an interval; None if the interval is not known."""
    return None if low is None or high is None else not low <= total <= high


def _volume_deviation_percent(_: Basis, numbers: Numbers) -> float | None:
    return deviation_percent(numbers["total_events"], numbers["expected_events"])


def _is_volume_unusual(_: Basis, numbers: Numbers) -> bool | None:
    return is_outside(numbers["total_events"], numbers["expected_low_events"], numbers["expected_high_events"])


def _counted_in(part: str, name: str) -> Formula:
    """A count of a part of the scan; unknown where that part was not counted."""

    def compute(basis: Basis, _: Numbers) -> int | None:
        counts = getattr(basis.scan, part)
        return None if counts is None else int(getattr(counts, name))

    return Formula("counted", compute)


def _critical_missing_percent(basis: Basis, numbers: Numbers) -> float | None:
    missing = basis.scan.missing_critical
    return percent_of(max(missing.values()), numbers["total_events"]) if missing else None


def _late_percent(basis: Basis, numbers: Numbers) -> float | None:
    if basis.scan.arrivals is None:
        return None
    return percent_of(basis.scan.late_events or 0, numbers["total_events"])


def _invalid_timestamp_percent(basis: Basis, _: Numbers) -> float | None:
    arrivals = basis.scan.arrivals
    if arrivals is None:
        return None
    invalid_timestamps = arrivals.future_events + arrivals.stale_events + arrivals.undated_events
    return percent_of(invalid_timestamps, arrivals.observed_events)


def _impossible_timestamp_percent(basis: Basis, _: Numbers) -> float | None:
    arrivals = basis.scan.arrivals
    if arrivals is None:
        return None
    return percent_of(arrivals.future_events + arrivals.stale_events, arrivals.observed_events)


def _is_provisional(basis: Basis, _: Numbers) -> bool:
    completeness = basis.completeness_percent
    return completeness is not None and completeness < basis.policy[COMPLETE_PERCENT]


@dataclass(frozen=True, kw_only=True)
class DayFigures:
    """The numbers of a day; if it could not be read, all are None and ``extra_numbers`` is empty.

    Attributes:
        extra_numbers: The numbers that guardrails of other packages and the source's own rates add, by name.
        unreadable_reason_code: Why the day could not be read; None if it could.
    """

    total_events: int | None = _number(
        "Events",
        "Events of the day.",
        Unit.EVENTS,
        counted("total_events"),
        phrase="events",
        is_listed=True,
        is_main=True,
        is_fact=True,
    )
    error_events: int | None = _number(
        "Error events", "Events that are errors.", Unit.EVENTS, counted_unless_absent("error_events"), is_listed=True
    )
    error_rate_percent: float | None = _number(
        "Errors",
        "Share of events that are errors; unknown where no event says whether it is one.",
        Unit.PERCENT,
        Formula("100 × `error_events` / `total_events`", _error_rate_percent),
        phrase="errors",
        count="error_events",
        is_listed=True,
        is_main=True,
        is_fact=True,
    )
    missing_version_events: int | None = _number(
        "Events without a version",
        "Events without a version tag.",
        Unit.EVENTS,
        counted_unless_absent("missing_version_events"),
        is_listed=True,
    )
    missing_version_percent: float | None = _number(
        "No version",
        "Share of events without a version tag.",
        Unit.PERCENT,
        share("missing_version_events", "total_events"),
        phrase="without a version",
        count="missing_version_events",
        is_listed=True,
        is_main=True,
        is_fact=True,
    )
    sample_size: int | None = _number(
        "Sampled events",
        "Events drawn at random and verified.",
        Unit.EVENTS,
        counted("sample_size"),
        is_listed=True,
        is_plotted=False,
    )
    sample_passed: int | None = _number(
        "Sampled events that passed",
        "Sampled events that are known signals, tagged and complete.",
        Unit.EVENTS,
        counted("sample_passed"),
        is_listed=True,
        is_plotted=False,
    )
    sampling_success_rate_percent: float | None = _number(
        "Sample passed",
        "Share of the sampled events that passed.",
        Unit.PERCENT,
        share("sample_passed", "sample_size"),
        digits=1,
        count="sample_passed",
        whole="sample_size",
        phrase="of the sample passed",
        is_listed=True,
        is_main=True,
        is_fact=True,
    )
    verified_events: int | None = _number(
        "Events that would pass",
        "How many of all events of the day would pass the verification that the sampled ones are put to.",
        Unit.EVENTS,
        Formula("counted", lambda basis, _: basis.scan.verified_events),
        is_plotted=False,
    )
    verified_percent: float | None = _number(
        "Pass, of all events",
        "Share of all events of the day that would pass the verification of the sample.",
        Unit.PERCENT,
        share("verified_events", "total_events"),
        count="verified_events",
        phrase="of all events would pass",
        is_fact=True,
    )
    expected_events: float | None = _number(
        "Expected",
        "Events that earlier days lead to expect; of a provisional day, those expected to have arrived by then. "
        "Unknown while the history is too short.",
        Unit.EVENTS,
        _of_expectation("events"),
        phrase="expected",
        is_listed=True,
        is_main=True,
    )
    expected_low_events: float | None = _number(
        "Normal from",
        "Lower end of the interval in which normal days lie.",
        Unit.EVENTS,
        _of_expectation("low"),
        is_listed=True,
    )
    expected_high_events: float | None = _number(
        "Normal to",
        "Upper end of the interval in which normal days lie.",
        Unit.EVENTS,
        _of_expectation("high"),
        is_listed=True,
    )
    volume_deviation_percent: float | None = _number(
        "Against expected",
        "Signed distance of the events from the expected ones, in percent of these.",
        Unit.SIGNED_PERCENT,
        Formula("100 × (`total_events` − `expected_events`) / `expected_events`", _volume_deviation_percent),
        digits=1,
        is_listed=True,
        is_main=True,
    )
    is_volume_unusual: bool | None = _number(
        "Unusual volume",
        "Whether the events lie outside the interval of normal days.",
        Unit.YES_NO,
        Formula("`total_events` outside `expected_low_events` to `expected_high_events`", _is_volume_unusual),
        is_plotted=False,
    )
    compared_events: int | None = _number(
        "Compared events",
        "Events looked at for duplicates: those with an id, on a large day a slice of them.",
        Unit.EVENTS,
        _counted_in("duplicates", "compared_events"),
        is_plotted=False,
    )
    duplicate_events: int | None = _number(
        "Duplicate events",
        "Compared events beyond the first of their id.",
        Unit.EVENTS,
        _counted_in("duplicates", "duplicate_events"),
        is_plotted=False,
    )
    duplicate_percent: float | None = _number(
        "Duplicates",
        "Share of the compared events that are duplicates.",
        Unit.PERCENT,
        share("duplicate_events", "compared_events"),
        phrase="duplicates",
        count="duplicate_events",
        is_fact=True,
    )
    critical_missing_percent: float | None = _number(
        "Critical field missing",
        "Share of events without the critical field that is missing most often.",
        Unit.PERCENT,
        Formula("the highest share of events without a value, over all critical fields", _critical_missing_percent),
        phrase="without a critical field",
        is_fact=True,
    )
    late_percent: float | None = _number(
        "Late",
        "Share of events that arrived later than the settings allow.",
        Unit.PERCENT,
        Formula("100 × late events / `total_events`", _late_percent),
        phrase="late",
        is_fact=True,
    )
    arrived_events: int | None = _number(
        "Events that arrived",
        "Events that arrived on the day, whatever their timestamp.",
        Unit.EVENTS,
        _counted_in("arrivals", "observed_events"),
        is_plotted=False,
    )
    impossible_timestamp_percent: float | None = _number(
        "Impossible timestamp",
        "Share of the events arriving on the day whose timestamp is in the future or far in the past.",
        Unit.PERCENT,
        Formula("100 × (future + far past) / `arrived_events`", _impossible_timestamp_percent),
        phrase="with an impossible timestamp",
        is_fact=True,
    )
    unreadable_time_events: int | None = _number(
        "Events without a readable time",
        "Events that arrived on the day and whose time is missing or cannot be read.",
        Unit.EVENTS,
        _counted_in("arrivals", "undated_events"),
        is_plotted=False,
    )
    unreadable_time_percent: float | None = _number(
        "Unreadable time",
        "Share of the events arriving on the day whose time is missing or cannot be read.",
        Unit.PERCENT,
        share("unreadable_time_events", "arrived_events"),
        phrase="without a readable time",
        count="unreadable_time_events",
        whole="arrived_events",
        is_fact=True,
    )
    invalid_timestamp_percent: float | None = _number(
        "Invalid timestamp",
        "Share of the events arriving on the day whose timestamp is in the future, far in the past or unreadable.",
        Unit.PERCENT,
        Formula("100 × (future + far past + unreadable) / `arrived_events`", _invalid_timestamp_percent),
    )
    completeness_percent: float | None = _number(
        "Arrived",
        "Share of a day's events that has usually arrived by the time the day was judged.",
        Unit.PERCENT,
        Formula(
            "from how late the events of earlier days arrived",
            lambda basis, _: basis.completeness_percent,
            needs_events=False,
        ),
        digits=1,
    )
    is_provisional: bool | None = _number(
        "Provisional",
        "Whether late events may still change the numbers.",
        Unit.YES_NO,
        Formula("`completeness_percent` below the setting `complete_percent`", _is_provisional),
        is_listed=True,
        is_plotted=False,
    )
    extra_numbers: Mapping[str, float | None] = field(default_factory=dict)
    unreadable_reason_code: str | None = None
    unreadable_reason: str | None = None

    def number(self, name: str) -> Any:
        """The number called ``name``, whether declared here or by an extension; None if it is not known."""
        return self.extra_numbers.get(name) if name not in NAMES else getattr(self, name)


_KINDS = {"int": int, "float": float, "bool": bool}

METRICS: tuple[Metric, ...] = tuple(
    Metric(name=declared.name, kind=_KINDS[str(declared.type).partition(" ")[0]], **declared.metadata)
    for declared in fields(DayFigures)
    if declared.metadata
)
"""Every number of the day, in the order in which they are computed and shown."""

LISTED = tuple(metric for metric in METRICS if metric.is_listed)
"""The numbers that the index of all days holds in RAM."""

MAIN = tuple(sorted((metric for metric in METRICS if metric.is_main), key=lambda metric: metric.is_share))
"""The numbers that the log and the first pages show: the volume, then shares."""

NOT_LISTED = tuple(metric for metric in METRICS if not metric.is_listed)

NAMES = frozenset(metric.name for metric in METRICS)


def extra_metric(name: str, label: str, description: str, unit: Unit = Unit.PERCENT, **more: Any) -> Metric:
    """The declaration of a number that a guardrail adds; pages show it and Dagster plots it."""
    more = {"digits": 2 if unit is Unit.PERCENT else 0, "is_fact": True, **more}
    how = Formula("by its guardrail", lambda _, numbers: numbers[name])
    return Metric(name, label, description, unit, float, how, **more)


def figures_of(basis: Basis) -> DayFigures:
    """The numbers of a stored scan, and how it compares with what earlier days suggest."""
    is_readable = basis.scan.unreadable_reason_code is None
    numbers: dict[str, Any] = {}
    for metric in METRICS:
        if is_readable or not metric.how.needs_events:
            numbers[metric.name] = metric.how.compute(basis, numbers)
    return DayFigures(
        **numbers,
        unreadable_reason_code=basis.scan.unreadable_reason_code,
        unreadable_reason=basis.scan.unreadable_reason,
    )
