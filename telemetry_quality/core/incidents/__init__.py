"""Incidents: alerts that share day and cause, gathered while consecutive days fail, and what people decided on them.

Three rules make incidents of failed guardrails, the same ones whatever order they are asked in:

* **One day.** Failures confined to a place share a cause where their places are equal or one lies within the other.
  A failure confined to none joins the only such place, or of several the one that it names itself, and else those
  that are everywhere: what one cause does is seldom found in the same place twice (cancelled flights raise error
  rate and missing versions on the same days, each most at another airline). A day without events has one cause.
* **From day to day.** An incident goes on when the next judged day fails in the same place or by the same guardrail.
  A day that was not judged, or could not be read, says nothing and closes nothing; a day that passes does. Days
  that could not be read are incidents of their own.
* **Now.** Only current verdicts count: a day that heals by a later revision leaves its incident, which may split it.

Nothing of this is stored. Only what people decide is, append-only, and finds its incident by days and cause.
"""

from telemetry_quality.core.incidents.decisions import confirmed_days
from telemetry_quality.core.incidents.grouping import failures_of, group_incidents
from telemetry_quality.core.incidents.loading import incidents_of, require_incident
from telemetry_quality.core.incidents.model import (
    EVERYWHERE,
    UNREADABLE,
    Action,
    FailedGuardrail,
    Incident,
    IncidentAction,
    is_muted,
)

__all__ = [
    "EVERYWHERE",
    "UNREADABLE",
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
]
