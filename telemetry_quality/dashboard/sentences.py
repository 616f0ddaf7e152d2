"""Verdicts in words: what is wrong with a day, how much, since when and where.

A guardrail's own sentence shows everything; here stands what somebody in a hurry has to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.guardrails.catalogue import guardrail_named
from telemetry_quality.core.guardrails.guardrail import Failure
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import EVERYWHERE, UNREADABLE
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents import FailedGuardrail, Incident
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.storage.reader import JournalRow

    Figures = JournalRow | TelemetryIntegritySnapshot
    """A day's numbers, as the journal or the whole snapshot has them."""

MOST_ALSO = 2
"""Failures shown beside the worst one; the page lists the others."""

LONGEST_SEGMENT = 120
"""Characters of a place: values of events may be long, and a sentence has to stay readable."""


class Wrong(NamedTuple):
    """One failure of a day, and the incident it belongs to."""

    failure: FailedGuardrail
    incident: Incident


def wrong_on(day: date, incidents: Iterable[Incident]) -> list[Wrong]:
    """What failed on a day, the worst first."""
    touching = [one for one in incidents if one.first_day <= day <= one.last_day]
    found = [Wrong(failure, one) for one in touching for failure in one.failures if failure.day == day]
    levels = list(Level)
    return sorted(found, key=lambda one: (levels.index(one.failure.level), -one.failure.times_threshold()))


def day_sentence(day: date, figures: Figures, wrong: Sequence[Wrong]) -> str:
    """Whether a day with a snapshot can be trusted, and what of ``wrong``, the worst first, is wrong otherwise."""
    status = DayStatus(figures.status)
    if status is DayStatus.UNKNOWN:
        return _unreadable_sentence(day, wrong)
    words = _seen(figures) if status is DayStatus.HEALTHY else _what(day, wrong) or _without_failures(status)
    sentences = [f"{day} {_verdict(status, wrong)}: {words}."]
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
    """Where an empty day is no fault, or the snapshot is younger than the incidents that are known."""
    if status is DayStatus.NO_ACTIVITY:
        return "not a single event was seen"
    return "a guardrail failed"


def _verdict(status: DayStatus, wrong: Sequence[Wrong]) -> str:
    if status is not DayStatus.DEGRADED:
        return "can be trusted" if status is DayStatus.HEALTHY else "cannot be trusted"
    is_minor = bool(wrong) and wrong[0].failure.level is Level.INFO
    return "can be trusted with care" if is_minor else "can be trusted only in part"


def _seen(figures: Figures) -> str:
    """How many events, and how far from what was expected."""
    events = f"{figures.total_events:,} event{'' if figures.total_events == 1 else 's'}"
    deviation = figures.volume_deviation_percent
    if deviation is None:
        return f"{events}; how many to expect is not known"
    if not round(deviation, 1):
        return f"{events}, as many as expected"
    return f"{events}, {abs(deviation):.1f} % {'more' if deviation > 0 else 'fewer'} than expected"


def _what(day: date, wrong: Sequence[Wrong]) -> str:
    """The worst failure with its beginning and place, and shortly what failed beside it."""
    if not wrong:
        return ""
    worst, *others = wrong
    words = [failure_words(worst.failure), *_since(day, worst), *_where(worst.failure)]
    return ", ".join(words) + _also([failure_words(one.failure) for one in others])


def _since(day: date, worst: Wrong) -> list[str]:
    began = worst.incident.first_day
    if began == day:
        return []
    failed, its_days = worst.incident.guardrails[worst.failure.guardrail], worst.incident.days
    # Where another guardrail failed in between, or first, this one must not seem to have failed all the time.
    is_same = [one for one in failed if one <= day] == [one for one in its_days if one <= day]
    return [f"since {began}" if is_same else f"in an incident that began on {began}"]


def _where(failure: FailedGuardrail) -> list[str]:
    """The place that holds most of it, or more than any other; nothing where none is known."""
    rule = guardrail_named(failure.guardrail)
    if rule is not None and rule.is_segment_in_words:
        return []
    if failure.root_cause not in {EVERYWHERE, UNREADABLE}:
        is_shared_out = rule is None or rule.shares_out
        return [f"{'most of it ' if is_shared_out else ''}at {segment_words(failure.root_cause)}"]
    if failure.foremost == EVERYWHERE:
        return ["spread over the whole stream"]
    return [f"above all at {segment_words(failure.foremost)}"] if failure.foremost else []


def _also(words: Sequence[str]) -> str:
    if not words:
        return ""
    named = words[:MOST_ALSO]
    rest = len(words) - len(named)
    return f"; also {listed([*named, *([f'{rest} more'] if rest else [])])}"


def failure_words(failure: FailedGuardrail) -> str:
    """One failure in a few words, such as ``error rate 50.75 % (limit 5 %)``; its own sentence where none are known."""
    value, threshold, rule = failure.value, failure.threshold, guardrail_named(failure.guardrail)
    if (
        failure.root_cause == UNREADABLE
        or rule is None
        or rule.short_words is None
        or value is None
        or threshold is None
    ):
        return _clause(failure.sentence)
    segment = None if failure.root_cause == EVERYWHERE else segment_words(failure.root_cause)
    return rule.short_words(Failure(value, threshold, segment))


def incident_sentence(incident: Incident) -> str:
    """What happened in an incident, since when and where."""
    peak, count = incident.peak, len(incident.days)
    worst = ", ".join([failure_words(peak), *_where(peak)])
    if count == 1:
        return f"{peak.day}: {worst}."
    when = f"Since {incident.first_day}" if incident.is_open else f"{incident.first_day} to {incident.last_day}"
    return f"{when} ({count} failed days), at its worst on {peak.day}: {worst}."


def segment_words(segment: str) -> str:
    """A place as it is, cut where it is long, without characters that nobody sees."""
    text = segment if len(segment) <= LONGEST_SEGMENT else f"{segment[:LONGEST_SEGMENT]}…"
    return visible(text)


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _clause(sentence: str) -> str:
    """A sentence as a part of another one."""
    text = visible(sentence).rstrip(".")
    starts_a_word = text[:2].istitle() or text.startswith("A ")
    return f"{text[:1].lower()}{text[1:]}" if starts_a_word else text
