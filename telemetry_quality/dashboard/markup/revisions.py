"""The revisions of a day side by side, with what changed from each to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.dashboard.rendering import instant, number, percent, signed, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry_quality.dashboard.models import RevisionAnswer


class Compared(NamedTuple):
    """One number over all revisions of a day, each with whether it differs from the one before."""

    words: str
    cells: tuple[tuple[Markup, bool], ...]


def compared(revisions: Sequence[RevisionAnswer], zone: ZoneInfo) -> list[Compared]:
    """The revisions of a day side by side."""
    rows: tuple[tuple[str, Callable[[RevisionAnswer], Markup]], ...] = (
        ("Status", lambda one: status(one.snapshot.status.value)),
        ("Events", lambda one: number(one.snapshot.total_events)),
        ("Expected", lambda one: number(one.snapshot.expected_events)),
        ("Against expected", lambda one: signed(one.snapshot.volume_deviation_percent)),
        ("Errors", lambda one: percent(one.snapshot.error_rate_percent)),
        ("No version", lambda one: percent(one.snapshot.missing_version_percent)),
        ("Sample passed", lambda one: percent(one.snapshot.sampling_success_rate_percent, 1)),
        ("Repeated", lambda one: percent(one.duplicate_percent)),
        ("Late", lambda one: percent(one.late_percent)),
        ("Failed guardrails", lambda one: escape(", ".join(_failed(one)) or "none")),
        ("Made from reading", lambda one: number(one.reading_revision)),
        ("Judged", lambda one: instant(one.snapshot.computed_at, zone)),
    )
    table = []
    for words, write in rows:
        texts = [write(one) for one in revisions]
        is_told = words != "Judged"
        cells = [(text, is_told and at > 0 and text != texts[at - 1]) for at, text in enumerate(texts)]
        table.append(Compared(words, tuple(cells)))
    table.insert(-2, Compared("Thresholds", tuple(_thresholds(one, before) for before, one in _pairs(revisions))))
    return table


def _pairs(revisions: Sequence[RevisionAnswer]) -> Iterable[tuple[RevisionAnswer | None, RevisionAnswer]]:
    """Each revision with the one before it."""
    return zip([None, *revisions[:-1]], revisions, strict=True)


def _failed(revision: RevisionAnswer) -> list[str]:
    return [one.guardrail for one in revision.verdicts if one.outcome is Outcome.FAILED]


def _thresholds(revision: RevisionAnswer, before: RevisionAnswer | None) -> tuple[Markup, bool]:
    """Those that are others than before."""
    if before is None:
        return Markup("see below"), False
    policy, earlier = revision.policy, before.policy
    told = [
        f"{name} {policy.get(name)}" for name in sorted({*policy, *earlier}) if policy.get(name) != earlier.get(name)
    ]
    return escape(", ".join(told) or "the same"), bool(told)
