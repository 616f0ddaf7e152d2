"""The part of a day's page that breaks the day down, or the part of it that was cut out by its address."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from telemetry_quality.core.clipping import LONGEST_TEXT
from telemetry_quality.core.events import EVENT_NAME, MAXIMUM_HOURS, SERVICE_VERSION
from telemetry_quality.core.guardrails import error_rate
from telemetry_quality.dashboard import parameters  # noqa: TC001 - pydantic evaluates the annotation
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.markup.breakdowns import DayClock, hour_rows
from telemetry_quality.dashboard.markup.segments import HEADINGS, LONGEST_LINKED, CountedBy, cut_address, shown_table
from telemetry_quality.dashboard.models import BreakdownRowResponse
from telemetry_quality.dashboard.rendering import name, number, percent, render
from telemetry_quality.dashboard.segments import (
    ComparedDays,
    Counts,
    Cut,
    expected_of,
    hours_within,
    segment_tables,
    segments_on,
)
from telemetry_quality.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from starlette.requests import Request

    from telemetry_quality.dashboard.models import DayResponse
    from telemetry_quality.storage.compared_days import StoredSegments


class CutAsked(BaseModel):
    """Which part of a day is looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hour: parameters.Number | None = Field(None, ge=0, lt=MAXIMUM_HOURS)
    by: str | None = Field(None, max_length=LONGEST_TEXT)
    value: str | None = Field(None, max_length=LONGEST_LINKED)


def cut_of(request: Request, asked: CutAsked, dimensions: Collection[str]) -> Cut:
    """The part of the day that was asked for; without a value it is that of the events that have none.

    Raises:
        ApiError: If the day is not counted that way.
    """
    known = (EVENT_NAME, SERVICE_VERSION, *dimensions)
    if asked.by is None:
        if asked.value is not None:
            raise _refused("by is required with value, but it is missing; say which dimension has that value.")
        return Cut(asked.hour)
    if asked.by not in known:
        raise _refused(f"by must be one of {', '.join(known)}, but it is {shown(asked.by)}; choose one of them.")
    if asked.hour is not None and asked.by not in HEADINGS:
        raise _refused(
            f"hour is known of {EVENT_NAME} and {SERVICE_VERSION} alone, but by is {shown(asked.by)}; leave one out."
        )
    # An empty value is a value, which forms leave out elsewhere.
    return Cut(asked.hour, asked.by, request.query_params.get("value"))


def _refused(sentence: str) -> ApiError:
    return ApiError(422, "INVALID_PARAMETER", sentence)


class Segmented(NamedTuple):
    """What the breakdown of a day is made from.

    Attributes:
        expected: The events to expect in each hour of the day.
    """

    stored: StoredSegments
    compared: ComparedDays
    cut: Cut
    expected: Mapping[int, float | None]


def breakdown_part(response: DayResponse, found: Segmented) -> Markup:
    """The tables by hour, by signal, by version and by each dimension; empty if nothing was counted."""
    view = _View(response, found)
    cut = found.cut
    if cut.is_whole and not (response.by_hour.rows or response.by_signal.rows):
        return Markup("")
    # Thousands of short-lived objects, which the garbage collector need not look through.
    with garbage_collection_paused():
        tables = segment_tables(response, found.stored, found.compared, cut)
    hours = view.hours()
    return render(
        "breakdown.html",
        words=view.words(),
        sentence="" if cut.is_whole else view.sentence(),
        time_zone=response.time_zone,
        has_late=any(row.late_events for row in hours),
        hours=view.hour_cells(hours),
        tables=[shown_table(table, cut, view.counted) for table in tables],
    )


@dataclass(frozen=True)
class _View:
    """A day with the part that was cut out of it."""

    response: DayResponse
    found: Segmented

    @property
    def _clock(self) -> DayClock:
        return DayClock(self.response.day, ZoneInfo(self.response.time_zone))

    def words(self) -> Markup:
        """The cut in words; empty for the whole day."""
        _, by, value = self.found.cut
        part = Markup("") if by is None else Markup("{} {}").format(HEADINGS.get(by, by).lower(), name(value))
        hour = self._hour_words()
        return part + (Markup(", ") if part and hour else Markup("")) + hour

    def _hour_words(self) -> str:
        if self.found.cut.hour is None:
            return ""
        rows = hour_rows(self.response.by_hour.rows or _NOTHING, self._clock, {})
        begins = {row.hour: row.begins for row in rows}
        until = begins.get(self.found.cut.hour + 1, "24:00")
        return f"{begins.get(self.found.cut.hour, 'an hour that the day does not have')} to {until}"

    @cached_property
    def totals(self) -> Counts:
        """Everything within the cut."""
        return _total(self.found, self.found.compared.day)

    def expected(self) -> float | None:
        """The events to expect within the cut."""
        hour, by, _ = self.found.cut
        if by is None and hour is not None:
            return self.found.expected.get(hour)
        compared = self.found.compared
        return expected_of([_total(self.found, peer).events for peer in compared.peers], compared)

    def sentence(self) -> Markup:
        """The cut in numbers."""
        counts, expected, counted = self.totals, self.expected(), self.counted
        said = [Markup("{} events").format(number(counts.events))]
        if expected is not None:
            said.append(Markup("{} expected").format(number(expected, 0 if expected >= 10 else 1)))
        if counted.has_errors and counts.events:
            rate = percent(100 * counts.errors / counts.events)
            said.append(Markup("{} errors ({})").format(number(counts.errors), rate))
        if counted.has_versions:
            said.append(Markup("{} without a version").format(number(counts.missing_version)))
        return Markup(", ").join(said) + "."

    @cached_property
    def counted(self) -> CountedBy:
        """What the source counts, and the events that shares are of."""
        scan = self.response.scans[-1] if self.response.scans else None
        whole = scan.total_events if scan else None
        total = (whole or 0) if self.found.cut.is_whole else self.totals.events
        if scan is None:
            return CountedBy(total)
        policy = self.response.revisions[-1].policy if self.response.revisions else {}
        limit = policy.get(error_rate.THRESHOLD.name)
        return CountedBy(total, scan.error_events is not None, scan.missing_version_events is not None, limit)

    def hours(self) -> list[BreakdownRowResponse]:
        """The hours of the day; with a value, those of its events; none if only pairs of dimensions are counted."""
        if self.found.cut.by is None:
            return list(self.response.by_hour.rows)
        within = hours_within(self.found.stored, self.response.day, self.found.cut)
        return [_as_row(hour, counts) for hour, counts in sorted(within.items())]

    def hour_cells(self, hours: list[BreakdownRowResponse]) -> Markup:
        """The rows of the table of hours."""
        hour, by, value = self.found.cut
        has_late = any(row.late_events for row in hours)
        rows = hour_rows(hours, self._clock, self.found.expected if by is None else {})
        is_linked = by is None or by in HEADINGS
        cells = (
            row.cells(
                cut_address(by if is_linked else None, value, row.hour), is_current=row.hour == hour, has_late=has_late
            )
            for row in rows
        )
        return Markup("\n".join(cells))  # noqa: S704 - numbers, times and addresses that are encoded


def _total(found: Segmented, day: date) -> Counts:
    segments = segments_on(found.stored, day, found.cut)
    first = next((segments[name] for name in (EVENT_NAME, SERVICE_VERSION) if name in segments), {})
    return reduce(Counts.plus, first.values(), Counts(late_events=0))


def _as_row(hour: int, counts: Counts) -> BreakdownRowResponse:
    return BreakdownRowResponse(
        value=hour,
        events=counts.events,
        errors=counts.errors,
        missing_version=counts.missing_version,
        late_events=counts.late_events or 0,
        error_unknown_events=counts.error_unknown_events,
    )


_NOTHING = (_as_row(0, Counts()),)
