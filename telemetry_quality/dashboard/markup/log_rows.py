"""The rows of the log of snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from telemetry_quality.core.metrics import MAIN
from telemetry_quality.dashboard.markup.numbers import cell_of
from telemetry_quality.dashboard.rendering import day, instant, status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry_quality.storage.reader import JournalRow


def log_rows(rows: Iterable[JournalRow], zones: Mapping[str, ZoneInfo]) -> Markup:
    """HTML rows of the log, with columns in the order of the page's headings."""
    return Markup("\n".join(_log_row(row, zones[row.source]) for row in rows))  # noqa: S704 - escaped one by one


def _log_row(row: JournalRow, zone: ZoneInfo) -> str:
    source = escape(row.source)
    address = f"/health/snapshots/{source}/{row.day}/"
    revisions = str(row.revision)
    if row.revision > 1:
        revisions = f'<a href="{address}#revisions" aria-label="Compare {row.revision} revisions">{row.revision}</a>'
    numbers = (*(cell_of(metric, getattr(row, metric.name)) for metric in MAIN), revisions)
    return (
        f'<tr><th scope="row" class="line"><a href="{address}">{day(row.day, with_weekday=True)}</a></th>'
        f"<td>{source}</td><td>{status(row.status)}</td>"
        + "".join(f'<td class="number">{value}</td>' for value in numbers)
        + f"<td>{instant(row.computed_at, zone)}</td></tr>"
    )
