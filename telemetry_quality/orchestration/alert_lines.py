"""Alerts as lines in Dagster's logs: in those of a sensor's ticks, and in that of the run that judged the days."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from telemetry_quality.core.alerts import alert_of, is_alert
from telemetry_quality.core.dispatch import unmuted_alerts
from telemetry_quality.core.guardrails.verdicts import Level

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.daily import Judgement
    from telemetry_quality.core.ports import QualityStore

PYTHON_LEVELS = {Level.CRITICAL: logging.CRITICAL, Level.WARNING: logging.WARNING, Level.INFO: logging.INFO}

MOST_LINES = 50
"""The alerts that a run logs, each of which Dagster stores; the alert sensor logs all of them."""


def log_line(log: logging.Logger, alert: Alert) -> None:
    """Log an alert at its own level."""
    log.log(PYTHON_LEVELS[alert.level], alert.line())


def repeat_line(log: logging.Logger, alert: Alert) -> None:
    """Log an alert that is logged elsewhere, too: never as critical, at which people are called."""
    log.log(min(PYTHON_LEVELS[alert.level], logging.ERROR), alert.line())


class RunAlerts:
    """The alerts of the days that a run judges.

    Whoever reads the log of a run finds in it what the alert sensor, which claims each alert once, logs elsewhere.
    """

    def __init__(self) -> None:
        self._alerts: list[Alert] = []

    def add(self, judgement: Judgement) -> None:
        """Add what failed on a day, if the run has found it out."""
        snapshot = judgement.snapshot
        if judgement.is_new:
            self._alerts += [
                alert_of(snapshot.source, snapshot.day, snapshot.revision or 0, verdict)
                for verdict in judgement.verdicts
                if is_alert(verdict)
            ]

    def log(self, log: logging.Logger, store: QualityStore, today: date) -> None:
        """Log those that nobody has muted or accepted."""
        alerts = unmuted_alerts(store, self._alerts, today) if self._alerts else []
        for alert in alerts[:MOST_LINES]:
            repeat_line(log, alert)
        if len(alerts) > MOST_LINES:
            log.info(f"{len(alerts) - MOST_LINES} more alerts are in the dashboard and in the log of the alert sensor.")
