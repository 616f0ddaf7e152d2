"""Rates: shares that a source defines itself, each compared with its own limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry_quality.core.bases import rate_basis
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import ExtraNumber, Guardrail, RunningView, limit
from telemetry_quality.core.guardrails.lost_bases import RATE_BASE_LOST, Basis, or_lost
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent
from telemetry_quality.core.metrics import Formula, Metric, Unit, percent_of
from telemetry_quality.core.policies import Direction, Setting, Threshold, percent_threshold
from telemetry_quality.core.root_cause.tables import RateMeasure
from telemetry_quality.core.shares import rate_share

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Failure
    from telemetry_quality.core.policies import Policy

PREFIX = "rate_"
"""The prefix of the names of these guardrails and of their numbers."""

RATE_HIGH, RATE_LOW, RATE_OK = "RATE_HIGH", "RATE_LOW", "RATE_OK"
RATE_WITHOUT_BASE = "RATE_WITHOUT_BASE"
"""Why a day is unknown: no event belongs to those that the rate is a share of."""
RATE_NOT_COUNTED = "RATE_NOT_COUNTED"
"""Why a day is unknown: it was scanned before the rate was defined."""


@lru_cache(maxsize=64)
def rate_guardrails(rates: tuple[Rate, ...]) -> tuple[Guardrail, ...]:
    """One guardrail per rate, in the same order."""
    return tuple(map(_guardrail, rates))


def rate_guardrail_named(name: str) -> Guardrail | None:
    """A substitute for the guardrail of a rate whose source is unknown here; its name and short words are right."""
    if not name.startswith(PREFIX):
        return None
    return _guardrail(Rate(name.removeprefix(PREFIX), "", description="A share that a source defines"))


@dataclass(frozen=True, slots=True)
class _Limits:
    """The limits that a rate is compared with."""

    above: Threshold | None
    below: Threshold | None

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        return tuple(threshold for threshold in (self.above, self.below) if threshold is not None)

    def nearest(self, value: float, policy: Policy) -> float | None:
        """The limit closest to ``value``."""
        limits = [policy[threshold] for threshold in self.thresholds]
        return min(limits, key=lambda percent_limit: abs(percent_limit - value), default=None)

    def words(self, policy: Policy) -> str:
        """What is allowed: ``between 1 % and 5 %``."""
        if self.above and self.below:
            return f"between {policy[self.below]:g} % and {policy[self.above]:g} %"
        if self.below:
            return f"at least {policy[self.below]:g} %"
        return f"within {policy[self.above]:g} %" if self.above else "without a limit"


def _guardrail(rate: Rate) -> Guardrail:
    limits = _limits(rate)
    name, metric = f"{PREFIX}{rate.name}", _metric(rate)

    def judge(evidence: Evidence, policy: Policy) -> Verdict:
        """Fails strictly above the upper limit or strictly below the lower one, unless so few events are usual.

        Fails too if no event belongs to those that the rate is a share of, although some usually do.
        """
        basis = Basis(rate_basis(rate.name), RATE_BASE_LOST, f"match {rate.of}", is_partly=False)
        return or_lost(_verdict(rate, limits, evidence, policy), basis, evidence)

    def compute(evidence: Evidence) -> float | None:
        found = rate.found(evidence.rate_counts, evidence.figures.total_events or 0)
        return None if found is None else percent_of(*found)

    def short_words(failure: Failure) -> str:
        share = f"rate {rate.name} {percent(failure.value, failure.threshold, 2)}"
        if failure.value < failure.threshold:
            return f"{share} ({failure.threshold:g} % required)"
        return f"{share} {limit(failure)}"

    return Guardrail(
        name=name,
        level=Level(rate.level),
        description=_description(rate, metric),
        remedy="the alert names the signal, version, dimension and hours",
        judge=judge,
        thresholds=limits.thresholds,
        # A failure of another level is another verdict, so days are judged again when the level changes.
        settings=(Setting(f"rates.{rate.name}.level", rate.level, "the level of a failure"),),
        metric=metric.name,
        numbers=(ExtraNumber(metric, compute),),
        short_words=short_words,
        measures={
            RATE_HIGH: RateMeasure(rate.name, rate.base_name),
            RATE_LOW: RateMeasure(rate.name, rate.base_name, is_of_the_rest=True),
        },
        faults=frozenset({Fault.SPOILED}),
        running_view=RunningView.SO_FAR,
    )


def _limits(rate: Rate) -> _Limits:
    above, below = rate.above_percent, rate.below_percent
    return _Limits(
        None if above is None else _threshold(rate, Direction.ABOVE, above, (max(0.02, above / 10), _at_most(above))),
        None if below is None else _threshold(rate, Direction.BELOW, below, _below_proposed(below)),
    )


def _threshold(rate: Rate, fails: Direction, value: float, proposed: tuple[float, float]) -> Threshold:
    description = f"{rate.level} strictly {fails}"
    return percent_threshold(f"rates.{rate.name}.{fails}_percent", float(value), description, proposed, fails)


def _at_most(value: float) -> float:
    """Ten times ``value``, but at least 1 %, for rates that must never occur, and at most 99 %."""
    return min(99.0, max(1.0, 10 * value))


def _below_proposed(value: float) -> tuple[float, float]:
    """From a tenth of the limit to ten times the limit; for a high limit, of its distance from 100 %."""
    if value < 50:
        return max(0.02, value / 10), _at_most(value)
    rest = max(0.2, 100 - value)
    return max(50.0, 100 - 10 * rest), min(99.95, 100 - rest / 10)


def _metric(rate: Rate) -> Metric:
    label = rate.name.replace("_", " ")
    among = "" if rate.of is None else f", among the events for which {rate.of}"
    base = "events" if rate.of is None else "events that it is a share of"
    return Metric(
        name=rate_share(rate.name),
        label=label.capitalize(),
        description=rate.description or f"Share of events for which {rate.where}{among}",
        unit=Unit.PERCENT,
        kind=float,
        # Extra numbers are computed from the evidence, not by this formula.
        how=Formula(f"100 × matching events / {base}", lambda *_: None),
        digits=2,
        phrase=label,
        is_fact=True,
    )


def _description(rate: Rate, metric: Metric) -> str:
    """What holds on a day that passes, such as ``Share of diverted flights: at most 1 %.``."""
    limits = (("at most", rate.above_percent), ("at least", rate.below_percent))
    words = " and ".join(f"{words} {value:g} %" for words, value in limits if value is not None)
    return f"{metric.description.rstrip('.')}{': ' if words else ''}{words}."


def _verdict(rate: Rate, limits: _Limits, evidence: Evidence, policy: Policy) -> Verdict:
    name, level, total = f"{PREFIX}{rate.name}", Level(rate.level), evidence.figures.total_events or 0
    found = rate.found(evidence.rate_counts, total)
    if not total or found is None or not found[1]:
        code, reason = _why_unknown(rate, total, found)
        sentence = f"The rate {rate.name} cannot be judged: {reason}."
        return Verdict(name, level, Outcome.UNKNOWN, code, None, None, sentence)
    matching, base = found
    value = 100 * matching / base
    threshold = limits.nearest(value, policy)
    outcome, code, words = Outcome.PASSED, RATE_OK, limits.words(policy)
    if limits.above and value > policy[limits.above]:
        threshold = policy[limits.above]
        why = explained_by_usual_share(evidence, rate_share(rate.name), value)
        outcome, code = (Outcome.FAILED, RATE_HIGH) if why is None else (Outcome.PASSED, USUAL_SHARE)
        words = beyond_words(threshold, why)
    elif limits.below and value < policy[limits.below]:
        threshold = policy[limits.below]
        why = explained_by_usual_share(evidence, rate_share(rate.name), value, is_low=True)
        outcome, code = (Outcome.FAILED, RATE_LOW) if why is None else (Outcome.PASSED, USUAL_SHARE)
        words = beyond_words(threshold, why, is_low=True)
    share = percent(value, value if threshold is None else threshold, 2)
    sentence = f"The rate {rate.name} is {share} ({matching:,} of {base:,} events), {words}."
    return Verdict(name, level, outcome, code, value, threshold, sentence)


def _why_unknown(rate: Rate, total: int, found: tuple[int, int] | None) -> tuple[str, str]:
    if not total:
        return NO_EVENTS, "there are no events"
    if found is None:
        return RATE_NOT_COUNTED, "it was not counted when the day was scanned; scan the day again"
    return RATE_WITHOUT_BASE, f"{rate.of} holds for none of {total:,} events"
