"""Builders with defaults, and hand-written fakes for the edges of the system."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from telemetry_quality.core.alerts import Settlement, alert_of, is_alert
from telemetry_quality.core.daily import DailyWork
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.dispatch import LEASE
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.core.events import (
    AggregateRow,
    DayAggregates,
    DayScan,
    HourlyCounts,
    SampledEvent,
    Slice,
    SliceCounts,
    UnreadableDay,
    hourly_counts,
)
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.scans import StoredScan
from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot, take_snapshot
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.policies import Policy

DAY = date(2026, 3, 10)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
"""Real data beside a checkout; tests that need it skip, loudly, where it is absent."""

SCHEMA = EventSchema(
    event_id="event_id",
    occurred_at="occurred_at",
    event_name="event_name",
    service_version="service_version",
    is_error="is_error",
)

SLICED_SCHEMA = replace(SCHEMA, dimensions=("platform",))
"""The schema of a source whose days are made by ``make_sliced_scan``."""


def make_event(**overrides: Any) -> dict[str, Any]:
    """One healthy event on DAY, as a row of a source."""
    event = {
        "event_id": "e1",
        "occurred_at": datetime(2026, 3, 10, 12, tzinfo=UTC),
        "event_name": "page.view",
        "service_version": "1.0",
        "is_error": False,
    }
    return event | overrides


def make_events(count: int, day: date = DAY, **overrides: Any) -> list[dict[str, Any]]:
    """``count`` events with unique ids, spread evenly over ``day`` in UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    step = timedelta(days=1) / max(count, 1)
    return [
        make_event(event_id=f"{day:%m%d}-{number}", occurred_at=start + number * step, **overrides)
        for number in range(count)
    ]


def write_parquet(
    path: Path, events: Sequence[Mapping[str, Any]], types: Mapping[str, str | None] | None = None
) -> Path:
    """Write events to one Parquet file; ``types`` replaces or removes (None) column types."""
    wanted = {
        "event_id": "VARCHAR",
        "occurred_at": "TIMESTAMPTZ",
        "event_name": "VARCHAR",
        "service_version": "VARCHAR",
        "is_error": "BOOLEAN",
        **(types or {}),
    }
    columns = {name: type_ for name, type_ in wanted.items() if type_ is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole columns at once: DuckDB takes thirty times as long to insert row by row.
    selected = ", ".join(f'unnest(?::{type_}[]) AS "{name}"' for name, type_ in columns.items())
    values = [[event.get(name) for event in events] for name in columns]
    writer = _parquet_writer()
    writer.execute(f"CREATE OR REPLACE TABLE events AS SELECT {selected}", values)
    writer.table("events").to_parquet(str(path))
    return path


@cache
def _parquet_writer() -> duckdb.DuckDBPyConnection:
    """The one DuckDB of this test process that writes files: opening one takes longer than writing a file."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def make_row(**overrides: Any) -> AggregateRow:
    """100 healthy events of one hour, name and version."""
    row = AggregateRow(
        hour=12,
        event_name="page.view",
        service_version="1.0",
        events=100,
        errors=0,
        error_unknown_events=0,
        missing_version=0,
        missing_critical=(),
        late_events=0,
    )
    return row._replace(**overrides)


def row_order(row: AggregateRow) -> tuple[int, bool, str, bool, str]:
    """A sort key for rows of single hours: hour, name and version, null before empty."""
    name, version = row.event_name, row.service_version
    return row.hour, name is not None, name or "", version is not None, version or ""


def each_hour(aggregates: DayAggregates) -> tuple[AggregateRow, ...]:
    """A day's counts in one row per hour, event name and version, in this order; undoes ``spread``."""
    rows = zip(aggregates.rows, hourly_counts(aggregates.rows), strict=True)
    unfolded = (hour_row for row, counts in rows for hour_row in _hours_of(row, counts, aggregates))
    return tuple(sorted(unfolded, key=row_order))


def _hours_of(row: AggregateRow, counts: HourlyCounts | None, aggregates: DayAggregates) -> Iterator[AggregateRow]:
    if counts is None:
        yield row
        return
    nothing = [0] * len(counts["hours"])
    critical, rates = counts.get("missing_critical", {}), counts.get("rate_counts", {})
    names, fields = (row.event_name, row.service_version), len(aggregates.critical_fields)
    for hour, events, errors, unknown, late, *named in zip(
        counts["hours"],
        counts["events"],
        counts.get("errors", nothing),
        counts.get("error_unknown_events", nothing),
        counts.get("late_events", nothing),
        *(critical.get(name, nothing) for name in aggregates.critical_fields),
        *(rates.get(name, nothing) for name in aggregates.rate_names),
        strict=True,
    ):
        untagged = events if row.missing_version else 0
        missing, rated = tuple(named[:fields]), tuple(named[fields:])
        yield AggregateRow(hour, *names, events, errors, unknown, untagged, missing, late, rated)


def spread(
    *rows: AggregateRow, critical_fields: Sequence[str] = ("user_id",), rate_names: Sequence[str] = ()
) -> AggregateRow:
    """Rows of single hours of an event name and version, combined into one row as a source does."""
    if len(rows) == 1:
        return rows[0]
    rows = tuple(sorted(rows, key=lambda row: row.hour))
    counts: list[list[Any]] = [[row[segment] for row in rows] for segment in range(len(AggregateRow._fields))]
    hours, _, _, events, errors, unknown, untagged, missing, late, rated, _ = counts

    lists = {
        name: list(numbers)
        for name, numbers in zip(HourlyCounts.__annotations__, (hours, events, errors, unknown, late), strict=False)
        if any(numbers) or name == "hours"
    }
    by_hour: dict[str, Any] = dict(lists)
    for key, names, columns in (("missing_critical", critical_fields, missing), ("rate_counts", rate_names, rated)):
        named = zip(names, zip(*columns, strict=True), strict=False)
        if counted := {name: list(numbers) for name, numbers in named if any(numbers)}:
            by_hour[key] = counted
    return rows[0]._replace(
        events=sum(events),
        errors=sum(errors),
        error_unknown_events=sum(unknown),
        missing_version=sum(untagged),
        missing_critical=tuple(map(sum, zip(*missing, strict=True))),
        late_events=sum(late),
        rate_counts=tuple(map(sum, zip(*rated, strict=True))),
        by_hour=json.dumps(by_hour, separators=(",", ":")),
    )


def make_scan(
    day: date = DAY, *rows: AggregateRow, sample: Iterable[SampledEvent] | None = None, **parts: Any
) -> DayScan:
    """A scan of ``rows``, by default a healthy row, with ten healthy sampled events and ``parts`` such as slices."""
    drawn = [SampledEvent(f"s{n}", "page.view", "1.0") for n in range(10)] if sample is None else sample
    return replace(DayScan(day, DayAggregates(rows or (make_row(),)), tuple(drawn)), **parts)


def make_sliced_scan(day: date, platforms: Mapping[str, int], **parts: Any) -> DayScan:
    """A healthy day of one signal, version and hour, with these events per ``platform``."""
    total = sum(platforms.values())
    slices = {Slice("event_name", "page.view"): total, Slice("service_version", "1.0"): total}
    for platform, events in platforms.items():
        slices[Slice("platform", platform)] = events
        slices[Slice("platform", platform, "event_name", "page.view")] = events
        slices[Slice("platform", platform, "service_version", "1.0")] = events
        slices[Slice("platform", platform, "hour", "12")] = events
    counted = {part: SliceCounts(events, 0, 0) for part, events in slices.items() if events}
    return make_scan(day, make_row(events=total), slices=counted, **parts)


def make_stored_scan(total_events: int = 1000, **overrides: Any) -> StoredScan:
    """The stored scan of a healthy DAY whose duplicates, arrivals and critical fields were not counted."""
    scan = StoredScan(
        source="web",
        day=DAY,
        revision=1,
        scanned_at=NOW,
        figures_hash="0" * 64,
        total_events=total_events,
        error_events=0,
        error_unknown_events=0,
        missing_version_events=0,
        late_events=0,
        sample_size=100,
        sample_passed=100,
        verified_events=None,
        unreadable_reason_code=None,
        unreadable_reason=None,
        missing_critical=None,
        rate_counts=None,
        duplicates=None,
        arrivals=None,
        is_new=False,
    )
    return replace(scan, **overrides)


def make_figures(**overrides: Any) -> DayFigures:
    """A healthy, complete day of 1,000 events, as many as expected."""
    figures = DayFigures(
        total_events=1000,
        error_events=0,
        error_rate_percent=0.0,
        missing_version_events=0,
        missing_version_percent=0.0,
        sample_size=100,
        sample_passed=100,
        sampling_success_rate_percent=100.0,
        expected_events=1000.0,
        expected_low_events=900.0,
        expected_high_events=1100.0,
        volume_deviation_percent=0.0,
        is_volume_unusual=False,
        compared_events=1000,
        duplicate_events=0,
        duplicate_percent=0.0,
        critical_missing_percent=None,
        is_provisional=False,
    )
    return replace(figures, **overrides)


def make_evidence(figures: DayFigures | None = None, day: date = DAY, **overrides: Any) -> Evidence:
    """The evidence of a healthy day without known earlier days."""
    found = figures or make_figures()
    expectation = Expectation(found.expected_events, found.expected_low_events, found.expected_high_events)
    return replace(Evidence(day, found, expectation, totals={day: found.total_events or 0}), **overrides)


def make_verdicts(policy: Policy | None = None, schema: EventSchema = SCHEMA, **figures: Any) -> tuple[Verdict, ...]:
    """The verdicts on ``make_figures(**figures)``."""
    return judge_day(make_evidence(make_figures(**figures)), policy or policy_of(), schema)


def make_snapshot(
    day: date = DAY, *, source: str = "web", policy: Policy | None = None, scan_revision: int = 1, **figures: Any
) -> TelemetryIntegritySnapshot:
    """The snapshot of ``make_figures(**figures)``, not stored yet."""
    return take_snapshot(
        source=source,
        day=day,
        figures=make_figures(**figures),
        verdicts=make_verdicts(policy, **figures),
        policy=policy or policy_of(),
        scan_revision=scan_revision,
        scan_hash="0" * 64,
        now=NOW,
    )


@dataclass
class FakeSource:
    """A source whose days are a dictionary; days that are not in it are empty.

    Attributes:
        hours: What happened in the hours that begin then; their own ``hour`` does not matter.
        failures: Errors to raise, one per call that reads, before answering.
        costly: Why hours cost too much.
    """

    days: dict[date, DayScan | UnreadableDay] = field(default_factory=dict)
    hours: dict[datetime, tuple[AggregateRow, ...]] = field(default_factory=dict)
    signals: frozenset[str] | None = None
    failures: list[Exception] = field(default_factory=list)
    schema: EventSchema = SCHEMA
    calls: int = 0
    can_prefetch: bool = False
    costly: str | None = None

    def interrupt(self) -> None:
        """Do nothing: the fake takes no time."""

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        for window in windows:
            yield self.days.get(window.day, DayScan(window.day, DayAggregates()))

    def scan_hours(self, window: DayWindow) -> DayAggregates | UnreadableDay:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        if isinstance(day := self.days.get(window.day), UnreadableDay):
            return day
        rows = {at: found for at, found in self.hours.items() if window.start <= at < window.end}
        placed = (
            row._replace(hour=(at - window.start) // timedelta(hours=1)) for at, found in rows.items() for row in found
        )
        return DayAggregates(tuple(placed), rate_names=self.schema.rate_counts)

    def costly_hours(self, window: DayWindow) -> str | None:
        del window
        return self.costly

    def count_days(self, windows: Sequence[DayWindow]) -> dict[date, int | UnreadableDay]:
        if self.failures:
            raise self.failures.pop(0)
        answers = (self.days.get(window.day, DayScan(window.day, DayAggregates())) for window in windows)
        return {
            answer.day: answer if isinstance(answer, UnreadableDay) else answer.aggregates.totals().events
            for answer in answers
        }

    def read_signals(self) -> frozenset[str] | None:
        return self.signals


def alerts_of(snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict]) -> tuple[Alert, ...]:
    """The alerts about ``verdicts`` of a stored snapshot."""
    revision = snapshot.revision or 0
    return tuple(
        alert_of(snapshot.source, snapshot.day, revision, verdict) for verdict in verdicts if is_alert(verdict)
    )


def dispatch_alerts(
    store: SqlQualityStore, snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict], channel: str = "log"
) -> None:
    """Claim and settle the alerts of a stored snapshot, as a process that sends them does."""
    alerts = alerts_of(snapshot, verdicts)
    assert alerts
    assert all(store.claim_alert(alert, channel, NOW, LEASE) for alert in alerts)
    store.settle_alerts(alerts, channel, Settlement.DISPATCHED, NOW)


def make_store(folder: Path) -> SqlQualityStore:
    """A migrated store in ``folder``."""
    return SqlQualityStore(migrated_store(folder / "quality.db"))


def migrated_store(file: Path) -> str:
    """The URL of a new SQLite store at ``file``: a copy, because the migrations take longer than most tests."""
    file.touch(mode=0o600)
    file.write_bytes(_migrated_bytes())
    return f"sqlite:///{file}"


@cache
def _migrated_bytes() -> bytes:
    """What the migrations make of an empty file; they run once in each test process."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "quality.db"
        migrate(f"sqlite:///{file}")
        return file.read_bytes()


def make_work(folder: Path, source: FakeSource | None = None, **overrides: Any) -> DailyWork:
    """The daily work of the source ``web`` on a new store, without real waiting."""
    parts: dict[str, Any] = {
        "name": "web",
        "source": source or FakeSource(),
        "store": overrides.pop("store", None) or make_store(folder),
        "calendar": Calendar(ZoneInfo("UTC"), date(2026, 1, 1)),
        "policy": policy_of(),
        "wait": lambda _: None,
    }
    return DailyWork(**(parts | overrides))
