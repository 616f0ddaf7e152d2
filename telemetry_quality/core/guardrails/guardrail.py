"""What a guardrail says of itself: everything that settings, tuning, Dagster, pages, alerts and docs need to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.guardrails.verdicts import Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.verdicts import Level
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.policies import Policy, Setting, Threshold
    from telemetry_quality.core.root_cause.tables import Measure, RateMeasure
    from telemetry_quality.core.tuning.faults import Fault


class Failure(NamedTuple):
    """What short words are made of.

    Attributes:
        segment: The segment that the failure blames, None where it is the whole stream or not known.
    """

    value: float
    threshold: float
    segment: str | None


ShortWords = Callable[[Failure], str]
"""A failure in a few words, such as ``error rate 50.75 % (limit 5 %)``."""


def limit(failure: Failure) -> str:
    """``(limit 5 %)``."""
    return f"(limit {failure.threshold:g} %)"


def share_words(what: str) -> ShortWords:
    """Short words for a share of events: ``7.00 % of events arrived late (limit 5 %)``."""
    return lambda failure: f"{percent(failure.value, failure.threshold, 2)} of events {what} {limit(failure)}"


@dataclass(frozen=True, slots=True)
class ExtraNumber:
    """A number of the day that a guardrail adds; it is held in ``DayFigures.extra_numbers``.

    Attributes:
        metric: Its declaration.
        compute: The number of a day, None where it is not known; asked only of days that could be read.
    """

    metric: Metric
    compute: Callable[[Evidence], float | None]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A named rule that judges a day by its evidence and the policy, by nothing else.

    Attributes:
        name: Lower-case words; the name of the Dagster check, in alerts and in JSON.
        level: The level its failure usually has.
        description: One sentence: what holds on a day that passes.
        remedy: What to do when it fails, for the docs.
        judge: The verdict of one day that could be read.
        thresholds: The settings that the number it judges is compared with; mostly one, or none.
        settings: Further settings of its own.
        metric: The name of the number that its thresholds are compared with.
        numbers: Numbers of the day that it adds.
        short_words: Its failures in a few words; without them its sentence is shown.
        measure: What its root cause is searched in, None where it says itself where it failed, or need not.
        measures: The same for failures of certain reason codes, where it differs from ``measure``.
        faults: The known faults that it should notice when thresholds are tried.
        applies: Whether a source of this schema can be judged by it at all.
        knows_usual: Whether a number beyond its threshold passes where it is usual for the stream.
        is_segment_in_words: Whether ``short_words`` name the segment.
        shares_out: Whether its contributors hold shares of one change.
        reads_slices: Whether it looks at every segment of many days, which takes milliseconds.
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
    measures: Mapping[str, RateMeasure] = field(default_factory=dict, hash=False)
    faults: frozenset[Fault] = field(default_factory=frozenset)
    applies: Callable[[EventSchema], bool] = lambda _: True
    knows_usual: bool = False
    is_segment_in_words: bool = False
    shares_out: bool = True
    reads_slices: bool = False

    @property
    def all_settings(self) -> tuple[Setting[Any], ...]:
        """Its thresholds and its further settings."""
        return (*self.thresholds, *self.settings)

    def measure_of(self, verdict: Verdict) -> Measure | RateMeasure | None:
        """What the root cause of this failure is searched in."""
        return self.measures.get(verdict.reason_code, self.measure)
