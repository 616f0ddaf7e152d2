"""Critical fields: events that lack values which their users cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, limit
from telemetry_quality.core.guardrails.said_once import listed
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Contributor, Level, Outcome, Segment, Verdict, percent
from telemetry_quality.core.policies import percent_threshold
from telemetry_quality.core.root_cause.tables import Measure
from telemetry_quality.core.shares import field_share

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Failure
    from telemetry_quality.core.policies import Policy

NAME = "critical_fields"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "critical_missing_percent", 1.0, "share of events without a critical field; WARNING strictly above", (0.1, 50.0)
)


def applies(schema: EventSchema) -> bool:
    """Whether the source has critical fields."""
    return bool(schema.critical_fields)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; the field that is missing most often decides.

    On a day of few events, fields that are usually missing as often pass.
    """
    total, threshold = evidence.figures.total_events, policy[THRESHOLD]
    if not total:
        sentence = "Critical fields cannot be judged: there are no events."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, NO_EVENTS, None, threshold, sentence)
    ordered = sorted(evidence.missing_critical.items(), key=lambda item: (-item[1], item[0]))
    shares = {name: 100 * missing / total for name, missing in ordered}
    worst = max(shares.values(), default=None)
    if worst is None:
        sentence = "Critical fields cannot be judged: they were not counted."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, "NOT_COUNTED", None, threshold, sentence)
    beyond = {name: share for name, share in shares.items() if share > threshold}
    explained = {name: explained_by_usual_share(evidence, field_share(name), share) for name, share in beyond.items()}
    failing = {name: share for name, share in beyond.items() if explained[name] is None}
    if not failing:
        name = next(iter(shares))
        words = beyond_words(threshold, explained[name]) if beyond else f"within {threshold:g} %"
        sentence = f"{percent(worst, threshold, 2)} of {total:,} events carry no {name}, {words}."
        if not worst:
            sentence = f"All {total:,} events carry {listed(sorted(shares))}."
        code = USUAL_SHARE if beyond else "CRITICAL_FIELDS_PRESENT"
        return Verdict(NAME, LEVEL, Outcome.PASSED, code, worst, threshold, sentence)
    facts = [
        f"{percent(share, threshold, 2)} carry no {name} ({evidence.missing_critical[name]:,})"
        for name, share in failing.items()
    ]
    sentence = f"Of {total:,} events {listed(facts)}, more than the {threshold:g} % allowed."
    contributors = tuple(Contributor(Segment(((name, None),)), threshold, share) for name, share in failing.items())
    return Verdict(NAME, LEVEL, Outcome.FAILED, "CRITICAL_FIELD_MISSING", worst, threshold, sentence, contributors)


def _short_words(failure: Failure) -> str:
    """The segment that the guardrail blames names the critical field that is missing most often."""
    name = (failure.segment or "").removesuffix("=(null)")
    field = "a critical field" if not name or name == failure.segment else name
    return f"{percent(failure.value, failure.threshold, 2)} of events without {field} {limit(failure)}"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="At most the threshold (1 % unless set) of the events carries no value in any one critical field.",
    remedy="find the client that stopped sending it",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="critical_missing_percent",
    short_words=_short_words,
    measure=Measure.MISSING_CRITICAL,
    faults=frozenset({Fault.SPOILED}),
    applies=applies,
    is_segment_in_words=True,
)
