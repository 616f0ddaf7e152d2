"""Verdicts of the running day: what failed at the ends of its hours, once per guardrail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry_quality.core.guardrails.verdicts import Contributor, Verdict

MOST_SENTENCES = 3
"""Sentences about different hours that a verdict keeps, the latest last."""


def verdicts_of_day(per_hour: Iterable[Sequence[Verdict]]) -> tuple[Verdict, ...]:
    """One failed verdict per guardrail that failed at the end of any hour, in the order in which they first failed.

    What failed stays failed until the day is judged as a whole: a rate that falls below its threshold again, and hours
    that pass after hours that were missing, mend nothing. A run of hours that grew is kept as it was found last.

    Args:
        per_hour: The verdicts that failed at the end of each hour, oldest first.
    """
    found: dict[str, list[Verdict]] = {}
    for verdicts in per_hour:
        for verdict in verdicts:
            found.setdefault(verdict.guardrail, []).append(verdict)
    return tuple(_combined(verdicts) for verdicts in found.values())


def _combined(verdicts: Sequence[Verdict]) -> Verdict:
    """The latest of several failures of one guardrail, with all that earlier ones said of other hours."""
    kept: list[Verdict] = []
    for verdict in verdicts:
        kept = [earlier for earlier in kept if not _says_more(verdict, earlier)]
        kept.append(verdict)
    latest, levels = kept[-1], list(Level)
    return replace(
        latest,
        level=min((verdict.level for verdict in verdicts), key=levels.index),
        sentence=" ".join(verdict.sentence for verdict in kept[-MOST_SENTENCES:]),
        contributors=tuple(contributor for verdict in kept for contributor in verdict.contributors),
    )


def _says_more(later: Verdict, earlier: Verdict) -> bool:
    """Whether a later verdict says all that an earlier one said: of the whole day so far, or of the same hours."""
    if not earlier.contributors or any(each.segment.hours is None for each in earlier.contributors):
        return True
    return all(any(_meets(wide, run) for wide in later.contributors) for run in earlier.contributors)


def _meets(later: Contributor, earlier: Contributor) -> bool:
    """Whether two runs of hours have an hour in common; a growing run may lose its first hours."""
    if later.segment.hours is None or earlier.segment.hours is None:
        return False
    return later.segment.hours[0] <= earlier.segment.hours[1] and earlier.segment.hours[0] <= later.segment.hours[1]
