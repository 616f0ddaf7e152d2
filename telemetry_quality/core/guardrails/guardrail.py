"""How a guardrail describes itself: all that settings, tuning, Dagster, pages, alerts and docs need to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.guardrails.verdicts import Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.faults import Fault
    from telemetry_quality.core.guardrails.verdicts import Level
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.policies import Policy, Setting, Threshold
    from telemetry_quality.core.root_cause.tables import Measure, RateMeasure


class Failure(NamedTuple):
    """What a failure's short words are made from.

    Attributes:
        segment: The segment that the failure blames; None for the whole stream or if it is not known.
    """

    value: float
    threshold: float
    segment: str | None


ShortWords = Callable[[Failure], str]
"""A failure in a few words, such as ``error rate 50.75 % (limit 5 %)``."""


def limit(failure: Failure) -> str:
    """The threshold in parentheses: ``(limit 5 %)``."""
    return f"(limit {failure.threshold:g} %)"


def share_words(what: str) -> ShortWords:
    """Short words for a share of events: ``7.00 % of events arrived late (limit 5 %)``."""
    return lambda failure: f"{percent(failure.value, failure.threshold, 2)} of events {what} {limit(failure)}"


class AcceptedAs(StrEnum):
    """How a failure that somebody accepted becomes normal."""

    LIMIT = "limit"
    """What is no worse than the accepted failure passes."""
    LEVEL = "level"
    """The guardrail takes the accepted days as the new level of the stream, and judges later days by that."""
    SEGMENT = "segment"
    """The segments that failed are learnt afresh from the first accepted day on."""
    RATE = "rate"
    """The error rates of the segments that failed are learnt afresh, and what is no worse passes."""


class RunningView(StrEnum):
    """What of a running day a guardrail judges at the end of each hour."""

    LAST_HOURS = "last_hours"
    """A run of hours that ends with the last one, given the 24 hours up to its end."""
    SO_FAR = "so_far"
    """All hours of the day that are over, as if it ended there."""


@dataclass(frozen=True, slots=True)
class ExtraNumber:
    """A number of the day that a guardrail adds; stored in ``DayFigures.extra_numbers``.

    Attributes:
        metric: The declaration of the number.
        compute: Returns the number of a day, None if it is not known; called only for days that could be read.
    """

    metric: Metric
    compute: Callable[[Evidence], float | None]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A named rule that judges a day by its evidence and the policy alone.

    Attributes:
        name: Lower-case words; also the name of the Dagster check, and the name in alerts and in JSON.
        level: The usual level of a failure.
        description: One sentence that says what holds on a day that passes.
        remedy: What to do after a failure, for the docs.
        judge: Returns the verdict on a day that could be read.
        thresholds: The settings that the judged number is compared with; usually one, sometimes none.
        settings: Further settings that only this guardrail has.
        metric: The name of the number that is compared with the thresholds.
        numbers: Numbers that the guardrail adds to the day.
        short_words: Describes a failure in a few words; without it the sentence is shown.
        measure: What to search for the root cause; None if the guardrail names it itself or needs none.
        measure_within: What to search for a single segment, within the hours that the guardrail names.
        measures: The measures that replace ``measure`` for failures with certain reason codes; None for no search.
        faults: The known faults that the guardrail should catch when thresholds are tried.
        applies: Whether the guardrail can judge a source of this schema at all.
        knows_usual: Whether a number beyond the threshold passes if it is usual for the stream.
        is_segment_in_words: Whether ``short_words`` name the segment.
        accepted_as: How a failure that somebody accepted becomes normal.
        needs_ordinary_days: Whether it compares the day with ordinary days, which says nothing about a special day.
        reads_slices: Whether the guardrail looks at every segment or hour of many days, which takes milliseconds.
        running_view: What of a running day it judges; None if it waits for the end of the day.
    """

    name: str
    level: Level
    description: str
    judge: Callable[[Evidence, Policy], Verdict]
    remedy: str = ""
    thresholds: tuple[Threshold, ...] = ()
    settings: tuple[Setting[Any], ...] = ()
    metric: str | None = None
    numbers: tuple[ExtraNumber, ...] = ()
    short_words: ShortWords | None = None
    measure: Measure | None = None
    measure_within: Measure | None = None
    measures: Mapping[str, RateMeasure | None] = field(default_factory=dict, hash=False)
    faults: frozenset[Fault] = field(default_factory=frozenset)
    applies: Callable[[EventSchema], bool] = lambda _: True
    knows_usual: bool = False
    is_segment_in_words: bool = False
    accepted_as: AcceptedAs = AcceptedAs.LIMIT
    needs_ordinary_days: bool = False
    reads_slices: bool = False
    running_view: RunningView | None = None

    @property
    def all_settings(self) -> tuple[Setting[Any], ...]:
        """The thresholds and the further settings."""
        return (*self.thresholds, *self.settings)

    def measure_of(self, verdict: Verdict) -> Measure | RateMeasure | None:
        """What to search for the root cause of this failure."""
        return self.measures.get(verdict.reason_code, self.measure)
