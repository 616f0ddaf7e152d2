"""pandera on pandas; its sample is drawn by ``validate(sample=100)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pandera.pandas as pa

from peers.protocol import COLUMNS, ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path

day = pa.DataFrameSchema(
    {
        "severity": pa.Column(
            checks=pa.Check(lambda severity: (severity >= 17).mean() <= ERROR_PERCENT / 100, name="error_rate")
        ),
        "app_version": pa.Column(
            nullable=True,
            checks=pa.Check(
                lambda version: version.isna().mean() <= MISSING_VERSION_PERCENT / 100,
                name="missing_version",
                ignore_na=False,
            ),
        ),
        "event_name": pa.Column(nullable=False),
    },
    checks=pa.Check(lambda events: len(events) > 0, name="rows"),
)
event = pa.DataFrameSchema({"app_version": pa.Column(nullable=False), "event_name": pa.Column(nullable=False)})


def load(file: Path) -> pd.DataFrame:
    return pd.read_parquet(file, columns=["event_id", *COLUMNS])


def check(events: pd.DataFrame) -> dict[str, object]:
    verdicts: dict[str, object] = dict.fromkeys(("rows", "error_rate", "missing_version", "missing_name"), True)
    try:
        day.validate(events, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for failed in errors.failure_cases["check"]:
            verdicts["missing_name" if failed == "not_nullable" else failed] = False
    try:
        event.validate(events, sample=100, lazy=True)
        verdicts["sample"] = 100
    except pa.errors.SchemaErrors as errors:
        verdicts["sample"] = 100 - errors.failure_cases["index"].nunique()
    return verdicts


answer(load, check)
