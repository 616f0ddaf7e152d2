"""A month of a quiet shop in the tables that vendors lay out, with one bad day, for pages about a vendor's events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import duckdb

from telemetry_quality_tests.presets.test_vendor_tables import in_duckdb
from telemetry_quality_tests.presets.vendor_tables import LAYOUTS, Event, Layout

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY, DAYS = date(2026, 2, 1), 28
BAD_DAY = date(2026, 2, 24)
"""The day on which a new version fails at its checkout in the evening."""


@dataclass(frozen=True)
class Month(Layout):
    """A vendor's table with the events of the shop."""

    def events(self) -> list[Event]:
        """Some 500 events a day, fewer on weekends; one in a hundred is an error."""
        random = Random(11)
        events: list[Event] = []
        for offset in range(DAYS):
            day = FIRST_DAY + timedelta(days=offset)
            start = datetime.combine(day, datetime.min.time(), UTC)
            for second in sorted(random.sample(range(86_400), 350 if day.weekday() >= 5 else 500)):
                is_new = random.random() < 0.5 and day >= BAD_DAY
                name = random.choices(("page view", "search", "checkout"), (6, 3, 1))[0]
                fails = day == BAD_DAY and is_new and second >= 12 * 3600
                is_error = random.random() < (0.6 if fails else 0.01)
                version = "2.5.0" if is_new else "2.4.1"
                events.append(Event(len(events), start + timedelta(seconds=second), name, version, is_error))
        return events


def month_in(layout: str) -> Month:
    """The table that a layout of the vendors' pages describes, filled."""
    found = next(known for known in LAYOUTS if known.name == layout)
    return Month(
        found.name, found.preset, found.columns, found.row,
        has_versions=found.has_versions, has_errors=found.has_errors, own_types=found.own_types,
    )  # fmt: skip


def write_warehouse(folder: Path, layout: str, table: str, work: Path) -> None:
    """Write ``warehouse.duckdb`` into ``folder``, with the month in ``table``, which may have a schema."""
    in_duckdb(work, month_in(layout), layout).close()
    schema, _, _ = table.rpartition(".")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(f"ATTACH '{work / layout}.duckdb' AS made (READ_ONLY)")
        if schema:
            connection.execute(f'CREATE SCHEMA "{schema}"')
        connection.execute(f'CREATE TABLE {table} AS FROM made."{layout}"')
