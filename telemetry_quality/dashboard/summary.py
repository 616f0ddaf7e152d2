"""The verdict on yesterday in words and numbers: what staff see within five seconds and machines act on.

What is not known is never shown as healthy: an overdue snapshot, a day that could not be read and a store that cannot
be read each have their own sentence.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from telemetry_quality.core.counting import other_rules
from telemetry_quality.core.days import ONE_DAY, latest_complete_day
from telemetry_quality.core.incidents import worst_first
from telemetry_quality.core.marks import Mark, is_trustworthy
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.incident_responses import incident_line, mark_response
from telemetry_quality.dashboard.models import OtherRulesResponse, SourceSummary, Summary
from telemetry_quality.dashboard.sentences import day_sentence, wrong_on
from telemetry_quality.dashboard.series import snapshot_line, windows_of
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.dashboard.models import IncidentLine, Window
    from telemetry_quality.dashboard.sentences import Wrong
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import JournalRow

WINDOWS = (7, 30)
"""The sizes of each source's windows, in days."""

MOST_NAMES = 5
"""The number of sources named in the overall verdict; the page lists all of them."""


def summarize(state: DashboardState, settings: Settings, now: datetime, source: str | None = None) -> Summary:
    """Whether the latest complete day of each source, or of ``source`` alone, can be trusted.

    Raises:
        RequestError: If there is no such source.
    """
    if source is not None and source not in settings.sources:
        raise RequestError(f"A source such as {next(iter(settings.sources))} is required, but {source!r} was found.")
    names = tuple(settings.sources) if source is None else (source,)
    sources = tuple(summarize_source(state, settings, now, name) for name in names)
    # DayStatus lists the worst status first.
    worst = min((source_summary.status for source_summary in sources), key=list(DayStatus).index)
    return Summary(
        as_of=now,
        read_at=state.read_at if state.trouble else now,
        version=state.version,
        status=DayStatus.UNKNOWN if state.trouble else worst,
        is_trustworthy=state.trouble is None and all(source_summary.is_trustworthy for source_summary in sources),
        sentence=_overall_sentence(state, sources),
        trouble=state.trouble,
        sources=sources,
    )


@dataclass(frozen=True)
class _View:
    """What a source's summary is made of."""

    state: DashboardState
    settings: Settings
    now: datetime
    source: str

    @property
    def calendar(self) -> Calendar:
        """The source's calendar."""
        return self.settings.sources[self.source].calendar()

    def due_at(self, day: date) -> datetime:
        """When a snapshot of ``day`` becomes overdue: the day's end, the allowed lateness and the grace period."""
        lateness = self.settings.sources[self.source].allowed_lateness_minutes
        patience = timedelta(minutes=lateness + self.settings.dashboard.grace_minutes)
        return self.calendar.window(day).end + patience

    def instant(self, instant: datetime) -> str:
        """An instant in words, in the source's time zone."""
        return f"{instant.astimezone(self.calendar.zone):%Y-%m-%d %H:%M %Z}"

    def shown(self) -> _ShownDay:
        """The latest complete day or, while its snapshot is not overdue, the latest day before it."""
        first, latest = self.calendar.first_day, self.calendar.latest_day(self.now)
        day, index = latest, self.state.index
        while day >= first:
            row = self.state.cached(self.source, ("current", day), partial(index.current, self.source, day))
            if row is not None or not self.state.has_been_read or self.now > self.due_at(day):
                return _ShownDay(day, row, None if day == latest else latest)
            day -= ONE_DAY
        return _ShownDay(awaited=latest if latest >= first else None)


@dataclass(frozen=True)
class _ShownDay:
    """The day of a source that is shown.

    Attributes:
        day: None if no day should have a snapshot yet.
        row: Its snapshot; None if it is overdue, or if nobody knows whether it exists.
        awaited: A later complete day whose snapshot is not there yet, but not overdue.
    """

    day: date | None = None
    row: JournalRow | None = None
    awaited: date | None = None


def summarize_source(state: DashboardState, settings: Settings, now: datetime, source: str) -> SourceSummary:
    """Whether the latest complete day of ``source`` can be trusted."""
    view = _View(state, settings, now, source)
    shown = view.shown()
    # The key holds what depends on the clock or on all sources; the rest follows from the source's own days.
    today, yesterday = now.astimezone(UTC).date(), latest_complete_day(now, view.calendar.zone)
    shared = state.trouble, state.has_been_read, state.read_at if state.trouble else None
    key = ("summary", shown.day, shown.awaited, today, yesterday, *shared)
    return state.cached(source, key, lambda: _source_summary(view, shown))


def moment(source_summary: SourceSummary) -> tuple[date | None, date | None, DayStatus]:
    """What the clock alone can change about how a source is shown."""
    return source_summary.day, source_summary.awaited_day, source_summary.status


def _source_summary(view: _View, shown: _ShownDay) -> SourceSummary:
    state, settings, now, source = view.state, view.settings, view.now, view.source
    last = state.index.latest(source)
    incidents = state.incidents.get(source, ())
    wrong = wrong_on(shown.day, incidents) if shown.day and shown.row else []
    status = DayStatus(shown.row.status) if shown.row else DayStatus.UNKNOWN
    marked = None if shown.day is None else state.mark(source, shown.day)
    is_stale = shown.day is not None and shown.row is None and state.has_been_read
    sentence = _sentence(view, shown, wrong)
    return SourceSummary(
        source=source,
        time_zone=settings.sources[source].time_zone,
        first_day=view.calendar.first_day,
        owners=settings.sources[source].owners,
        day=shown.day,
        status=status,
        is_trustworthy=is_trustworthy(marked, status, settings.sources[source].gate),
        mark=mark_response(marked),
        sentence=sentence,
        since=wrong[0].incident.first_day if wrong else None,
        is_stale=is_stale,
        stale_sentence=sentence if is_stale else None,
        awaited_day=shown.awaited,
        awaited_until=shown.awaited and view.due_at(shown.awaited),
        last_snapshot_day=last and last.day,
        snapshot=shown.row and snapshot_line(shown.row),
        other_rules=_other_rules(view),
        windows=_windows(view, shown.day),
        open_incidents=_open_lines(incidents, now),
    )


def _other_rules(view: _View) -> OtherRulesResponse | None:
    now = view.settings.sources[view.source].counting_rules()
    found = other_rules(view.source, view.state.counted.get(view.source, ()), now)
    if found is None:
        return None
    return OtherRulesResponse.model_validate({name: getattr(found, name) for name in OtherRulesResponse.model_fields})


def _open_lines(incidents: Iterable[Incident], now: datetime) -> tuple[IncidentLine, ...]:
    still_open = worst_first(incident for incident in incidents if incident.is_open)
    return tuple(incident_line(incident, now.astimezone(UTC).date()) for incident in still_open)


def _windows(view: _View, day: date | None) -> dict[str, Window]:
    if day is None:
        return {}
    return windows_of(view.state, view.source, day, WINDOWS, view.calendar.first_day)


def _sentence(view: _View, shown: _ShownDay, wrong: Sequence[Wrong]) -> str:
    sentences = []
    if shown.day is not None:
        sentences.append(_judged_sentence(view, shown.day, shown.row, wrong))
    if shown.awaited is not None:
        sentences.append(_awaited_sentence(view, shown.awaited))
    if not sentences:
        first = view.calendar.first_day
        return f"Nothing is known yet: the first day of {view.source} is {first}, which is not over."
    return " ".join(sentences)


def _judged_sentence(view: _View, day: date, row: JournalRow | None, wrong: Sequence[Wrong]) -> str:
    if row is None:
        return _missing_sentence(view, day)
    return day_sentence(day, row, wrong, view.state.mark(view.source, day))


def sentence_without_snapshot(state: DashboardState, settings: Settings, now: datetime, source: str, day: date) -> str:
    """The sentence for a complete day that has no snapshot."""
    view = _View(state, settings, now, source)
    if state.has_been_read and state.trouble is None and now <= view.due_at(day):
        return _awaited_sentence(view, day)
    return _missing_sentence(view, day)


def _awaited_sentence(view: _View, day: date) -> str:
    return f"{day} is not judged yet; it should be by {view.instant(view.due_at(day))}."


def _missing_sentence(view: _View, day: date) -> str:
    """The sentence for a day whose snapshot is overdue, or may exist in a store that cannot be read."""
    state = view.state
    unknown = f"Whether {day} can be trusted is not known"
    if not state.has_been_read:
        return f"{unknown}: the store cannot be read."
    if state.trouble is not None:
        return f"{unknown}: the store cannot be read, and had no snapshot of it at {view.instant(state.read_at)}."
    is_yesterday = day == latest_complete_day(view.now, view.calendar.zone)
    whether = "Whether yesterday can be trusted is not known" if is_yesterday else unknown
    return f"There is no snapshot of {day}{_last_words(view, day)}. {whether}."


def _last_words(view: _View, day: date) -> str:
    """How old the last snapshot is, as a clause."""
    last = view.state.index.latest(view.source)
    if last is None:
        return ", nor of any other day"
    if last.day > day:
        return ""
    age = (day - last.day).days
    return f"; the last one is of {last.day}, {age} day{'' if age == 1 else 's'} older"


def _overall_sentence(state: DashboardState, sources: Sequence[SourceSummary]) -> str:
    words = sources[0].sentence if len(sources) == 1 else _sentence_of_many(sources)
    if state.trouble is None or not state.has_been_read:
        return words
    return f"The store cannot be read now. At {state.read_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC it said: {words}"


def _sentence_of_many(sources: Sequence[SourceSummary]) -> str:
    """How many sources can be trusted, and which ones cannot."""
    days = {source_summary.day for source_summary in sources}
    day = next(iter(days)) if len(days) == 1 else None
    on = f" on {day}" if day else ""
    names: dict[str, list[str]] = defaultdict(list)
    for source_summary in sources:
        names[_group(source_summary)].append(source_summary.source)
    total = len(sources)
    if len(names[_TRUSTED]) == total:
        return f"All {total} sources can be trusted{on}."
    shown = []
    for group in _BADNESS:
        if group != _TRUSTED and names[group]:
            count = f"{len(names[group])} of {total} sources"
            shown.append(f"{_PHRASES[group].format(count=count, on=on)}: {_named(names[group])}.")
    if names[_TRUSTED]:
        shown.append(f"The other {len(names[_TRUSTED])} can be trusted.")
    return " ".join(shown)


_TRUSTED, _IN_PART, _NOT_TRUSTED, _NOT_KNOWN = "trusted", "in_part", "not_trusted", "not_known"

_GROUPS = {
    DayStatus.HEALTHY: _TRUSTED,
    DayStatus.DEGRADED: _IN_PART,
    DayStatus.UNHEALTHY: _NOT_TRUSTED,
    DayStatus.NO_ACTIVITY: _NOT_TRUSTED,
    DayStatus.UNKNOWN: _NOT_KNOWN,
}

_BADNESS = {group: place for place, group in enumerate((_NOT_TRUSTED, _NOT_KNOWN, _IN_PART, _TRUSTED))}
"""What is known to be bad comes first: what is not known may be nothing but late."""

_STATUSES = {status: place for place, status in enumerate(DayStatus)}

_PHRASES = {
    _NOT_TRUSTED: "{count} cannot be trusted{on}",
    _NOT_KNOWN: "Whether {count} can be trusted{on} is not known",
    _IN_PART: "{count} can be trusted only in part{on}",
}


def _group(source_summary: SourceSummary) -> str:
    """How far a source can be trusted; people may have said otherwise than its status."""
    if source_summary.is_trustworthy or source_summary.status is DayStatus.UNKNOWN:
        return _GROUPS[DayStatus.HEALTHY if source_summary.is_trustworthy else DayStatus.UNKNOWN]
    is_bad = source_summary.mark is not None and source_summary.mark.mark is Mark.BAD
    return _NOT_TRUSTED if is_bad else _GROUPS[source_summary.status]


def badness(source_summary: SourceSummary) -> tuple[float, ...]:
    """Sorts sources by how bad they are: the worst first, and among equals the one that has been bad for longest."""
    return (
        _BADNESS[_group(source_summary)],
        _STATUSES[source_summary.status],
        source_summary.since.toordinal() if source_summary.since else inf,
    )


def _named(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
