"""pointblank on polars; its sample is drawn by polars and then validated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pointblank as pb
import polars as pl

from peers.protocol import COLUMNS, ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path


def load(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, columns=["event_id", *COLUMNS])


def check(events: pl.DataFrame) -> dict[str, object]:
    day = (
        pb.Validate(events)
        .col_vals_lt("severity", 17)
        .col_vals_not_null("app_version")
        .col_vals_not_null("event_name")
        .interrogate(collect_extracts=False)
    )
    failed = {step: day.f_failed(i=step, scalar=True) for step in (1, 2, 3)}
    sample = pb.Validate(events.sample(100)).rows_complete(columns_subset=["app_version", "event_name"])
    return {
        "rows": events.height > 0,
        "error_rate": failed[1] <= ERROR_PERCENT / 100,
        "missing_version": failed[2] <= MISSING_VERSION_PERCENT / 100,
        "missing_name": day.n_failed(i=3, scalar=True) == 0,
        "sample": sample.interrogate(collect_extracts=False).n_passed(i=1, scalar=True),
    }


answer(load, check)
