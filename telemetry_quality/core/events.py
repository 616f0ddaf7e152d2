"""Events: which column plays which role, and what one day of them adds up to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

K = TypeVar("K")

DEFAULT_MISSING_VERSIONS = ("unknown", "unknown_service*", "(not set)")


@dataclass(frozen=True, slots=True)
class EventSchema:
    """Which column of a source plays which role.

    Attributes:
        is_error: A boolean column, or a SQL predicate over the source's columns.
        missing_versions: Texts that stand for "no version"; a trailing ``*`` matches any continuation.
            Null, empty and blank are always missing.
        time_unit: Unit of an integer ``occurred_at``: ``s``, ``ms``, ``us`` or ``ns`` since 1970.
        allowed_lateness_minutes: An event observed later than this after it occurred counts as late.
    """

    event_id: str
    occurred_at: str
    event_name: str
    service_version: str
    is_error: str
    critical_fields: tuple[str, ...] = ()
    observed_at: str | None = None
    dimensions: tuple[str, ...] = ()
    missing_versions: tuple[str, ...] = DEFAULT_MISSING_VERSIONS
    time_unit: str | None = None
    allowed_lateness_minutes: int = 60

    def is_missing_version(self, version: str | None) -> bool:
        """Whether ``version`` says nothing about which release sent the event."""
        text = (version or "").strip().casefold()
        if not text:
            return True
        for missing in self.missing_versions:
            pattern = missing.casefold()
            if text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern:
                return True
        return False


class AggregateRow(NamedTuple):
    """Counts of one (hour, event name, version) of a day; a tuple, since a day may have tens of thousands.

    Attributes:
        hour: Whole hours since the day began, 0 to 24: a day may have 23 or 25.
        error_unknown_events: Events that do not say whether they are an error (absent severity).
        missing_critical: Events without a value, per critical field, in the schema's order.
    """

    hour: int
    event_name: str | None
    service_version: str | None
    events: int
    errors: int
    error_unknown_events: int
    missing_version: int
    missing_critical: tuple[int, ...]
    late_events: int

    @property
    def order(self) -> tuple[int, bool, str, bool, str]:
        """A total order: hour, name and version, null before empty."""
        name, version = self.event_name, self.service_version
        return self.hour, name is not None, name or "", version is not None, version or ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts summed over any part of a day."""

    events: int = 0
    errors: int = 0
    error_unknown_events: int = 0
    missing_version: int = 0
    late_events: int = 0

    @property
    def error_rate_percent(self) -> float | None:
        """Share of errors, or None where no event says whether it is one."""
        if self.events == self.error_unknown_events:
            return None
        return 100 * self.errors / self.events

    @property
    def missing_version_percent(self) -> float | None:
        """Share of events without a version, or None where there are no events."""
        return 100 * self.missing_version / self.events if self.events else None


@dataclass(frozen=True, slots=True)
class DayAggregates:
    """One day's counts at the finest grain; everything coarser is rolled up from here.

    Attributes:
        critical_fields: Names for the positions of each row's ``missing_critical``.
    """

    rows: tuple[AggregateRow, ...] = ()
    critical_fields: tuple[str, ...] = ()

    def totals(self) -> Totals:
        """The whole day."""
        return _sum(self.rows)

    def signals(self) -> frozenset[str]:
        """The event names of the day; a null name is none."""
        return frozenset(row.event_name for row in self.rows if row.event_name is not None)

    def by_signal(self) -> dict[str, Totals]:
        """Per event name, the busiest first; a null name reads ``(null)``."""
        return self._by(lambda row: "(null)" if row.event_name is None else row.event_name)

    def by_version(self) -> dict[str, Totals]:
        """Per version, the busiest first; a null version reads ``(null)``."""
        return self._by(lambda row: "(null)" if row.service_version is None else row.service_version)

    def by_hour(self) -> dict[int, Totals]:
        """Per hour since the day began, in order; hours without events are left out."""
        return dict(sorted(_group(self.rows, lambda row: row.hour).items()))

    def missing_critical(self) -> dict[str, int]:
        """Events without a value, per critical field."""
        fields = enumerate(self.critical_fields)
        return {name: sum(row.missing_critical[position] for row in self.rows) for position, name in fields}

    def _by(self, key: Callable[[AggregateRow], str]) -> dict[str, Totals]:
        groups = _group(self.rows, key)
        return dict(sorted(groups.items(), key=lambda item: (-item[1].events, item[0])))


def _group(rows: Iterable[AggregateRow], key: Callable[[AggregateRow], K]) -> dict[K, Totals]:
    groups: defaultdict[K, list[AggregateRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: _sum(members) for name, members in groups.items()}


def _sum(rows: Iterable[AggregateRow]) -> Totals:
    events = errors = unknown = missing = late = 0
    for row in rows:
        events += row.events
        errors += row.errors
        unknown += row.error_unknown_events
        missing += row.missing_version
        late += row.late_events
    return Totals(events, errors, unknown, missing, late)


@dataclass(frozen=True, slots=True)
class SampledEvent:
    """What the verifier looks at in one event; read, judged and forgotten, never stored."""

    event_id: str | None
    event_name: str | None
    service_version: str | None
    missing_critical_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DayReading:
    """A day that could be read."""

    day: date
    aggregates: DayAggregates
    sample: tuple[SampledEvent, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class UnreadableDay:
    """A day that could not be read: neither empty nor zero, and never healthy."""

    day: date
    reason_code: str
    reason: str
