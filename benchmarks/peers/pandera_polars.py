"""pandera on polars; its sample is drawn by polars and then validated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl

from peers.protocol import COLUMNS, ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path


def error_rate(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select((pl.col(data.key) >= 17).mean() <= ERROR_PERCENT / 100)


def missing_version(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_null().mean() <= MISSING_VERSION_PERCENT / 100)


def rows(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.len() > 0)


day = pa.DataFrameSchema(
    {
        "severity": pa.Column(checks=pa.Check(error_rate, name="error_rate")),
        "app_version": pa.Column(
            nullable=True, checks=pa.Check(missing_version, name="missing_version", ignore_na=False)
        ),
        "event_name": pa.Column(nullable=False),
    },
    checks=pa.Check(rows, name="rows"),
)
event = pa.DataFrameSchema({"app_version": pa.Column(nullable=False), "event_name": pa.Column(nullable=False)})


def load(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, columns=["event_id", *COLUMNS])


def check(events: pl.DataFrame) -> dict[str, object]:
    verdicts: dict[str, object] = dict.fromkeys(("rows", "error_rate", "missing_version", "missing_name"), True)
    try:
        day.validate(events, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for failed in errors.failure_cases["check"]:
            verdicts["missing_name" if failed == "not_nullable" else failed] = False
    sample = events.sample(100)
    try:
        event.validate(sample, lazy=True)
        verdicts["sample"] = 100
    except pa.errors.SchemaErrors as errors:
        verdicts["sample"] = 100 - errors.failure_cases["index"].n_unique()
    return verdicts


answer(load, check)
