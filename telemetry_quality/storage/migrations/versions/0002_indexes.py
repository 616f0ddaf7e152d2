"""Indexes for what is asked most: a day's aggregates, when a signal was first seen, days of a status."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_event_aggregate_source_day_revision", "event_aggregate", ["source", "day", "revision"])
    op.create_index("ix_event_aggregate_source_event_name_day", "event_aggregate", ["source", "event_name", "day"])
    op.create_index("ix_integrity_snapshot_day_status", "integrity_snapshot", ["day", "status"])
