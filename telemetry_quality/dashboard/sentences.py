"""Days in words: whether a day can be trusted, and what is wrong with it, by how much, since when and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.guardrails.said_once import listed
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents.wording import failure_words, where_words
from telemetry_quality.core.marks import Mark, is_trustworthy
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents import FailedGuardrail, Incident
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.storage.reader import JournalRow

    Figures = JournalRow | TelemetryIntegritySnapshot
    """The figures of a day, from the journal or from the whole snapshot."""

MOST_ALSO = 2
"""The failures named in addition to the worst; the page lists all of them."""


class Wrong(NamedTuple):
    """A failure of a day and the incident it belongs to."""

    failure: FailedGuardrail
    incident: Incident


def wrong_on(day: date, incidents: Iterable[Incident]) -> list[Wrong]:
    """The failures of a day, the worst first."""
    touching = [incident for incident in incidents if incident.first_day <= day <= incident.last_day]
    found = [Wrong(failure, incident) for incident in touching for failure in incident.failures if failure.day == day]
    levels = list(Level)
    return sorted(found, key=lambda failed: (levels.index(failed.failure.level), -failed.failure.times_threshold()))


def day_sentence(day: date, figures: Figures, wrong: Sequence[Wrong], marked: MarkedDays | None = None) -> str:
    """Whether a day with a snapshot can be trusted and, if not, what is ``wrong``, given with the worst first.

    What somebody ``marked`` decides; what the guardrails found is said all the same.
    """
    status = DayStatus(figures.status)
    if status is DayStatus.UNKNOWN:
        return " ".join([_unreadable_sentence(day, wrong), *([visible(marked.sentence)] if marked else [])])
    words = _seen(figures) if status is DayStatus.HEALTHY else _what(day, wrong) or _without_failures(status)
    sentences = [f"{day} {_verdict(status, wrong)}: {words}."]
    if marked is not None and marked.mark is Mark.SPECIAL:
        sentences.append(visible(marked.sentence))
    elif marked is not None:
        verdict = "can be trusted" if is_trustworthy(marked, status) else "cannot be trusted"
        begun, _, said = visible(marked.sentence).partition(" ")
        sentences = [f"{day} {verdict}: {begun.lower()} {said} The guardrails found: {words}."]
    if status is DayStatus.NO_ACTIVITY and figures.expected_events:
        sentences.append(f"About {figures.expected_events:,.0f} were expected.")
    if figures.is_provisional:
        sentences.append("It is provisional: late events may still change it.")
    return " ".join(sentences)


def _unreadable_sentence(day: date, wrong: Sequence[Wrong]) -> str:
    why = failure_words(wrong[0].failure) if wrong else "the day could not be read"
    sentence = f"Whether {day} can be trusted is not known: {why}."
    if wrong and wrong[0].incident.first_day < day:
        sentence += f" The first such day was {wrong[0].incident.first_day}."
    return sentence


def _without_failures(status: DayStatus) -> str:
    """The words where an empty day is not a failure, or the snapshot is newer than the known incidents."""
    if status is DayStatus.NO_ACTIVITY:
        return "not a single event was seen"
    return "a guardrail failed"


def _verdict(status: DayStatus, wrong: Sequence[Wrong]) -> str:
    if status is not DayStatus.DEGRADED:
        return "can be trusted" if status is DayStatus.HEALTHY else "cannot be trusted"
    is_minor = bool(wrong) and wrong[0].failure.level is Level.INFO
    return "can be trusted with care" if is_minor else "can be trusted only in part"


def _seen(figures: Figures) -> str:
    """The number of events and its deviation from what was expected."""
    if not figures.total_events:
        return "not a single event was seen, which is usual on such a day"
    events = f"{figures.total_events:,} event{'' if figures.total_events == 1 else 's'}"
    deviation = figures.volume_deviation_percent
    if deviation is None:
        return f"{events}; the expected number is not known"
    if not round(deviation, 1):
        return f"{events}, as many as expected"
    return f"{events}, {abs(deviation):.1f} % {'more' if deviation > 0 else 'fewer'} than expected"


def _what(day: date, wrong: Sequence[Wrong]) -> str:
    """The worst failure, its beginning and its segment, and in short what else failed."""
    if not wrong:
        return ""
    worst, *rest = wrong
    words = [failure_words(worst.failure), *_since(day, worst), *where_words(worst.failure)]
    return ", ".join(words) + _also([failure_words(other.failure) for other in rest])


def _since(day: date, worst: Wrong) -> list[str]:
    began = worst.incident.first_day
    if began == day:
        return []
    failed, its_days = worst.incident.guardrails[worst.failure.guardrail], worst.incident.days
    # If another guardrail failed first or in between, this one must not seem to have failed on all the days.
    is_same = [failed_day for failed_day in failed if failed_day <= day] == [
        failed_day for failed_day in its_days if failed_day <= day
    ]
    return [f"since {began}" if is_same else f"in an incident that began on {began}"]


def _also(words: Sequence[str]) -> str:
    if not words:
        return ""
    named = words[:MOST_ALSO]
    rest = len(words) - len(named)
    return f"; also {listed([*named, *([f'{rest} more'] if rest else [])])}"
