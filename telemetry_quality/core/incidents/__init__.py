"""Incidents: failures with the same root cause on consecutive judged days, and what people decided about them.

Three rules turn failed guardrails into incidents, in whatever order the failures are given:

** **One day.** Failures confined to a segment share a root cause if their segments are equal or nested.
  A failure confined to no segment joins the only such segment, or of several the one it names itself, or else the
  failures that are everywhere: one root cause is seldom found in the same segment twice (cancelled flights raise error
  rate and missing versions on the same days, but most at different airlines). A day without events has one root cause.
** **From day to day.** An incident goes on if the next judged day fails in the same segment or by the same guardrail.
  A day that was not judged or could not be read closes nothing; a day that passes closes the incident. Days
  that could not be read are incidents of their own.
** **Now.** Only current verdicts count: a day healed by a later revision leaves its incident, which may split it.

None of this is stored. Only what people decide is stored, append-only, and finds its incident by days and root cause.
"""

from telemetry_quality.core.incidents.acceptance import AcceptedFailure
from telemetry_quality.core.incidents.decisions import confirmed_days
from telemetry_quality.core.incidents.failures import FailedGuardrail
from telemetry_quality.core.incidents.grouping import failures_of, group_incidents
from telemetry_quality.core.incidents.loading import incidents_of, require_incident
from telemetry_quality.core.incidents.model import (
    LONGEST_MUTE,
    LONGEST_NAME,
    Action,
    Incident,
    IncidentAction,
    is_muted,
    worst_first,
)
from telemetry_quality.core.incidents.segments import EVERYWHERE, UNREADABLE

__all__ = [
    "EVERYWHERE",
    "LONGEST_MUTE",
    "LONGEST_NAME",
    "UNREADABLE",
    "AcceptedFailure",
    "Action",
    "FailedGuardrail",
    "Incident",
    "IncidentAction",
    "confirmed_days",
    "failures_of",
    "group_incidents",
    "incidents_of",
    "is_muted",
    "require_incident",
    "worst_first",
]
