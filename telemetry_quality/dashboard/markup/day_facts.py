"""The numbers of a day next to their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.guardrails.catalogue import metric_named
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.dashboard.markup.numbers import limits_of, metrics_of, text_of, value_of
from telemetry_quality.dashboard.rendering import number, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.dashboard.models import RevisionResponse, SnapshotLine


class Fact(NamedTuple):
    """A number of a day and the limit it is compared with."""

    words: str
    text: Markup
    limit: str
    is_beyond: bool = False


def day_facts(revision: RevisionResponse, rules: Sequence[Guardrail]) -> list[Fact]:
    """A day's numbers with their limits, without those that its source cannot have."""
    shown = [metric for metric in metrics_of([revision], rules) if metric.is_fact]
    facts = [
        _fact(metric, revision, rules)
        for metric in shown
        if metric.is_listed or value_of(revision, metric.name) is not None
    ]
    if revision.completeness_percent is not None:
        arrived = metric_named("completeness_percent")
        words = "usual share of a day by then" + (", provisional" if revision.snapshot.is_provisional else "")
        facts.append(Fact(arrived.label, text_of(arrived, revision.completeness_percent), words))
    return facts


def _fact(metric: Metric, revision: RevisionResponse, rules: Sequence[Guardrail]) -> Fact:
    value, limits = value_of(revision, metric.name), limits_of(metric.name, rules, revision.policy)
    words = [_expectation(revision.snapshot)] if metric.name == "total_events" else _counted(metric, revision)
    words += [limit.words for limit in limits]
    is_beyond = value is not None and any(limit.is_beyond(value) for limit in limits)
    text = text_of(metric, value, limits[0].value if limits else None)
    return Fact(metric.label, text, ", ".join(words), is_beyond and not _has_passed(metric, revision, rules))


def _has_passed(metric: Metric, revision: RevisionResponse, rules: Sequence[Guardrail]) -> bool:
    """Whether a guardrail of the number let the day pass, such as a day of few events whose share is usual."""
    names = {rule.name for rule in rules if rule.metric == metric.name}
    return any(verdict.guardrail in names and verdict.outcome is Outcome.PASSED for verdict in revision.verdicts)


def _counted(metric: Metric, revision: RevisionResponse) -> list[str]:
    """The number of events behind a share, where they are counted."""
    count = value_of(revision, metric.count) if metric.count else None
    if count is None:
        return []
    return [f"{number(count)} events" if metric.whole is None else f"{count} of {value_of(revision, metric.whole)}"]


def _expectation(snapshot: SnapshotLine) -> str:
    if snapshot.expected_events is None:
        return "nothing to compare with yet"
    interval = ""
    if snapshot.expected_low_events is not None and snapshot.expected_high_events is not None:
        interval = f"; normal {number(snapshot.expected_low_events)} to {number(snapshot.expected_high_events)}"
    return f"{signed(snapshot.volume_deviation_percent)} against {number(snapshot.expected_events)} expected{interval}"
