"""The tables of the store, the triggers that keep them append-only, and the view of current snapshots."""

import sqlalchemy as sa
from alembic import op

from telemetry_quality.storage.tables import StoredText, UtcDateTime
from telemetry_quality.storage.triggers import append_only, refusing_function

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _key() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def _chain() -> tuple[sa.Column[object], ...]:
    return (sa.Column("previous_hash", StoredText), sa.Column("content_hash", StoredText, nullable=False))


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "day_reading",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.Column("total_events", sa.BigInteger),
        sa.Column("error_events", sa.BigInteger),
        sa.Column("error_unknown_events", sa.BigInteger),
        sa.Column("missing_version_events", sa.BigInteger),
        sa.Column("late_events", sa.BigInteger),
        sa.Column("sample_size", sa.Integer),
        sa.Column("sample_passed", sa.Integer),
        sa.Column("unreadable_reason_code", StoredText),
        sa.Column("unreadable_reason", StoredText),
        sa.Column("figures_hash", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_day_reading"),
        sa.UniqueConstraint("source", "day", "revision", name="uq_day_reading_source_day_revision"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_aggregate",
        sa.Column("id", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("event_name", StoredText),
        sa.Column("service_version", StoredText),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("error_unknown_events", sa.BigInteger, nullable=False),
        sa.Column("missing_version", sa.BigInteger, nullable=False),
        sa.Column("missing_critical", sa.JSON, nullable=False),
        sa.Column("late_events", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_aggregate"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_sample",
        sa.Column("id", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("event_id", StoredText),
        sa.Column("verdict", StoredText, nullable=False),
        sa.Column("reason_codes", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_sample"),
        sa.UniqueConstraint(
            "source", "day", "revision", "position", name="uq_event_sample_source_day_revision_position"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "integrity_snapshot",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("total_events", sa.BigInteger),
        sa.Column("error_events", sa.BigInteger),
        sa.Column("error_rate_percent", sa.Float),
        sa.Column("missing_version_events", sa.BigInteger),
        sa.Column("missing_version_percent", sa.Float),
        sa.Column("sample_size", sa.Integer),
        sa.Column("sample_passed", sa.Integer),
        sa.Column("sampling_success_rate_percent", sa.Float),
        sa.Column("expected_events", sa.Float),
        sa.Column("volume_deviation_percent", sa.Float),
        sa.Column("has_volume_anomaly", sa.Boolean),
        sa.Column("has_version_anomaly", sa.Boolean),
        sa.Column("has_error_spike", sa.Boolean),
        sa.Column("is_zero_activity", sa.Boolean),
        sa.Column("unreadable_reason_code", StoredText),
        sa.Column("unreadable_reason", StoredText),
        sa.Column("status", StoredText, nullable=False),
        sa.Column("policy", StoredText, nullable=False),
        sa.Column("computed_at", UtcDateTime, nullable=False),
        sa.Column("reading_revision", sa.Integer, nullable=False),
        sa.Column("reading_hash", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_integrity_snapshot"),
        sa.UniqueConstraint("source", "day", "revision", name="uq_integrity_snapshot_source_day_revision"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("guardrail", StoredText, nullable=False),
        sa.Column("level", StoredText, nullable=False),
        sa.Column("reason_code", StoredText, nullable=False),
        sa.Column("sentence", StoredText, nullable=False),
        sa.Column("logged_at", UtcDateTime, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_alert"),
        sa.UniqueConstraint("source", "day", "guardrail", "revision", name="uq_alert_source_day_guardrail_revision"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_table(
            "chain_length",
            sa.Column("chain", StoredText, nullable=False),
            sa.Column("rows_written", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("chain", name="pk_chain_length"),
        )
        op.execute(refusing_function())
    revision_key = ("source", "day", "revision")
    for table, keys in {
        "day_reading": (("sequence",), revision_key),
        "event_aggregate": (("id",),),
        "event_sample": (("id",), (*revision_key, "position")),
        "integrity_snapshot": (("sequence",), revision_key),
        "alert": (("sequence",), ("source", "day", "guardrail", "revision")),
    }.items():
        for trigger in append_only(op.get_bind().dialect.name, table, keys):
            op.execute(trigger)
    op.execute(
        "CREATE VIEW current_snapshot AS SELECT * FROM integrity_snapshot AS snapshot WHERE revision = "
        "(SELECT max(revision) FROM integrity_snapshot AS other"
        " WHERE other.source = snapshot.source AND other.day = snapshot.day)"
    )
