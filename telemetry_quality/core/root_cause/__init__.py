"""Root causes: which part of a day holds how much of what changed.

Here belongs the search for the place; whether something changed at all is for the guardrails to say.

Every place that the stored counts can express is a hypothesis: its events changed by one common ratio, all others
by the day's own. The best one wins, by three things that the literature asks for:

- *explanatory power*: the likelihood ratio of the place against the rest, a scan statistic (Kulldorff, "A spatial
  scan statistic", 1997; explanatory power and succinctness as in Adtributor, Bhagwan et al., NSDI 2014);
- the *ripple effect*: all cells inside have to change alike and none outside may (HotSpot, Sun et al., IEEE Access
  2018; the generalized potential score of Squeeze, Li et al., ISSRE 2019), here as the log-likelihood of all cells
  of each table, in units of the noise which the reference days show;
- *succinctness*: each further condition has to be worth its price.
"""

from __future__ import annotations

from telemetry_quality.core.root_cause.answer import find_root_cause
from telemetry_quality.core.root_cause.tables import DayBreakdown, Measure, RateMeasure, reference_days
from telemetry_quality.core.root_cause.wording import sentence

__all__ = ["DayBreakdown", "Measure", "RateMeasure", "find_root_cause", "reference_days", "sentence"]
