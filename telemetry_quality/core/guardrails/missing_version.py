"""Missing version: events that belong to no known release cannot be compared between releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.bases import VERSION
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, RunningView, share_words
from telemetry_quality.core.guardrails.lost_bases import VERSIONS_LOST, Basis, or_lost
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import (
    NO_EVENTS,
    NO_VERSIONS,
    NONE_BY_CHOICE,
    Level,
    Outcome,
    Verdict,
    percent,
)
from telemetry_quality.core.policies import percent_threshold
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "missing_version"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold("missing_version_percent", 1.0, "WARNING strictly above", proposed=(0.1, 50.0))


# Which part of the events lost its version is a matter of the threshold.
BASIS = Basis(VERSION, VERSIONS_LOST, "say which release sent them", is_partly=False)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown without events, or if the source has no versions by choice.

    Fails too if it had versions until lately: a column that is gone is no choice.
    """
    verdict = _judged(evidence, policy)
    return or_lost(verdict, BASIS, evidence) if verdict.reason_code == NONE_BY_CHOICE else verdict


def _judged(evidence: Evidence, policy: Policy) -> Verdict:
    figures = evidence.figures
    share, threshold = figures.missing_version_percent, policy[THRESHOLD]
    if figures.total_events and figures.missing_version_events is None:
        outcome, code = Outcome.UNKNOWN, NONE_BY_CHOICE
        sentence = f"Version tags are not judged: {NO_VERSIONS}."
    elif share is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS
        sentence = "Version tags cannot be judged: there are no events."
    elif share > threshold:
        why = explained_by_usual_share(evidence, "missing_version_percent", share)
        outcome, code = (Outcome.FAILED, "VERSION_MISSING") if why is None else (Outcome.PASSED, USUAL_SHARE)
        sentence = (
            f"{percent(share, threshold, 2)} of {figures.total_events:,} events carry no version "
            f"({figures.missing_version_events:,}), {beyond_words(threshold, why)}."
        )
    else:
        outcome, code = Outcome.PASSED, "VERSION_PRESENT"
        sentence = (
            f"{percent(share, threshold, 2)} of {figures.total_events:,} events carry no version, "
            f"within {threshold:g} %."
        )
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The share of events without a version tag is at most the threshold (1 % unless set).",
    remedy="find the client that lost its tag",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="missing_version_percent",
    short_words=share_words("without a version"),
    measure=Measure.MISSING_VERSION,
    measures={VERSIONS_LOST: None},
    faults=frozenset({Fault.TAGS}),
    running_view=RunningView.SO_FAR,
)
