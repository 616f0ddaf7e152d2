"""Frames: what the store knows about days as pandas frames and as files, for notebooks, reports and training.

pandas and DuckDB are imported when a frame or a Parquet file is made, because nothing else here needs them.
"""

from telemetry_quality.frames.days import load_trusted_days
from telemetry_quality.frames.snapshots import load_snapshots
from telemetry_quality.frames.training import load_training_days

__all__ = ["load_snapshots", "load_training_days", "load_trusted_days"]
