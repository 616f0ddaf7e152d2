"""The guardrails: one file each, judged together here.

A guardrail looks at a day's evidence and a policy, nothing else: neither a later day nor the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails import (
    activity,
    arrival_lag,
    critical_fields,
    duplicates,
    error_rate,
    leak,
    missing_version,
    sample,
    silence,
    timestamps,
    version_drift,
    volume,
)
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A named rule with the level its failure usually has.

    Attributes:
        applies: Whether a source of this schema can be judged by it at all.
    """

    name: str
    level: Level
    description: str
    judge: Callable[[Evidence, Policy], Verdict]
    applies: Callable[[EventSchema], bool]


def _always(_: EventSchema) -> bool:
    return True


GUARDRAILS = tuple(
    Guardrail(room.NAME, room.LEVEL, room.DESCRIPTION, room.judge, getattr(room, "applies", _always))
    for room in (
        activity,
        error_rate,
        missing_version,
        volume,
        sample,
        duplicates,
        silence,
        leak,
        version_drift,
        critical_fields,
        arrival_lag,
        timestamps,
    )
)


def guardrails_of(schema: EventSchema) -> tuple[Guardrail, ...]:
    """Those that a source of this schema can be judged by, in the order of GUARDRAILS."""
    return tuple(rule for rule in GUARDRAILS if rule.applies(schema))


def judge_day(evidence: Evidence, policy: Policy, schema: EventSchema) -> tuple[Verdict, ...]:
    """One verdict per guardrail of the source; all unknown where the day could not be read."""
    rules = guardrails_of(schema)
    figures = evidence.figures
    if figures.unreadable_reason_code is not None:
        sentence = f"The day could not be read ({figures.unreadable_reason_code}): {figures.unreadable_reason}"
        return tuple(
            Verdict(rule.name, rule.level, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, sentence) for rule in rules
        )
    return tuple(rule.judge(evidence, policy) for rule in rules)
