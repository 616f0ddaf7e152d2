"""The run events of OpenLineage; imported only if some are sent, because its client is an extra.

What was not judged is no assertion, and a day that could not be read is a failed run: neither looks like a pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset as assertions,
)
from openlineage.client.facet_v2 import (
    data_quality_metrics_input_dataset as metrics,
)
from openlineage.client.facet_v2 import error_message_run, nominal_time_run
from openlineage.client.uuid import generate_static_uuid

from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.monitoring import VERSION

if TYPE_CHECKING:
    from datetime import datetime

    from openlineage.client.facet_v2 import InputDatasetFacet, RunFacet

    from telemetry_quality.core.daily import Judgement
    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.datasets import Dataset

PRODUCER = f"pkg:pypi/telemetry-quality@{VERSION}"
"""Who says so: this package as a package URL (ECMA-427)."""

ROLES = {
    "duplicates": "event_id",
    "error_rate": "is_error",
    "missing_version": "service_version",
    "version_drift": "service_version",
    "timestamps": "occurred_at",
    "unreadable_times": "occurred_at",
    "arrival_lag": "observed_at",
}
"""The role of each guardrail that looks at a single one."""

_COLUMN = re.compile(r"[A-Za-z_]\w*")


class JudgingJob(NamedTuple):
    """What judges the days of a source.

    Attributes:
        namespace: The namespace of the job.
        dataset: Where the events are.
    """

    namespace: str
    source: str
    dataset: Dataset
    schema: EventSchema
    calendar: Calendar


def run_event(judgement: Judgement, job: JudgingJob, now: datetime) -> RunEvent:
    """The run event of a judged day; the same revision of a day always has the same run id."""
    snapshot = judgement.snapshot
    of_day = f"{job.source} {snapshot.day} {snapshot.revision}".encode()
    facets = {"dataQualityAssertions": _assertions(judgement, job.schema), **_counts(judgement)}
    return RunEvent(
        eventType=RunState.COMPLETE if snapshot.unreadable_reason_code is None else RunState.FAIL,
        eventTime=now.isoformat(),
        run=Run(str(generate_static_uuid(snapshot.computed_at, of_day)), facets=_run_facets(judgement, job.calendar)),
        job=Job(job.namespace, f"telemetry_quality.{job.source}"),
        inputs=[InputDataset(job.dataset.namespace, job.dataset.name, inputFacets=facets)],
        producer=PRODUCER,
    )


def _run_facets(judgement: Judgement, calendar: Calendar) -> dict[str, RunFacet]:
    """The day, and why it could not be read."""
    window = calendar.window(judgement.snapshot.day)
    day = nominal_time_run.NominalTimeRunFacet(window.start.isoformat(), window.end.isoformat(), producer=PRODUCER)
    reason = judgement.snapshot.unreadable_reason
    if reason is None:
        return {"nominalTime": day}
    return {
        "nominalTime": day,
        "errorMessage": error_message_run.ErrorMessageRunFacet(reason, "PYTHON", producer=PRODUCER),
    }


def _counts(judgement: Judgement) -> dict[str, InputDatasetFacet]:
    """How many events the day has, if that is known."""
    total = judgement.snapshot.total_events
    if total is None:
        return {}
    facet = metrics.DataQualityMetricsInputDatasetFacet(columnMetrics={}, rowCount=total, producer=PRODUCER)
    return {"dataQualityMetrics": facet}


def _assertions(judgement: Judgement, schema: EventSchema) -> assertions.DataQualityAssertionsDatasetFacet:
    """The guardrails that passed or failed."""
    judged = [verdict for verdict in judgement.verdicts if verdict.outcome is not Outcome.UNKNOWN]
    found = [_assertion(verdict, schema) for verdict in judged]
    return assertions.DataQualityAssertionsDatasetFacet(found, producer=PRODUCER)


def _assertion(verdict: Verdict, schema: EventSchema) -> assertions.Assertion:
    return assertions.Assertion(
        assertion=verdict.guardrail,
        success=verdict.outcome is Outcome.PASSED,
        column=_column(verdict.guardrail, schema),
        severity="error" if verdict.level is Level.CRITICAL else "warn",
        name=verdict.guardrail,
        description=verdict.sentence,
        expected=None if verdict.threshold is None else f"{verdict.threshold:g}",
        actual=None if verdict.value is None else f"{verdict.value:g}",
    )


def _column(guardrail: str, schema: EventSchema) -> str | None:
    """The column that a guardrail looks at; None unless it is exactly one, and no expression."""
    role = ROLES.get(guardrail)
    column = None if role is None else getattr(schema, role)
    return column if column is not None and _COLUMN.fullmatch(column) else None
