from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from telemetry_quality.storage.bulk import ROWS_AT_ONCE, append_rows
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.tables import event_aggregate, event_sample, event_slice, guardrail_verdict

KEY = {"source": "web", "day": date(2026, 2, 1), "revision": 1}
MOST = ROWS_AT_ONCE[0]


@pytest.mark.parametrize("rows", [1, 9, 10, 11, MOST - 1, MOST, MOST + 1, 2 * MOST + 23])
def test_any_number_of_rows_is_kept_in_order(store_url: str, rows: int) -> None:
    values: dict[str, list[Any]] = {
        "position": list(range(rows)),
        "event_id": [f"é{number}" if number % 3 else None for number in range(rows)],
        "verdict": ["failed" if number % 2 else "passed" for number in range(rows)],
        "reason_codes": [["A", "B"] if number % 2 else [] for number in range(rows)],
    }
    kept = event_sample.c
    columns = (kept.source, kept.day, kept.revision, *(kept[name] for name in values))
    with transaction(open_engine(store_url), writes=True) as connection:
        append_rows(connection, event_sample, KEY, values)
        found = connection.execute(select(*columns).order_by(kept.id)).all()
    assert list(map(tuple, found)) == [(*KEY.values(), *row) for row in zip(*values.values(), strict=True)]


def test_a_statement_has_no_more_values_than_an_old_sqlite_accepts() -> None:
    assert MOST * max(len(table.c) for table in (event_aggregate, event_sample, event_slice, guardrail_verdict)) <= 999
