"""Great Expectations on a Parquet file through pandas; ``whole`` reads every column, as it does by default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import great_expectations as gx

from peers.protocol import COLUMNS, ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path

options = {} if "whole" in sys.argv else {"columns": COLUMNS}
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
suite = context.suites.add(
    gx.ExpectationSuite(
        "guardrails",
        expectations=[
            gx.expectations.ExpectTableRowCountToBeBetween(min_value=1, meta={"verdict": "rows"}),
            gx.expectations.ExpectColumnValuesToBeBetween(
                column="severity", max_value=16, mostly=1 - ERROR_PERCENT / 100, meta={"verdict": "error_rate"}
            ),
            gx.expectations.ExpectColumnValuesToNotBeNull(
                column="app_version", mostly=1 - MISSING_VERSION_PERCENT / 100, meta={"verdict": "missing_version"}
            ),
            gx.expectations.ExpectColumnValuesToNotBeNull(column="event_name", meta={"verdict": "missing_name"}),
        ],
    )
)
source: Any = None


def load(file: Path) -> Any:
    global source  # noqa: PLW0603 - a name can be added to a context only once
    if source is None:
        source = context.data_sources.add_pandas_filesystem("days", base_directory=file.parent)
        asset = source.add_parquet_asset("day", **options)
        source = asset.add_batch_definition_path("events", path=file.name)
    return source.get_batch()


def check(batch: Any) -> dict[str, object]:
    results = batch.validate(suite).results
    return {result.expectation_config.meta["verdict"]: result.success for result in results}


answer(load, check)
