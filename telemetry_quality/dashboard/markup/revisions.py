"""The revisions of a day side by side, with the changes from each revision to the next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.dashboard.markup.numbers import metrics_of, text_of, value_of
from telemetry_quality.dashboard.rendering import instant, number, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.dashboard.models import RevisionResponse


class Compared(NamedTuple):
    """A number in every revision of a day; each cell knows whether it differs from the previous revision."""

    words: str
    cells: tuple[tuple[Markup, bool], ...]
    is_number: bool = True


def compared(revisions: Sequence[RevisionResponse], rules: Sequence[Guardrail], zone: ZoneInfo) -> list[Compared]:
    """The revisions of a day side by side, without numbers that no revision has."""
    known = [
        metric
        for metric in metrics_of(revisions, rules)
        if metric.is_listed or any(value_of(revision, metric.name) is not None for revision in revisions)
    ]
    return [
        _row("Status", revisions, lambda revision: status(revision.snapshot.status.value)),
        *(_row(metric.label, revisions, partial(_text, metric)) for metric in known),
        _row("Failed guardrails", revisions, lambda revision: escape(", ".join(_failed(revision)) or "none"))._replace(
            is_number=False
        ),
        Compared("Thresholds", tuple(_thresholds(revision, before) for before, revision in _pairs(revisions)), False),
        _row("Made from scan", revisions, lambda revision: number(revision.scan_revision)),
        _row("Judged", revisions, lambda revision: instant(revision.snapshot.computed_at, zone), is_compared=False),
    ]


def _text(metric: Metric, revision: RevisionResponse) -> Markup:
    return text_of(metric, value_of(revision, metric.name))


def _row(
    words: str,
    revisions: Sequence[RevisionResponse],
    write: Callable[[RevisionResponse], Markup],
    *,
    is_compared: bool = True,
) -> Compared:
    texts = [write(revision) for revision in revisions]
    cells = [(text, is_compared and at > 0 and text != texts[at - 1]) for at, text in enumerate(texts)]
    return Compared(words, tuple(cells))


def _pairs(revisions: Sequence[RevisionResponse]) -> Iterable[tuple[RevisionResponse | None, RevisionResponse]]:
    """Each revision with its predecessor."""
    return zip([None, *revisions[:-1]], revisions, strict=True)


def _failed(revision: RevisionResponse) -> list[str]:
    return [verdict.guardrail for verdict in revision.verdicts if verdict.outcome is Outcome.FAILED]


def _thresholds(revision: RevisionResponse, before: RevisionResponse | None) -> tuple[Markup, bool]:
    """The thresholds that changed since the previous revision."""
    if before is None:
        return Markup("see below"), False
    policy, earlier = revision.policy, before.policy
    words_shown = [
        f"{name} {policy.get(name)}" for name in sorted({*policy, *earlier}) if policy.get(name) != earlier.get(name)
    ]
    return escape(", ".join(words_shown) or "the same"), bool(words_shown)
