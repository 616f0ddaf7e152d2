"""OpenLineage: a run event for each judged day, with its guardrails as the assertions of a dataset.

The client finds where to send events as it does everywhere: OPENLINEAGE_CONFIG, openlineage.yml, OPENLINEAGE_URL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from telemetry_quality.addresses import failure_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

    from telemetry_quality.core.daily import Judgement
    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.datasets import Dataset

CONFIGURATION = {"facets": {"source_code_location": {"disabled": True}}}
"""The address of the repository that happens to be around may hold a key, and has nothing to do with the events."""

EXTRA_MISSING = 'the extra "openlineage" is not installed; run pip install "telemetry-quality[openlineage]"'


@dataclass
class Lineage:
    """The run events of a source; none are sent without a namespace.

    Attributes:
        namespace: The namespace of the jobs.
        dataset: Where the events are.
        timeout_seconds: How long the work waits for each event at most, whatever the network does.
        failure: Why an event could not be sent, in a sentence; afterwards none are tried.
    """

    source: str
    namespace: str | None
    dataset: Dataset
    schema: EventSchema
    calendar: Calendar
    clock: Callable[[], datetime]
    timeout_seconds: float
    failure: str | None = field(default=None, init=False)
    _client: OpenLineageClient | None = field(default=None, init=False, repr=False)

    def emit(self, judgement: Judgement) -> None:
        """Send the run event of a judged day."""
        if self.namespace is None or self.failure is not None:
            return
        try:
            from telemetry_quality.monitoring.run_events import JudgingJob, run_event  # noqa: PLC0415 - an extra
        except ImportError:
            self.failure = f"No lineage was sent: {EXTRA_MISSING}."
            return
        job = JudgingJob(self.namespace, self.source, self.dataset, self.schema, self.calendar)
        event = run_event(judgement, job, self.clock())
        failure = failure_within(self.timeout_seconds, partial(self._send, event))
        if failure is not None:
            self.failure = (
                f"The lineage of {self.source} {judgement.snapshot.day} and later days of this run could not be sent "
                f"({failure}); the work goes on."
            )

    def _send(self, event: RunEvent) -> None:
        from openlineage.client import OpenLineageClient  # noqa: PLC0415 - an extra

        if self._client is None:
            self._client = OpenLineageClient(config=CONFIGURATION)
        self._client.emit(event)
