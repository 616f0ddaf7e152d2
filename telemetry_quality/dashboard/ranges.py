"""The summary of a range of days: whether every one of them can be trusted, and which cannot."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from telemetry_quality.core.days import days_between
from telemetry_quality.core.marks import Mark, is_trustworthy
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.models import RangeSummary
from telemetry_quality.dashboard.series import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry_quality.core.marks import Gate, MarkedDays
    from telemetry_quality.dashboard.models import SourceSummary, Summary
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import JournalRow

    Days = tuple[date, date]

MOST_NOT_TRUSTED = 100
"""How many days that cannot be trusted are listed."""

MOST_NAMED = 3
"""How many of them the sentence names."""


def about_range(summary: Summary, state: DashboardState, settings: Settings, days: Days) -> Summary:
    """The summary with verdict, status and sentence about all days from the first to the last, not the latest one."""
    sources = tuple(_source(found, state, settings.sources[found.source].gate, days) for found in summary.sources)
    worst = min((found.status for found in sources), key=list(DayStatus).index)
    return summary.model_copy(
        update={
            "sources": sources,
            "status": DayStatus.UNKNOWN if state.trouble else worst,
            "is_trustworthy": state.trouble is None and all(found.is_trustworthy for found in sources),
            "sentence": " ".join(filter(None, (state.trouble, *(found.sentence for found in sources)))),
        }
    )


def _source(found: SourceSummary, state: DashboardState, gate: Gate, days: Days) -> SourceSummary:
    first, last = days
    rows = state.index.window(found.source, first, last)
    statuses = [DayStatus.UNKNOWN if row is None else DayStatus(row.status) for row in rows]
    reasons = (
        _why_not(row, state.mark(found.source, day), gate)
        for day, row in zip(days_between(first, last), rows, strict=True)
    )
    not_trusted = {day: why for day, why in zip(days_between(first, last), reasons, strict=True) if why is not None}
    return found.model_copy(
        update={
            "status": min(statuses, key=list(DayStatus).index),
            "is_trustworthy": not not_trusted,
            "sentence": _sentence(found.source, days, len(rows), not_trusted),
            "range": RangeSummary(
                trusted_days=len(rows) - len(not_trusted),
                not_trusted=dict(islice(not_trusted.items(), MOST_NOT_TRUSTED)),
                window=window_of(state, found.source, last, len(rows)),
            ),
        }
    )


def _why_not(row: JournalRow | None, marked: MarkedDays | None, gate: Gate) -> str | None:
    """Why a day cannot be trusted; None if it can."""
    status = DayStatus.UNKNOWN if row is None else DayStatus(row.status)
    is_provisional = row is not None and bool(row.is_provisional)
    if is_trustworthy(marked, status, gate, is_provisional=is_provisional):
        return None
    if status is not DayStatus.UNKNOWN and marked is not None and marked.mark is Mark.BAD:
        return "marked bad"
    return "provisional" if status is DayStatus.HEALTHY else status.value


def _sentence(source: str, days: Days, count: int, not_trusted: Mapping[date, str]) -> str:
    first, last = days
    words = f"{count - len(not_trusted)} of {count} days of {source} from {first} to {last} can be trusted"
    if not not_trusted:
        return f"{words}."
    named = [f"{day} ({why})" for day, why in islice(not_trusted.items(), MOST_NAMED)]
    rest = len(not_trusted) - len(named)
    return f"{words}, but not {', '.join(named)}{f' and {rest} more' if rest else ''}."
