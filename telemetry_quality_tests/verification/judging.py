"""What is generated, judged and alerted."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.commands.alert_log import dispatch_to_log
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.settings import Settings
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.verification.criterion import Finding
from telemetry_quality_tests.verification.stage import LAST, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality_tests.verification.stage import Stage

EVENTS = 20_000
BEGIN = date(2026, 1, 1)


def snapshots_generated(stage: Stage) -> Finding:
    """Whether every day of the year has a snapshot."""
    found = {snapshot.day for snapshot in stage.work.store.snapshots(SOURCE, stage.first, LAST)}
    return Finding(f"{len(found)} of {len(stage.days)} days of 2013", found == set(stage.days))


def sampling_success(stage: Stage) -> Finding:
    """The share of sampled events that pass on days whose events are good."""
    work = synthetic(stage.folder / "good", days=30, is_missing="false", is_error="false")
    rates = [day.snapshot.sampling_success_rate_percent or 0.0 for day in judged(work, 30)]
    figure = (
        f"{sum(rates) / len(rates):.2f} % on {len(rates)} days of {EVENTS:,} good events, at least {min(rates):.0f} %"
    )
    return Finding(figure, len(rates) == 30 and min(rates) > 99)


def missing_version_judged(stage: Stage) -> Finding:
    """The verdicts on days just below, at and just above 1 % of events without a version."""
    return _at_the_threshold(stage, "missing_version", "is_missing", Level.WARNING, 1)


def error_rate_judged(stage: Stage) -> Finding:
    """The verdicts on days just below, at and just above 5 % of errors."""
    return _at_the_threshold(stage, "error_rate", "is_error", Level.CRITICAL, 5)


def _at_the_threshold(stage: Stage, guardrail: str, column: str, level: Level, percent: int) -> Finding:
    limit = EVENTS * percent // 100
    shares = {"is_missing": "false", "is_error": "false"} | {column: f"number < {limit} + day - 1"}
    work = synthetic(stage.folder / guardrail, days=3, **shares)
    days = judged(work, 3)
    verdicts = [next(found for found in day.verdicts if found.guardrail == guardrail) for day in days]
    outcomes = [found.outcome.value for found in verdicts]
    words = [
        f"{100 * (limit + offset) / EVENTS:.3f} %: {word}" for offset, word in zip((-1, 0, 1), outcomes, strict=True)
    ]
    holds = outcomes == ["passed", "passed", "failed"] and verdicts[-1].level is level
    return Finding(f"{', '.join(words)} ({verdicts[-1].level.value})", holds)


def alerts_logged(stage: Stage) -> Finding:
    """Whether each failed verdict of the year is logged exactly once, also if alerts are dispatched again."""
    failed = [
        found
        for revisions in stage.work.store.verdicts(SOURCE, stage.first, LAST).values()
        for found in revisions[max(revisions)]
        if found.outcome is Outcome.FAILED
    ]
    with Lines("telemetry_quality.alerts") as lines:
        first, again = (dispatch_to_log(stage.work.store, [SOURCE]) for _ in range(2))
    with closing(sqlite3.connect(stage.store_file)) as connection:
        ((stored,),) = connection.execute("SELECT count(*) FROM alert WHERE settlement = 'dispatched'")
    figure = (
        f"{len(failed)} failed verdicts, {len(lines.seen)} lines logged, {stored} rows, {again} more when asked again"
    )
    return Finding(figure, len(failed) == first == len(lines.seen) == stored > 0 and again == 0)


class Lines(logging.Handler):
    """Remembers the lines of a log, and keeps them from the terminal."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._logger = logging.getLogger(name)

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())

    def __enter__(self) -> Lines:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = True


def synthetic(folder: Path, *, days: int, is_missing: str, is_error: str) -> DailyWork:
    """Days of 20,000 events in Parquet files; the conditions are over ``number``, below 20,000, and ``day``, from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.execute(
        f"""
        COPY (
            SELECT day * {EVENTS} + number AS event_id,
                DATE '{BEGIN}' + INTERVAL 1 DAY * day + INTERVAL 4 SECOND * number AS occurred_at,
                'signal.' || number % 5 AS event_name,
                CASE WHEN {is_missing} THEN NULL ELSE '1.' || day // 7 END AS app_version,
                {is_error} AS is_error,
                occurred_at::DATE::VARCHAR AS folder
            FROM range({days}) AS d (day), range({EVENTS}) AS n (number)
        ) TO '{folder / "events"}' (FORMAT parquet, PARTITION_BY (folder), OVERWRITE true)
        """
    )
    store = f"sqlite:///{folder}/quality.db"
    migrate(store)
    roles = {"event_id": "event_id", "occurred_at": "occurred_at", "event_name": "event_name"}
    source = {
        "connector": "parquet", "path": str(folder / "events"), "first_day": BEGIN,
        "roles": roles | {"service_version": "app_version", "is_error": "is_error"},
    }  # fmt: skip
    return daily_work(Settings.model_validate({"store": store, "sources": {"web": source}}), "web")


def judged(work: DailyWork, days: int) -> list[Judgement]:
    """The first days, read and judged."""
    wanted = [BEGIN + timedelta(days=number) for number in range(days)]
    for _ in work.read(wanted, utc_now()):
        pass
    return list(work.judge(wanted, utc_now()))
