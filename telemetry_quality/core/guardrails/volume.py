"""Volume: far more or far fewer events than earlier days lead one to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.snapshots import DayFigures

NAME = "volume"
LEVEL = Level.INFO
DESCRIPTION = "The number of events is within the threshold (30 % unless set) of what earlier days suggest."


def judge(figures: DayFigures, policy: Policy) -> Verdict:
    """Fails strictly beyond the threshold, upwards or downwards; unknown while the history is too short."""
    deviation, threshold = figures.volume_deviation_percent, policy.volume_deviation_percent
    if figures.expected_events is None:
        outcome, code = Outcome.UNKNOWN, "HISTORY_TOO_SHORT"
        sentence = "The volume cannot be judged yet: too few earlier days are known."
    elif deviation is None:
        outcome, code = Outcome.UNKNOWN, "NOTHING_EXPECTED"
        sentence = f"{figures.total_events:,} events cannot be compared with the none that earlier days suggest."
    else:
        direction = "above" if deviation > 0 else "below" if deviation < 0 else "from"
        facts = (
            f"{figures.total_events:,} events are {percent(abs(deviation), threshold, 1)} {direction} "
            f"the {figures.expected_events:,.0f} expected"
        )
        if abs(deviation) > threshold:
            outcome, code = Outcome.FAILED, "VOLUME_HIGH" if deviation > 0 else "VOLUME_LOW"
            sentence = f"{facts}, farther than the {threshold:g} % allowed."
        else:
            outcome, code, sentence = Outcome.PASSED, "VOLUME_OK", f"{facts}, within {threshold:g} %."
    return Verdict(NAME, LEVEL, outcome, code, deviation, threshold, sentence)
