"""The known faults that guardrails declare to notice; ``core.tuning`` puts them into normal days."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Fault(StrEnum):
    """A known fault, injected into a normal day; the values are keys in JSON responses.

    Attributes:
        label: The heading in tables.
        kept_ratio: The share of what today's threshold catches that a looser threshold must still catch: a gross
            fault must not be hidden to get fewer alarms. 0 if none must be caught. A leak is the exception: its
            guardrail is the noisiest, and a later catch may be worth fewer alarms, but losing most catches is not.
    """

    label: str
    kept_ratio: float

    def __new__(cls, value: str, label: str, kept_ratio: float = 0.0) -> Self:
        """A member with this value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.kept_ratio = kept_ratio
        return member

    DROP_20 = "drop_20_percent", "−20 %"
    DROP_35 = "drop_35_percent", "−35 %"
    DROP_50 = "drop_50_percent", "−50 %", 0.95
    RISE_50 = "rise_50_percent", "+50 %"
    DOUBLED = "doubled", "doubled", 0.95
    """Every event is delivered twice."""
    ZERO = "zero", "zero", 0.95
    LEAK = "leak_2_percent_a_day", "leak", 0.5
    """Each day loses 2 % of what was left on the day before."""
    TAGS = "missing_tags", "no tags", 0.95
    """One value of the first dimension, or else one signal, sends no versions."""
    DEAD_HOURS = "three_dead_hours", "3 h out", 0.95
    """Three hours in a row that are at least as busy as the average lose all their events."""
    BURST = "three_hours_of_errors", "3 h errors", 0.95
    """In three such hours, every second event without an error becomes an error."""
    SIGNAL_FAILS = "failing_signal", "signal fails", 0.95
    """Half of the good events of a small signal turn into errors."""
    SIGNAL_HALVED = "halved_signal", "signal halved"
    """A small signal loses half of its events."""
    SPOILED = "spoiled_10_percent", "10 % bad", 0.95
    """One in ten good events turns bad: an error, without critical fields, late, with an impossible timestamp, without
    a readable one, and on the wrong side of the limit of each rate."""
