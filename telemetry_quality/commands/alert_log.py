"""The log of alerts of the command line."""

from __future__ import annotations

import logging
from time import sleep
from typing import TYPE_CHECKING

from telemetry_quality.assembly import utc_now
from telemetry_quality.core.dispatch import dispatch_all, log_channel

if TYPE_CHECKING:
    from collections.abc import Collection

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.ports import QualityStore

alert_log = logging.getLogger("telemetry_quality.alerts")


def dispatch_to_log(store: QualityStore, sources: Collection[str]) -> int:
    """Log the pending alerts of ``sources``; returns how many there were."""
    return dispatch_all(store, sources, log_channel(_log), utc_now, sleep)


def _log(alert: Alert) -> None:
    alert_log.log(getattr(logging, alert.level.value), alert.line())
