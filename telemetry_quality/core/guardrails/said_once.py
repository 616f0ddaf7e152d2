"""What several guardrails say for the same reason, said once: a young stream cannot be judged by many of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from telemetry_quality.core.guardrails.verdicts import HISTORY_TOO_SHORT, NO_EVENTS, SLICES_NOT_COUNTED, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.guardrails.verdicts import Verdict

SHARED_REASONS = {
    HISTORY_TOO_SHORT: "Too few earlier days are known to judge {} yet.",
    NO_EVENTS: "There are no events to judge {} by.",
    SLICES_NOT_COUNTED: "The day's segments were not counted, so {} cannot be judged.",
}
"""Why several guardrails are unknown, in one sentence that names them."""


class _AnyVerdict(Protocol):
    """What a verdict and its form in responses have in common."""

    @property
    def guardrail(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def reason_code(self) -> str: ...
    @property
    def sentence(self) -> str: ...


V = TypeVar("V", bound=_AnyVerdict)


class Said(NamedTuple, Generic[V]):
    """A sentence and the guardrails it speaks for.

    Attributes:
        guardrails: Their names, joined.
        verdict: The verdict, or the first of several that are unknown for the same reason.
    """

    guardrails: str
    sentence: str
    verdict: V


def said_once(verdicts: Iterable[V]) -> list[Said[V]]:
    """What the verdicts of a day say, in their order; those unknown for the same reason as a single sentence."""
    groups: defaultdict[tuple[str, str], list[V]] = defaultdict(list)
    for verdict in verdicts:
        is_alone = verdict.outcome is not Outcome.UNKNOWN
        groups[verdict.reason_code, verdict.guardrail if is_alone else ""].append(verdict)
    return [said for group in groups.values() for said in _together(group)]


def _together(group: Sequence[V]) -> list[Said[V]]:
    first, names = group[0], listed([verdict.guardrail for verdict in group])
    shared = SHARED_REASONS.get(first.reason_code)
    if len(group) > 1 and len({verdict.sentence for verdict in group}) == 1:
        return [Said(names, first.sentence, first)]
    if len(group) == 1 or shared is None:
        return [Said(verdict.guardrail, verdict.sentence, verdict) for verdict in group]
    return [Said(names, shared.format(names), first)]


def young_days(days: Iterable[tuple[date, Sequence[Verdict]]]) -> str:
    """The days with too short a history, in one sentence with the guardrails concerned; empty if there are none.

    Guardrails whose history is long enough from the same day on are named together.
    """
    young: defaultdict[str, set[date]] = defaultdict(set)
    for day, verdicts in days:
        for verdict in verdicts:
            if verdict.reason_code == HISTORY_TOO_SHORT:
                young[verdict.guardrail].add(day)
    groups: defaultdict[date, list[str]] = defaultdict(list)
    for name, found in young.items():
        groups[max(found)].append(name)
    parts = [
        f"{_when(set().union(*(young[name] for name in names)))} to judge {listed(names)}"
        for _, names in sorted(groups.items())
    ]
    return f"Too few earlier days were known {'; '.join(parts)}." if parts else ""


def _when(days: set[date]) -> str:
    first, last = min(days), max(days)
    return f"on {first}" if first == last else f"on {len(days)} days from {first} to {last}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
