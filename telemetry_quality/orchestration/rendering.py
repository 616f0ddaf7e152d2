"""Metadata for Dagster's pages: plain numbers to plot, small tables, and a chart small enough to inline."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.guardrails.said_once import said_once
from telemetry_quality.core.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry_quality.core.events import DayAggregates, Totals
    from telemetry_quality.core.guardrails.said_once import Said
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

TABLE_ROWS = 12
"""The number of rows shown of a table; the store has all of them."""


def scan_metadata(scan: StoredScan) -> dict[str, Any]:
    """The metadata of every asset that a scan makes; without numbers if the day could not be read."""
    if scan.unreadable_reason_code is not None:
        return {
            "status": "unknown",
            "reason_code": scan.unreadable_reason_code,
            "reason": str(scan.unreadable_reason),
            "revision": scan.revision,
        }
    return {"revision": scan.revision, "is_new_revision": scan.is_new}


def aggregates_metadata(scan: StoredScan, aggregates: DayAggregates) -> dict[str, Any]:
    """Numbers, tables by signal and by version, and events per hour as a chart."""
    if scan.unreadable_reason_code is not None:
        return scan_metadata(scan)
    totals = aggregates.totals()
    return {
        **scan_metadata(scan),
        **_present(
            total_events=totals.events,
            error_events=totals.errors,
            error_rate_percent=totals.error_rate_percent,
            missing_version_percent=totals.missing_version_percent,
            late_events=totals.late_events,
        ),
        "dagster/partition_row_count": len(aggregates.rows),
        "by_signal": _totals_table("event_name", aggregates.by_signal()),
        "by_version": _totals_table("service_version", aggregates.by_version()),
        "missing_critical_fields": dg.MetadataValue.json(aggregates.missing_critical()),
        "events_per_hour": dg.MetadataValue.md(hour_chart(aggregates)),
    }


def sample_metadata(scan: StoredScan) -> dict[str, Any]:
    """The number of sampled events and how many passed."""
    if scan.unreadable_reason_code is not None:
        return scan_metadata(scan)
    size, passed = scan.sample_size or 0, scan.sample_passed or 0
    return {
        **scan_metadata(scan),
        "dagster/partition_row_count": size,
        "sample_size": size,
        "sample_passed": passed,
        **_present(
            sampling_success_rate_percent=100 * passed / size if size else None,
            verified_events=scan.verified_events,
        ),
    }


SNAPSHOT_NUMBERS = tuple(metric.name for metric in METRICS if metric.is_plotted)
"""The numbers that Dagster plots over days."""


def snapshot_metadata(snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The snapshot's numbers, one entry each, and the verdict of each guardrail."""
    return {
        "status": snapshot.status.value,
        "revision": snapshot.revision,
        **_present(**{name: snapshot.number(name) for name in (*SNAPSHOT_NUMBERS, *snapshot.extra_numbers)}),
        "guardrails": dg.MetadataValue.table([_verdict_record(said) for said in said_once(verdicts)]),
        "content_hash": snapshot.content_hash,
    }


def _verdict_record(said: Said[Verdict]) -> dg.TableRecord:
    names, sentence, verdict = said
    return dg.TableRecord(
        {
            "guardrail": names,
            "outcome": verdict.outcome.value,
            "level": verdict.level.value,
            "reason_code": verdict.reason_code,
            "sentence": sentence,
        }
    )


def hour_chart(aggregates: DayAggregates) -> str:
    """Events per hour as bars, errors in red on top, in Markdown under Dagster's limit of 1,000 characters."""
    hours = aggregates.by_hour()
    highest = max((totals.events for totals in hours.values()), default=0)
    if not highest:
        return "No events."
    events = "".join(f"M{2 * hour + 1} 20v-{20 * totals.events / highest:.0f}" for hour, totals in hours.items())
    errors = "".join(
        f"M{2 * hour + 1} 20v-{20 * totals.errors / highest:.0f}" for hour, totals in hours.items() if totals.errors
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 50 20" width="300">'
        f'<g stroke-width="1.6"><path stroke="#59f" d="{events}"/><path stroke="#d22" d="{errors}"/></g></svg>'
    )
    return f"![events per hour](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _totals_table(name: str, groups: Mapping[str, Totals]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                name: value,
                "events": totals.events,
                "error_rate_percent": _rounded(totals.error_rate_percent),
                "missing_version_percent": _rounded(totals.missing_version_percent),
            }
        )
        for value, totals in list(groups.items())[:TABLE_ROWS]
    ]
    columns = [
        dg.TableColumn(name, "string"),
        dg.TableColumn("events", "int"),
        dg.TableColumn("error_rate_percent", "float"),
        dg.TableColumn("missing_version_percent", "float"),
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _present(**numbers: float | None) -> dict[str, float]:
    """Only the known numbers: a missing one must not be plotted as zero."""
    return {name: value for name, value in numbers.items() if value is not None}
