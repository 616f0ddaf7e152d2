"""A day's numbers as the catalogue declares them: their text and their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.guardrails.catalogue import metric_named
from telemetry_quality.core.metrics import LISTED, METRICS, Metric, Unit
from telemetry_quality.core.policies import Direction
from telemetry_quality.dashboard.rendering import NO_BREAK, number, percent, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.dashboard.models import RevisionResponse

_LISTED = frozenset(metric.name for metric in LISTED)


class Limit(NamedTuple):
    """A threshold that a number is compared with.

    Attributes:
        is_firm: Whether a number beyond it fails, unless the day has few events; otherwise a number that is usual for
            the stream may pass.
    """

    value: float
    fails: Direction
    is_firm: bool

    def is_beyond(self, value: float) -> bool:
        """Whether a page should mark the number."""
        if not self.is_firm or self.fails is Direction.EITHER:
            return False
        return value > self.value if self.fails is Direction.ABOVE else value < self.value

    @property
    def words(self) -> str:
        """``limit 5 %`` or ``at least 99 %``."""
        return f"{'at least' if self.fails is Direction.BELOW else 'limit'} {self.value:g}{NO_BREAK}%"

    @property
    def sign(self) -> str:
        """``> 5 %`` or ``< 99 %``."""
        return f"{'<' if self.fails is Direction.BELOW else '>'} {self.value:g} %"


def limits_of(name: str, rules: Iterable[Guardrail], policy: Mapping[str, Any]) -> list[Limit]:
    """The thresholds in force for the number called ``name``."""
    return [
        Limit(policy[threshold.name], threshold.fails, not rule.knows_usual)
        for rule in rules
        if rule.metric == name
        for threshold in rule.thresholds
        if policy.get(threshold.name) is not None
    ]


def metrics_of(revisions: Sequence[RevisionResponse], rules: Iterable[Guardrail]) -> list[Metric]:
    """All metrics that ``revisions`` may have: the catalogue's, then those that guardrails and rates add."""
    declared = {added.metric.name: added.metric for rule in rules for added in rule.numbers}
    extra = dict.fromkeys(name for revision in revisions for name in revision.extra_numbers)
    return [*METRICS, *(declared.get(name) or metric_named(name) for name in extra)]


def value_of(revision: RevisionResponse, name: str) -> Any:
    """A number of a revision, from whichever part of the response holds it."""
    if name in revision.extra_numbers:
        return revision.extra_numbers[name]
    return getattr(revision.snapshot if name in _LISTED else revision, name, None)


def text_of(metric: Metric, value: Any, threshold: float | None = None) -> Markup:
    """A number as pages show it, with enough digits to distinguish it from its threshold."""
    match metric.unit:
        case Unit.PERCENT:
            return percent(value, metric.digits, threshold)
        case Unit.SIGNED_PERCENT:
            return signed(value)
        case Unit.YES_NO:
            return number(None) if value is None else Markup("yes") if value else Markup("no")
        case Unit.EVENTS | Unit.COMBINATIONS:
            return number(value)


def cell_of(metric: Metric, value: Any) -> Markup:
    """A number for a column whose heading states the unit."""
    return number(value, metric.digits) if metric.is_share else text_of(metric, value)
