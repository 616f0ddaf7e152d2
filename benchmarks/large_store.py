"""A store of many sources and days, by default ten years of fifty sources, as the daily work would have left it.

Numbers are made up but plausible: weekdays, growth, noise, and failures that last a few days. Every day was judged by
the five guardrails that need no history, and every row carries the hash that ``telemetry-quality verify`` computes.
Only the last days have aggregates, samples and slices, because no more are ever opened.
Run ``python benchmarks/large_store.py FOLDER [SOURCES DAYS]``; 182,500 days take some minutes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from telemetry_quality import load_settings
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.core.events import AggregateRow, DayAggregates, DayScan, Slice, SliceCounts, UnreadableDay
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, judge_day, policy_of
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.policies import Policy
from telemetry_quality.core.sampling import MISSING_VERSION, SampleVerdict
from telemetry_quality.core.snapshots import take_snapshot
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.rows import (
    AGGREGATE_FIELDS,
    SNAPSHOT_FIELDS,
    aggregate_rows,
    figures_hash,
    figures_row,
    sample_rows,
    slice_rows,
    verdict_rows,
    verdicts_hash,
)
from telemetry_quality.storage.tables import (
    day_scan,
    event_aggregate,
    event_sample,
    event_slice,
    guardrail_verdict,
    integrity_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Table

    from telemetry_quality.core.guardrails.verdicts import Verdict

SOURCES = 50
DAYS = 3650
DETAILED_DAYS = 20
DAYS_AT_ONCE = 3000
"""Days of all sources that are written in one transaction."""

ZONES = ("UTC", "America/New_York", "Europe/Berlin")
WEEK = (1.0, 1.05, 1.05, 1.02, 0.95, 0.7, 0.65)
FAULTS = ("errors", "volume", "versions", "sample", "silence", "unreadable")
FAULT_WEIGHTS = (30, 30, 25, 10, 3, 2)
BEGIN_PERCENT = 2.6
"""This share of healthy days is followed by a fault of one to four days: about 5 % of days fail."""

JUDGES = BUILT_IN[:5]
SCHEMA = EventSchema(None, "at", "name", "version", "failed")

SOURCE = """
[sources.{name}]
connector = "parquet"
path = "{name}/**/*.parquet"
time_zone = "{zone}"
first_day = {first_day}

[sources.{name}.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
dimensions = ["platform"]
"""


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sources, days = map(int, sys.argv[2:4] or (SOURCES, DAYS))
    start = perf_counter()
    write_large_store(folder, sources, days)
    size = (folder / "quality.db").stat().st_size
    print(f"{sources * days:,} days, {size / 2**20:,.0f} MiB, written in {perf_counter() - start:.0f} s to {folder}")


def write_large_store(
    folder: Path, sources: int = SOURCES, days: int = DAYS, store: str = "sqlite:///quality.db"
) -> Path:
    """Write settings into ``folder``, and days up to yesterday into ``store``; return the settings file."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=days - 1)
    names = source_names(sources)
    file = folder / "telemetry.toml"
    parts = (
        SOURCE.format(name=name, zone=ZONES[number % len(ZONES)], first_day=first) for number, name in enumerate(names)
    )
    file.write_text("".join([f'store = "{store}"\n', *parts]))
    settings = load_settings(file)
    migrate(settings.store)
    policy = KnownPolicy(policy_of().values)
    streams = [Stream(name, number, policy) for number, name in enumerate(names)]
    writer = Writer()
    engine = open_engine(settings.store)
    at_once = max(1, DAYS_AT_ONCE // sources)
    for begin in range(0, days, at_once):
        for offset in range(begin, min(begin + at_once, days)):
            for stream in streams:
                writer.add(stream, first + timedelta(days=offset), offset, is_detailed=offset >= days - DETAILED_DAYS)
        with transaction(engine, writes=True) as connection:
            writer.flush(connection)
    engine.dispose()
    return file


def source_names(sources: int) -> list[str]:
    """The names of the sources."""
    return [f"stream_{number:02}" for number in range(1, sources + 1)]


class KnownPolicy(Policy):
    """The default policy, which every day repeats."""

    __slots__ = ()

    @staticmethod
    @cache
    def text() -> str:
        """The text of the policy, computed once."""
        return policy_of().text()


@dataclass
class Stream:
    """One source, whose days are generated in order."""

    name: str
    number: int
    policy: Policy
    fault: str | None = None
    fault_days: int = 0
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.random.seed(self.name)

    def next_fault(self) -> str | None:
        """What is wrong with the next day, if anything."""
        if self.fault_days:
            self.fault_days -= 1
        elif self.random.random() * 100 < BEGIN_PERCENT:
            (self.fault,) = self.random.choices(FAULTS, FAULT_WEIGHTS)
            self.fault_days = self.random.randint(0, 3)
        else:
            self.fault = None
        return self.fault

    def counts(self, day: date, offset: int, fault: str | None) -> tuple[float, int, int, int, int]:
        """Expected events, events, errors, events without version, and how many of 100 sampled ones passed."""
        draw = self.random
        expected = 4_000 * 1.12 ** (self.number % SOURCES) * WEEK[day.weekday()] * (1 + offset / 3650)
        total = round(expected * draw.gauss(1, 0.03) * (draw.uniform(0.2, 0.55) if fault == "volume" else 1))
        errors = round(total * draw.uniform(*((0.08, 0.4) if fault == "errors" else (0.002, 0.02))))
        missing = round(total * draw.uniform(*((0.03, 0.2) if fault == "versions" else (0.0, 0.005))))
        passed = draw.randint(85, 97) if fault == "sample" else 100 - (draw.random() < 0.1)
        return expected, 0 if fault == "silence" else total, errors, missing, passed


@dataclass
class Writer:
    """Rows waiting to be written, and the hashes that they continue."""

    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)
    last: dict[Table, str | None] = field(default_factory=dict)

    def add(self, stream: Stream, day: date, offset: int, *, is_detailed: bool) -> None:
        """Add a day of a stream: scan, snapshot and verdicts."""
        now = datetime.combine(day + timedelta(days=1), time(2), UTC) + timedelta(minutes=stream.number)
        fault = stream.next_fault()
        expected, total, errors, missing, passed = stream.counts(day, offset, fault)
        scan: DayScan | UnreadableDay
        if fault == "unreadable":
            scan = UnreadableDay(day, "FILE_CORRUPT", "The file is cut off.")
            sample: tuple[SampleVerdict, ...] = _sample(None)
            figures = DayFigures(unreadable_reason_code=scan.reason_code, unreadable_reason=scan.reason)
        else:
            scan = _scan(day, total, errors, missing, is_detailed=is_detailed)
            sample = _sample(passed if total else None)
            figures = _figures(expected if offset >= 14 else None, total, errors, missing, passed)
        key = {"source": stream.name, "day": day, "revision": 1}
        self._add_scan(key, scan, sample, figures.sample_passed or 0, now, is_detailed=is_detailed)
        self._add_snapshot(key, stream, figures, now)

    def _add_scan(
        self,
        key: dict[str, Any],
        scan: DayScan | UnreadableDay,
        sample: tuple[SampleVerdict, ...],
        passed: int,
        now: datetime,
        *,
        is_detailed: bool,
    ) -> None:
        figures = figures_row(scan, ()) | ({"sample_size": 100, "sample_passed": passed} if sample else {})
        aggregates = aggregate_rows(scan) if is_detailed else []
        drawn, slices = (sample_rows(sample), slice_rows(scan)) if is_detailed else ([], [])
        hashed = figures_hash(figures, aggregates, drawn, slices)
        self._chain(day_scan, {**key, "scanned_at": now, **figures, "figures_hash": hashed})
        self._details(event_aggregate, key, [dict(zip(AGGREGATE_FIELDS, row, strict=True)) for row in aggregates])
        self._details(event_sample, key, drawn)
        self._details(event_slice, key, slices)

    def _add_snapshot(self, key: dict[str, Any], stream: Stream, figures: DayFigures, now: datetime) -> None:
        low, high = figures.expected_low_events, figures.expected_high_events
        evidence = Evidence(key["day"], figures, Expectation(figures.expected_events, low, high))
        verdicts = _judged(evidence, stream.policy)
        snapshot = take_snapshot(
            source=stream.name,
            day=key["day"],
            figures=figures,
            verdicts=verdicts,
            policy=stream.policy,
            scan_revision=1,
            scan_hash=self.rows[day_scan][-1]["figures_hash"],
            now=now,
        )
        rows = verdict_rows(verdicts)
        values = {name: getattr(snapshot, name) for name in SNAPSHOT_FIELDS}
        self._chain(integrity_snapshot, {**values, **key, "verdicts_hash": verdicts_hash(rows)})
        self._details(guardrail_verdict, key, rows)

    def _chain(self, chained: Table, values: dict[str, Any]) -> None:
        """Append a row as ``storage.chains`` does, without reading the row before from the database."""
        row: dict[str, Any] = {column.name: None for column in chained.columns if column.name != "sequence"}
        row |= values
        row["previous_hash"] = self.last.get(chained)
        row["content_hash"] = self.last[chained] = row_hash(row)
        self.rows.setdefault(chained, []).append(row)

    def _details(self, part: Table, key: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        self.rows.setdefault(part, []).extend({**key, **row} for row in rows)

    def flush(self, connection: Connection) -> None:
        """Write all waiting rows."""
        for stored, rows in self.rows.items():
            if rows:
                connection.execute(insert(stored), rows)
                rows.clear()


def _judged(evidence: Evidence, policy: Policy) -> tuple[Verdict, ...]:
    if evidence.figures.unreadable_reason_code is not None:
        return judge_day(evidence, policy, SCHEMA)[: len(JUDGES)]
    return tuple(rule.judge(evidence, policy) for rule in JUDGES)


def _figures(expected: float | None, total: int, errors: int, missing: int, passed: int) -> DayFigures:
    deviation = None if expected is None else 100 * (total - expected) / expected
    return DayFigures(
        total_events=total,
        error_events=errors if total else 0,
        error_rate_percent=100 * errors / total if total else None,
        missing_version_events=missing if total else 0,
        missing_version_percent=100 * missing / total if total else None,
        sample_size=100 if total else 0,
        sample_passed=passed if total else 0,
        sampling_success_rate_percent=float(passed) if total else None,
        expected_events=expected,
        expected_low_events=None if expected is None else 0.88 * expected,
        expected_high_events=None if expected is None else 1.12 * expected,
        volume_deviation_percent=deviation,
        is_volume_unusual=None if deviation is None else abs(deviation) > 12,
        compared_events=total,
        duplicate_events=0,
        duplicate_percent=0.0 if total else None,
        is_provisional=False,
    )


def _scan(day: date, total: int, errors: int, missing: int, *, is_detailed: bool) -> DayScan:
    """A day with counts spread evenly over hours, names and versions, or in a single row where nobody looks."""
    cells = [
        (hour, name, version)
        for hour in (range(24) if is_detailed else range(1))
        for name in (("page.view", "checkout.pay", "search.query") if is_detailed else ("page.view",))
        for version in (("1.4.0", "1.5.0") if is_detailed else ("1.5.0",))
    ]
    shares = (_shared_out(count, len(cells)) for count in (total, errors, missing))
    rows = tuple(
        AggregateRow(hour, name, version, events, wrong, 0, untagged, (), 0)
        for (hour, name, version), events, wrong, untagged in zip(cells, *shares, strict=True)
    )
    if not (is_detailed and total):
        return DayScan(day, DayAggregates(rows if total else ()))
    slices = {
        Slice("platform", platform): SliceCounts(part, 0, 0)
        for platform, part in zip(("web", "ios", "android"), _shared_out(total, 3), strict=True)
    }
    return DayScan(day, DayAggregates(rows), slices=slices)


def _shared_out(count: int, parts: int) -> Iterator[int]:
    return (count // parts + (number < count % parts) for number in range(parts))


@cache
def _sample(passed: int | None) -> tuple[SampleVerdict, ...]:
    if passed is None:
        return ()
    return tuple(
        SampleVerdict(f"event-{number:03}", () if number < passed else (MISSING_VERSION,)) for number in range(100)
    )


if __name__ == "__main__":
    main()
