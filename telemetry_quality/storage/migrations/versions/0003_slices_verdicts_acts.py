"""What days are judged by and what is decided on them: slices, repetitions, arrivals, verdicts, acts on incidents.

Rows that are there keep None in the new columns, and their hashes with it (``hashing.known``).
"""

import sqlalchemy as sa
from alembic import op

from telemetry_quality.storage.tables import StoredText, UtcDateTime
from telemetry_quality.storage.triggers import append_only

revision = "0003"
down_revision = "0002"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

READING_COLUMNS = {
    "missing_critical": sa.JSON,
    "compared_events": sa.BigInteger,
    "repeated_events": sa.BigInteger,
    "arrivals_by_hour": sa.JSON,
    "observed_events": sa.BigInteger,
    "future_events": sa.BigInteger,
    "stale_events": sa.BigInteger,
    "undated_events": sa.BigInteger,
}
SNAPSHOT_COLUMNS = {
    "expected_low_events": sa.Float,
    "expected_high_events": sa.Float,
    "is_volume_unusual": sa.Boolean,
    "compared_events": sa.BigInteger,
    "repeated_events": sa.BigInteger,
    "duplicate_percent": sa.Float,
    "critical_missing_percent": sa.Float,
    "late_percent": sa.Float,
    "misdated_percent": sa.Float,
    "completeness_percent": sa.Float,
    "is_provisional": sa.Boolean,
    "verdicts_hash": StoredText,
}
POSITION_KEY = ("source", "day", "revision", "position")


def upgrade() -> None:
    """Add the columns, then the tables and what keeps them append-only."""
    for table, columns in (("day_reading", READING_COLUMNS), ("integrity_snapshot", SNAPSHOT_COLUMNS)):
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    _create_event_slice()
    _create_guardrail_verdict()
    _create_incident_act()
    for table, keys in {
        "event_slice": (("id",), POSITION_KEY),
        "guardrail_verdict": (("id",), POSITION_KEY),
        "incident_act": (("sequence",),),
    }.items():
        for trigger in append_only(op.get_bind().dialect.name, table, keys):
            op.execute(trigger)


def _position_key() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("id", SEQUENCE, nullable=False),
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )


def _create_event_slice() -> None:
    op.create_table(
        "event_slice",
        *_position_key(),
        sa.Column("dimension", StoredText, nullable=False),
        sa.Column("by_dimension", StoredText),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("by_value", sa.JSON),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("errors", sa.JSON, nullable=False),
        sa.Column("missing_version", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_slice"),
        sa.UniqueConstraint(*POSITION_KEY, name="uq_event_slice_source_day_revision_position"),
        sqlite_autoincrement=True,
    )


def _create_guardrail_verdict() -> None:
    op.create_table(
        "guardrail_verdict",
        *_position_key(),
        sa.Column("guardrail", StoredText, nullable=False),
        sa.Column("level", StoredText, nullable=False),
        sa.Column("outcome", StoredText, nullable=False),
        sa.Column("reason_code", StoredText, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("threshold", sa.Float),
        sa.Column("sentence", StoredText, nullable=False),
        sa.Column("causes", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guardrail_verdict"),
        sa.UniqueConstraint(*POSITION_KEY, name="uq_guardrail_verdict_source_day_revision_position"),
        sqlite_autoincrement=True,
    )


def _create_incident_act() -> None:
    op.create_table(
        "incident_act",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("cause", StoredText, nullable=False),
        sa.Column("act", StoredText, nullable=False),
        sa.Column("acted_by", StoredText, nullable=False),
        sa.Column("note", StoredText, nullable=False),
        sa.Column("until", sa.Date),
        sa.Column("acted_at", UtcDateTime, nullable=False),
        sa.Column("previous_hash", StoredText),
        sa.Column("content_hash", StoredText, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_incident_act"),
        sqlite_autoincrement=True,
    )
