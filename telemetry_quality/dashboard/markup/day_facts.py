"""The numbers of one day beside their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.dashboard.rendering import NO_BREAK, number, percent, signed

if TYPE_CHECKING:
    from markupsafe import Markup

    from telemetry_quality.dashboard.models import RevisionAnswer, SnapshotLine


class Fact(NamedTuple):
    """One number of a day and what it is held against."""

    words: str
    text: Markup
    limit: str
    is_beyond: bool = False


def day_facts(revision: RevisionAnswer) -> list[Fact]:
    """A day's numbers with their limits; those that its source cannot have are left out."""
    its, policy = revision.snapshot, revision.policy
    facts = [
        Fact("Events", number(its.total_events), _expectation(its)),
        _rate("Errors", its.error_rate_percent, policy.get("error_rate_percent"), its.error_events),
        _rate(
            "No version", its.missing_version_percent, policy.get("missing_version_percent"), its.missing_version_events
        ),
        _sample(its, policy.get("sample_success_percent")),
    ]
    others = (
        ("Repeated", revision.duplicate_percent, policy.get("duplicate_percent"), revision.repeated_events),
        ("Critical field missing", revision.critical_missing_percent, policy.get("critical_missing_percent"), None),
        ("Late", revision.late_percent, None, None),
        ("Impossible time", revision.misdated_percent, policy.get("misdated_percent"), None),
    )
    facts += [_rate(words, value, limit, events) for words, value, limit, events in others if value is not None]
    if revision.completeness_percent is not None:
        words = "usual share of a day by then" + (", provisional" if its.is_provisional else "")
        facts.append(Fact("Arrived", percent(revision.completeness_percent, 1), words))
    return facts


def _expectation(its: SnapshotLine) -> str:
    if its.expected_events is None:
        return "nothing to compare with yet"
    interval = ""
    if its.expected_low_events is not None and its.expected_high_events is not None:
        interval = f"; normal {number(its.expected_low_events)} to {number(its.expected_high_events)}"
    return f"{signed(its.volume_deviation_percent)} against {number(its.expected_events)} expected{interval}"


def _rate(words: str, value: float | None, limit: float | None, events: int | None) -> Fact:
    told = [] if events is None else [f"{number(events)} events"]
    told += [] if limit is None else [f"limit {limit:g}{NO_BREAK}%"]
    is_beyond = value is not None and limit is not None and value > limit
    return Fact(words, percent(value, 2, limit), ", ".join(told), is_beyond)


def _sample(its: SnapshotLine, least: float | None) -> Fact:
    told = [] if its.sample_passed is None else [f"{its.sample_passed} of {its.sample_size}"]
    told += [] if least is None else [f"at least {least:g}{NO_BREAK}%"]
    value = its.sampling_success_rate_percent
    is_beyond = value is not None and least is not None and value < least
    return Fact("Sample passed", percent(value, 1, least), ", ".join(told), is_beyond)
