"""Duplicates: events delivered twice, which the volume of a stream that varies cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.bases import EVENT_ID
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, share_words
from telemetry_quality.core.guardrails.lost_bases import EVENT_IDS_LOST, Basis, or_lost
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent
from telemetry_quality.core.policies import percent_threshold
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.metrics import DayFigures
    from telemetry_quality.core.policies import Policy

NAME = "duplicates"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "duplicate_percent",
    10.0,
    "share of events that duplicate another one; WARNING strictly above",
    # A day delivered twice repeats half of its events.
    proposed=(1.0, 40.0),
)

# Half of the ids is a matter of the sample, which fails without an id.
BASIS = Basis(EVENT_ID, EVENT_IDS_LOST, "have an id", is_partly=False)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown if no event could be compared.

    A double delivery of all events makes the share 50 %, of a fifth of them 17 %. Days without any had up to 5.9 %
    on real streams, caused by clients that retry and by ids that are not unique. A threshold that adapts to a
    stream's usual share would have to lie below that and would fail on the first retry storm, so there is none.
    Fails too if no event has an id although they usually do.
    """
    return or_lost(_judged(evidence, policy), BASIS, evidence)


def _judged(evidence: Evidence, policy: Policy) -> Verdict:
    figures = evidence.figures
    share, threshold = figures.duplicate_percent, policy[THRESHOLD]
    if share is None or not figures.compared_events:
        outcome, code = Outcome.UNKNOWN, _unknown_code(figures)
        sentence = "Duplicates cannot be judged: no event could be compared with the others."
    elif share > threshold:
        why = explained_by_usual_share(evidence, "duplicate_percent", share)
        outcome, code = (Outcome.FAILED, "DUPLICATES_HIGH") if why is None else (Outcome.PASSED, USUAL_SHARE)
        sentence = f"{_facts(figures, share, threshold)}, {beyond_words(threshold, why)}."
    else:
        outcome, code = Outcome.PASSED, "DUPLICATES_OK"
        sentence = f"{_facts(figures, share, threshold)}, within {threshold:g} %."
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)


def _unknown_code(figures: DayFigures) -> str:
    return "NOTHING_COMPARED" if figures.total_events else NO_EVENTS


def _facts(figures: DayFigures, share: float, threshold: float) -> str:
    compared, total = figures.compared_events or 0, figures.total_events or 0
    where = f"a subset of {compared:,} of the day's {total:,} events" if compared < total else f"{compared:,} events"
    return f"{percent(share, threshold, 2)} of {where} repeat another one ({figures.duplicate_events:,})"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The share of events that duplicate another one is at most the threshold (10 % unless set).",
    remedy="look for a second delivery",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="duplicate_percent",
    short_words=share_words("repeat another one"),
    measure=Measure.EVENTS,
    measures={EVENT_IDS_LOST: None},
    faults=frozenset({Fault.DOUBLED}),
)
