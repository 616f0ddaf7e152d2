"""Indexes for the most frequent queries: aggregates, verdicts, what people said, deliveries, sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_event_aggregate_source_day_revision", "event_aggregate", ["source", "day", "revision"])
    op.create_index("ix_integrity_snapshot_day_status", "integrity_snapshot", ["day", "status"])
    failed = sa.text("outcome = 'failed' OR reason_code = 'DAY_UNREADABLE'")
    op.create_index(
        "ix_guardrail_verdict_failed",
        "guardrail_verdict",
        ["source", "day", "revision", "position"],
        sqlite_where=failed,
        postgresql_where=failed,
    )
    for name in ("incident_action", "day_mark"):
        op.create_index(f"ix_{name}_source_sequence", name, ["source", "sequence"])
    op.create_index("ix_delivery_channel_outcome_at", "delivery", ["channel", "outcome", "at"])
    for name in ("account_name", "address"):
        op.create_index(f"ix_sign_in_{name}_outcome_at", "sign_in", [name, "outcome", "at"])
    op.create_index("ix_staff_session_account_id", "staff_session", ["account_id"])
