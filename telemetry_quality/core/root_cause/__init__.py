"""Root causes: which segments of a day hold how much of a change.

This package searches for the segment; the guardrails decide whether something changed at all.

Every segment that the stored counts can express is a hypothesis: its events changed by a common ratio, all others
by the ratio of the day. The best hypothesis wins by three criteria from the literature:

- *explanatory power*: the likelihood ratio of the segment against the rest, a scan statistic (Kulldorff, "A spatial
  scan statistic", 1997; explanatory power and succinctness as in Adtributor, Bhagwan et al., NSDI 2014);
- the *ripple effect*: all cells inside must change alike and no cell outside may (HotSpot, Sun et al., IEEE Access
  2018; the generalized potential score of Squeeze, Li et al., ISSRE 2019), here as the log-likelihood of all cells
  of each table, in units of the noise that the reference days show;
- *succinctness*: each further condition must be worth its price.
"""

from __future__ import annotations

from telemetry_quality.core.root_cause.answer import find_root_cause
from telemetry_quality.core.root_cause.tables import DayBreakdown, Measure, RateMeasure, reference_days
from telemetry_quality.core.root_cause.within_hours import segment_within
from telemetry_quality.core.root_cause.wording import Cause, cause_of, explained

__all__ = [
    "Cause",
    "DayBreakdown",
    "Measure",
    "RateMeasure",
    "cause_of",
    "explained",
    "find_root_cause",
    "reference_days",
    "segment_within",
]
