"""The delivery sensor: sends the messages about incidents that are due, and keeps nothing else waiting.

Dagster evaluates one sensor after another, so a tick only starts the work: in a thread, for which it waits briefly.
What was sent is in the store; a code server that ends takes nothing with it that the next tick would not find again.
"""

from __future__ import annotations

import logging
from threading import Lock, Thread
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.assembly import deliver_messages
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.messages.delivery import Delivered
    from telemetry_quality.orchestration.names import Names
    from telemetry_quality.settings import Settings

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 30
PATIENCE_SECONDS = 2.0
"""How long a tick waits for its messages, so that it can say what became of them."""


class Courier:
    """Delivers in the background, one delivery at a time."""

    def __init__(self) -> None:
        self._lock = Lock()

    def deliver(self, work: Callable[[], Delivered], patience_seconds: float) -> Delivered | None:
        """Start ``work``, unless it is still going on; returns what it did, or None if that takes longer."""
        if not self._lock.acquire(blocking=False):
            return None
        outcomes: list[Delivered | Exception] = []
        thread = Thread(target=self._run, args=(work, outcomes), name="deliveries", daemon=True)
        thread.start()
        thread.join(patience_seconds)
        outcome = outcomes[0] if outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _run(self, work: Callable[[], Delivered], outcomes: list[Delivered | Exception]) -> None:
        try:
            outcomes.append(work())
        except Exception as error:  # noqa: BLE001 - the tick raises it, or else the next one meets it again
            log.warning("Messages could not be delivered (%s); the next tick tries again.", type(error).__name__)
            outcomes.append(error)
        finally:
            self._lock.release()


def build_delivery_sensors(names: Names, settings: Settings) -> list[dg.SensorDefinition]:
    """One sensor for all channels of the settings; none if there are no channels."""
    if not settings.alerts:
        return []
    courier = Courier()

    @dg.sensor(
        name=names.named("delivery_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description="Every half minute, sends the messages about incidents that are due on the channels of [alerts] in "
        "the settings: those that opened, worsened or ended, and digests. The table delivery says what became of each.",
    )
    def delivery_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        telemetry = telemetry_of(context, names.resource)

        def work() -> Delivered:
            return deliver_messages(telemetry.settings, telemetry.store(), telemetry.clock)

        delivered = courier.deliver(work, PATIENCE_SECONDS)
        if delivered is None:
            return dg.SkipReason("Messages are being sent; the table delivery will hold what became of them.")
        for failure in delivered.failures:
            context.log.warning(failure)
        return dg.SkipReason(delivered.sentence())

    return [delivery_sensor]
