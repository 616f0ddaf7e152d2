"""Proposals: which threshold to set instead of today's, if any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from telemetry_quality.core.tuning.backtest import alarms_at, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.tuning.backtest import Score, Trial

MINIMUM_DAYS = 14
"""Nothing is proposed from fewer judged days."""

CERTAIN_DAYS = 60
"""From fewer judged days, a threshold is only loosened, and only if its false alarms are certainly too many."""

MINIMUM_TRIES = 10
"""A catch rate from fewer tries is not compared with another."""

CLEARLY_POINTS = 5.0
"""How much more must be caught on average before a threshold that fits is replaced."""

STEP_RATIO = 0.85
"""A threshold at most this ratio of the next one is a step stricter; all round values are."""


class Advice(StrEnum):
    """What tuning says about a threshold."""

    KEEP = "keep"
    TIGHTEN = "tighten"
    LOOSEN = "loosen"
    NO_THRESHOLD = "no_threshold"
    TOO_LITTLE_HISTORY = "too_little_history"
    NOTHING_FITS = "nothing_fits"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do about a threshold.

    Attributes:
        today: The score at today's threshold.
        proposed: The score at the threshold to set instead; None if nothing is proposed.
        sentence: The reason, for a person.
    """

    guardrail: str
    setting: str | None
    advice: Advice
    today: Score
    proposed: Score | None
    sentence: str


def propose(trial: Trial, target: float = 1.0) -> Proposal:
    """The threshold that catches most while raising at most ``target`` false alarms per 100 days.

    A year of days is little evidence for choosing between ten thresholds, and one that only just fits these days
    will not fit the next year. So a threshold fits only if the next stricter one, about a fifth nearer
    to the noise, raises at most ``target`` both in the earlier half of the days and in the later half.
    Today's threshold was not chosen by these days: it fits if it raises at most ``target``.

    A threshold with alarms that somebody dismissed does not fit, and one that misses a day that somebody confirmed, and
    that today's finds, is never proposed. From fewer than CERTAIN_DAYS a threshold is only loosened, and only if
    somebody dismissed its alarms, or the 95 % interval of its false alarms lies above ``target``.

    If today's fits, it stays unless another that fits catches CLEARLY_POINTS more. A threshold that would hide
    what today's catches (see ``Fault.kept_ratio``), or is not known to catch anything, is never proposed. If that
    leaves none that fits, the one with the fewest alarms, or the strictest within ``target`` on these days, is
    proposed if it at least halves the alarms.
    """
    today = trial.at(trial.today)
    if trial.setting is None:
        return _nothing(trial, Advice.NO_THRESHOLD, "It has no threshold.")
    if today.judged_days < MINIMUM_DAYS:
        return _nothing(trial, Advice.TOO_LITTLE_HISTORY, _too_little(today))
    allowed = [position for position in _proposable(trial) if _is_useful(trial.at(position), today)]
    is_young = today.judged_days < CERTAIN_DAYS
    if is_young:
        lowest, _ = today.alarms_interval or (0.0, 0.0)
        if lowest <= target and not today.dismissed_alarms:
            return _nothing(trial, Advice.KEEP, f"Nothing is certain yet. {_uncertainty(today)}")
        allowed = [position for position in allowed if position > trial.today]
    best = _best(trial, [position for position in allowed if _fits(trial, position, target)])
    if (today.alarms_per_100_days or 0) <= target and not today.dismissed_alarms:
        return _better(trial, best)
    proposal = _quieter(trial, best, allowed, target)
    return replace(proposal, sentence=f"{proposal.sentence} {_uncertainty(today)}") if is_young else proposal


def _uncertainty(score: Score) -> str:
    low, high = score.alarms_interval or (0.0, 100.0)
    failed = f"{score.alarms} of {score.judged_days} days failed"
    return f"{failed}, which may be {low:.0f} to {high:.0f} in 100 in the long run."


def _better(trial: Trial, best: int | None) -> Proposal:
    """The proposal if today's threshold fits: only a threshold that catches clearly more replaces it."""
    if best is None or _caught(trial.at(best)) < _caught(trial.at(trial.today)) + CLEARLY_POINTS:
        return _nothing(trial, Advice.KEEP, "Today's threshold fits, and no other that fits catches clearly more.")
    return _change(trial, best, "Today's threshold fits; this one fits too and catches clearly more.")


def _quieter(trial: Trial, best: int | None, allowed: Sequence[int], target: float) -> Proposal:
    """The proposal if today's threshold raises too many false alarms."""
    if best is not None:
        return _change(trial, best, "Today's threshold raises too many false alarms; this one fits with a margin.")
    quietest = min(
        allowed,
        key=lambda position: (trial.at(position).dismissed_alarms, _excess(trial.at(position), target), position),
        default=trial.today,
    )
    if quietest != trial.today and 2 * trial.at(quietest).alarms <= trial.at(trial.today).alarms:
        return _change(
            trial,
            quietest,
            "Today's threshold raises too many false alarms; this one fits, but without a margin."
            if not _excess(trial.at(quietest), target)
            else "No threshold fits without hiding faults; this one raises at most half as many alarms as today's.",
        )
    return _nothing(
        trial,
        Advice.NOTHING_FITS,
        "No other threshold raises far fewer false alarms and is known to catch what it should: look at the days "
        "themselves, and confirm those that were incidents.",
    )


def _proposable(trial: Trial) -> list[int]:
    low, high = trial.threshold.proposed if trial.threshold else (0.0, 0.0)
    return [
        position
        for position, value in enumerate(trial.thresholds)
        if position != trial.today and value is not None and low <= value <= high
    ]


def _fits(trial: Trial, position: int, target: float) -> bool:
    stricter = max(
        (candidate for candidate in range(position) if _is_a_step(trial, candidate, position)), default=position
    )
    middle = len(trial.failing) // 2
    halves = trial.failing[:middle], trial.failing[middle:]
    return not trial.at(position).dismissed_alarms and all(
        100 * alarms_at(half, stricter) <= target * len(half) for half in halves
    )


def _is_a_step(trial: Trial, stricter: int, position: int) -> bool:
    """Whether two thresholds are a whole step apart; today's may lie anywhere between the round values."""
    if trial.threshold is None:
        return False
    near, far = (reach(trial.threshold, trial.thresholds[index] or 0.0) for index in (stricter, position))
    return near <= STEP_RATIO * far


def _is_useful(score: Score, today: Score) -> bool:
    """Whether the threshold is known to catch something, and enough of what today's threshold finds and catches."""
    if not score.catch_percent or score.found_days < today.found_days:
        return False
    for fault, before in today.catches.items():
        after = score.catches.get(fault)
        if after is None or before.tried < MINIMUM_TRIES or before.percent is None:
            continue
        if (after.percent or 0) < fault.kept_ratio * before.percent:
            return False
    return True


def _best(trial: Trial, positions: Sequence[int]) -> int | None:
    """Of the thresholds that catch most, give or take a point, the nearest to today's."""
    if not positions:
        return None
    most = max(_caught(trial.at(position)) for position in positions)
    good = [position for position in positions if _caught(trial.at(position)) >= most - 1]
    return min(good, key=lambda position: abs(position - trial.today))


def _excess(score: Score, target: float) -> float:
    return max((score.alarms_per_100_days or 0.0) - target, 0.0)


def _caught(score: Score) -> float:
    return score.catch_percent or 0.0


def _too_little(score: Score) -> str:
    if not score.judged_days:
        return f"It could not judge any of the {score.unknown_days} days."
    return f"At least {MINIMUM_DAYS} judged days are required, but only {score.judged_days} are known."


def _nothing(trial: Trial, advice: Advice, sentence: str) -> Proposal:
    return Proposal(trial.guardrail, trial.setting, advice, trial.at(trial.today), None, sentence)


def _change(trial: Trial, position: int, sentence: str) -> Proposal:
    advice = Advice.TIGHTEN if position < trial.today else Advice.LOOSEN
    return Proposal(trial.guardrail, trial.setting, advice, trial.at(trial.today), trial.at(position), sentence)
