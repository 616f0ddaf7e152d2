"""Failures and incidents in one March, for the tests of incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    UNREADABLE,
    Action,
    FailedGuardrail,
    Incident,
    IncidentAction,
    group_incidents,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST = date(2026, 3, 1)
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
TODAY = NOW.date()
MARCH = list(days_between(FIRST, date(2026, 3, 19)))
IOS, WEB = "platform=ios", "platform=web"
IOS_VIEWS = "platform=ios × event_name=page.view"


def day(number: int) -> date:
    return date(2026, 3, number)


def fail(number: int, guardrail: str = "error_rate", root_cause: str = EVERYWHERE, **overrides: Any) -> FailedGuardrail:
    """``guardrail`` failed on that day of March, ten times over its threshold."""
    failure = FailedGuardrail(
        day=day(number),
        guardrail=guardrail,
        level=Level.CRITICAL,
        reason_code="ERROR_RATE_HIGH",
        value=50.0,
        threshold=5.0,
        sentence=f"{guardrail} failed in {root_cause}.",
        root_cause=root_cause,
        foremost="" if root_cause in {EVERYWHERE, UNREADABLE} else root_cause,
        is_confined=root_cause not in {EVERYWHERE, UNREADABLE},
        revision=2,
    )
    return replace(failure, **overrides)


def unreadable(number: int) -> FailedGuardrail:
    return fail(number, "activity", UNREADABLE, reason_code=DAY_UNREADABLE, value=None, threshold=None)


def group(
    failures: Iterable[FailedGuardrail], judged: Iterable[date] = MARCH, actions: Sequence[IncidentAction] = ()
) -> list[Incident]:
    return group_incidents("web", failures, list(judged), actions)


def shape(incidents: Iterable[Incident]) -> list[tuple[list[int], list[str]]]:
    """The days in March and the guardrails of each incident."""
    return [([failed_day.day for failed_day in incident.days], sorted(incident.guardrails)) for incident in incidents]


def make_verdict(guardrail: str = "error_rate", *root_causes: Contributor, **overrides: Any) -> Verdict:
    verdict = Verdict(
        guardrail, Level.CRITICAL, Outcome.FAILED, "ERROR_RATE_HIGH", 50.0, 5.0, "Half are errors.", root_causes
    )
    return replace(verdict, **overrides)


def segment(text: str, share: float | None, hours: tuple[int, int] | None = None) -> Contributor:
    named = text.split(" × ") if text else []
    parts = tuple((name, value) for name, _, value in (condition.partition("=") for condition in named))
    return Contributor(Segment(parts, hours), 1.0, 2.0, share)


def loose(number: int, guardrail: str, foremost: str) -> FailedGuardrail:
    """A failure that names a segment first, though it happened elsewhere too."""
    return fail(number, guardrail, EVERYWHERE, foremost=foremost)


def decided(incident: Incident, *actions: Action, by: str = "ada", until: date = TODAY) -> list[IncidentAction]:
    """Actions one after the other, a minute apart."""
    return [
        incident.decide(action, by, NOW + timedelta(minutes=minute), muted_until=until)
        for minute, action in enumerate(actions)
    ]
