"""What a careful user types with pandas: only the columns needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from peers.protocol import COLUMNS, ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path


def load(file: Path) -> pd.DataFrame:
    return pd.read_parquet(file, columns=["event_id", *COLUMNS])


def check(events: pd.DataFrame) -> dict[str, object]:
    sample = events.sample(100)
    return {
        "rows": len(events) > 0,
        "error_rate": bool((events["severity"] >= 17).mean() <= ERROR_PERCENT / 100),
        "missing_version": bool(events["app_version"].isna().mean() <= MISSING_VERSION_PERCENT / 100),
        "missing_name": not events["event_name"].isna().any(),
        "sample": int(sample[["app_version", "event_name"]].notna().all(axis=1).sum()),
    }


answer(load, check)
