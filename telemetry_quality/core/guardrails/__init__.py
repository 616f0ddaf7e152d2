"""The guardrails: one file each, judged together here.

A guardrail looks at a day's figures and a policy, nothing else, so that a stored day can be judged again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails import activity, error_rate, missing_version, sample, volume
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.snapshots import DayFigures


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A named rule with the level its failure has."""

    name: str
    level: Level
    description: str
    judge: Callable[[DayFigures, Policy], Verdict]


GUARDRAILS = tuple(
    Guardrail(room.NAME, room.LEVEL, room.DESCRIPTION, room.judge)
    for room in (activity, error_rate, missing_version, volume, sample)
)


def judge_day(figures: DayFigures, policy: Policy) -> tuple[Verdict, ...]:
    """One verdict per guardrail, in the order of GUARDRAILS; all unknown where the day could not be read."""
    if figures.unreadable_reason_code is not None:
        sentence = f"The day could not be read ({figures.unreadable_reason_code}): {figures.unreadable_reason}"
        return tuple(
            Verdict(rule.name, rule.level, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, sentence) for rule in GUARDRAILS
        )
    return tuple(rule.judge(figures, policy) for rule in GUARDRAILS)
