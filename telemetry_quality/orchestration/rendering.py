"""Metadata for Dagster's pages: what leads on, numbers to plot, and a picture small enough to be shown inline.

Dagster draws a chart of every number, so what hardly ever changes is text.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.guardrails.catalogue import metric_named
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.hours import hour_totals
from telemetry_quality.core.links import day_link
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.orchestration.verdict_list import verdict_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.events import DayAggregates, Totals
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.hours import HourTotals
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

TABLE_ROWS = 12
"""The number of rows shown of a table; the store has all of them."""

WIDEST_DAY = 25
"""The hours of a day on which clocks are set back."""


def scan_metadata(scan: StoredScan) -> dict[str, Any]:
    """The metadata of every asset that a scan makes; without numbers if the day could not be read."""
    if scan.unreadable_reason_code is not None:
        return {
            "status": "unknown",
            "reason_code": scan.unreadable_reason_code,
            "reason": str(scan.unreadable_reason),
            "revision": str(scan.revision),
        }
    return {"revision": str(scan.revision), "is_new_revision": scan.is_new}


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
            error_rate_percent=_rounded(totals.error_rate_percent),
            missing_version_percent=_rounded(totals.missing_version_percent),
            late_events=totals.late_events,
        ),
        "dagster/partition_row_count": len(aggregates.rows),
        "by_signal": _totals_table("event_name", aggregates.by_signal()),
        "by_version": _totals_table("service_version", aggregates.by_version()),
        "missing_critical_fields": dg.MetadataValue.json(aggregates.missing_critical()),
        "events_per_hour": dg.MetadataValue.md(hour_chart(hour_totals(aggregates))),
    }


def sample_metadata(scan: StoredScan) -> dict[str, Any]:
    """The number of sampled events and how many passed."""
    if scan.unreadable_reason_code is not None:
        return scan_metadata(scan)
    size, passed = scan.sample_size or 0, scan.sample_passed or 0
    return {
        **scan_metadata(scan),
        "dagster/partition_row_count": size,
        "sample_size": str(size),
        "sample_passed": passed,
        **_present(
            sampling_success_rate_percent=_rounded(100 * passed / size) if size else None,
            verified_events=scan.verified_events,
        ),
    }


SNAPSHOT_NUMBERS = tuple(metric.name for metric in METRICS if metric.is_plotted)
"""The numbers that Dagster plots over days."""


def snapshot_metadata(
    snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict], hours: HourTotals | None, dashboard: str
) -> dict[str, Any]:
    """What is wrong with a day and where to read on, before its numbers, one entry each.

    Args:
        snapshot: The day's.
        verdicts: Of all its guardrails.
        hours: What the scan counted in each hour; None if nothing was counted.
        dashboard: The address of the dashboard.
    """
    picture = (
        {} if hours is None else {"events_per_hour": dg.MetadataValue.md(hour_chart(hours, failed_hours(verdicts)))}
    )
    return {
        "status": snapshot.status.value,
        "guardrails": dg.MetadataValue.md(verdict_list(verdicts)),
        **dashboard_entry(dashboard, snapshot),
        **picture,
        **_present(**{name: _number(name, snapshot) for name in (*SNAPSHOT_NUMBERS, *snapshot.extra_numbers)}),
        # Text, because every number becomes a chart.
        "revision": str(snapshot.revision),
        "content_hash": snapshot.content_hash,
    }


def dashboard_entry(dashboard: str, snapshot: TelemetryIntegritySnapshot) -> dict[str, Any]:
    """The day's page in the dashboard, where its hours and segments are."""
    return {"dashboard": dg.MetadataValue.url(day_link(dashboard, snapshot.source, snapshot.day))}


def _number(name: str, snapshot: TelemetryIntegritySnapshot) -> float | None:
    value: float | None = snapshot.number(name)
    return round(value, metric_named(name).digits) if isinstance(value, float) else value


def failed_hours(verdicts: Iterable[Verdict]) -> list[tuple[int, int]]:
    """The first and last hours that failures name, foremost first."""
    return [
        contributor.segment.hours
        for verdict in verdicts
        if verdict.outcome is Outcome.FAILED
        for contributor in verdict.contributors[:1]
        if contributor.segment.hours is not None
    ]


def hour_chart(hours: HourTotals, failed: Iterable[tuple[int, int]] = ()) -> str:
    """Events per hour, errors in red and ``failed`` hours shaded, in Markdown under Dagster's limit of characters."""
    highest = max(hours.events, default=0)
    if not highest:
        return "No events."
    shaded = sorted({hour for first, last in failed for hour in range(first, last + 1)})
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -20 {WIDEST_DAY} 20" width="300" height="120" '
        'preserveAspectRatio="none">'
        f'<path fill="#fd9" d="{"".join(f"M{hour} 0v-20h1v20" for hour in shaded)}"/>'
        f'<path fill="#59f" d="{_steps(hours.events, highest)}"/>'
        f'<path fill="#d22" d="{_steps(hours.errors, highest)}"/></svg>'
    )
    return f"![events per hour](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _steps(counts: Sequence[int], highest: int) -> str:
    """The outline of bars that touch each other."""
    if not any(counts):
        return ""
    heights = [round(20 * count / highest) for count in counts]
    return f"M0 0{''.join(f'V{-height}h1' for height in heights)}V0"


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
