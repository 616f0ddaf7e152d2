"""Dimensions: events stop carrying a value of a dimension, so that nothing can be watched or found within it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.bases import dimension_basis
from telemetry_quality.core.detectors.lost_bases import LEAST_LOSS_PERCENT, lost_basis
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.lost_bases import DIMENSION_LOST, loss_words
from telemetry_quality.core.guardrails.said_once import listed
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Contributor, Level, Outcome, Segment, Verdict

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "dimensions"
LEVEL = Level.WARNING


def applies(schema: EventSchema) -> bool:
    """Whether the source has dimensions."""
    return bool(schema.dimensions)


def judge(evidence: Evidence, _: Policy) -> Verdict:
    """Fails if far fewer events than usual carry a value of a dimension; a null and a blank text are none."""
    if not evidence.figures.total_events:
        sentence = "Dimensions cannot be judged: there are no events."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, NO_EVENTS, None, None, sentence)
    prefix = dimension_basis("")
    dimensions = [name.removeprefix(prefix) for name in evidence.bases if name.startswith(prefix)]
    found = ((name, lost_basis(evidence.day, evidence.bases[dimension_basis(name)])) for name in dimensions)
    lost = {name: loss for name, loss in found if loss is not None}
    if not lost:
        sentence = "As many events as usual carry a value of each dimension."
        return Verdict(NAME, LEVEL, Outcome.PASSED, "DIMENSIONS_PRESENT", None, LEAST_LOSS_PERCENT, sentence)
    contributors = tuple(
        Contributor(
            Segment(((name, None),)),
            100 * (1 - loss.usual),
            100 * (1 - loss.found),
            since=loss.since if loss.since < evidence.day else None,
        )
        for name, loss in lost.items()
    )
    value = max(loss.lost_percent for loss in lost.values())
    sentence = listed([loss_words(loss, f"carry a {name}", evidence) for name, loss in lost.items()])
    return Verdict(NAME, LEVEL, Outcome.FAILED, DIMENSION_LOST, value, LEAST_LOSS_PERCENT, f"{sentence}.", contributors)


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="As many events as usual carry a value of each dimension.",
    remedy="find the client that stopped sending it",
    judge=judge,
    short_words=lambda failure: f"{failure.value:.0f} % of the usual events have lost a dimension",
    applies=applies,
)
