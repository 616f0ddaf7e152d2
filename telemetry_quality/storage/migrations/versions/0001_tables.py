"""The tables of the store, the triggers that keep them append-only, and the views."""

import sqlalchemy as sa
from alembic import op

from telemetry_quality.storage.column_types import StoredText, UtcDateTime
from telemetry_quality.storage.triggers import append_only, refusing_function
from telemetry_quality.storage.views import VIEWS, view_statement

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

REVISION_KEY = ("source", "day", "revision")
POSITION_KEY = (*REVISION_KEY, "position")
ALERT_KEY = ("source", "day", "guardrail", "revision", "channel")

UNIQUE = {
    "day_scan": (("sequence",), REVISION_KEY),
    "event_aggregate": (("id",),),
    "event_sample": (("id",), POSITION_KEY),
    "event_slice": (("id",), POSITION_KEY),
    "integrity_snapshot": (("sequence",), REVISION_KEY),
    "guardrail_verdict": (("id",), POSITION_KEY),
    "alert": (("sequence",), ALERT_KEY),
    "alert_claim": (("sequence",), (*ALERT_KEY, "attempt")),
    "delivery": (("sequence",),),
    "incident_action": (("sequence",),),
    "day_mark": (("sequence",),),
    "running_hour": (("sequence",), ("source", "day", "hour", "revision")),
    "forecast": (("sequence",), REVISION_KEY),
    "sign_in": (("sequence",),),
    "account_change": (("sequence",),),
}
"""The tables that are append-only, with the keys by which their rows are unique."""


def upgrade() -> None:
    """Create everything."""
    _create_day_scan()
    _create_event_aggregate()
    _create_event_sample()
    _create_event_slice()
    _create_integrity_snapshot()
    _create_guardrail_verdict()
    _create_alert()
    _create_alert_claim()
    _create_delivery()
    _create_incident_action()
    _create_day_mark()
    _create_running_hour()
    _create_forecast()
    _create_sign_in()
    _create_account_change()
    _create_staff_account()
    _create_staff_session()
    _create_staff_token()
    _create_staff_secret()
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        _create_chain_length()
        op.execute(refusing_function())
    for table, keys in UNIQUE.items():
        for trigger in append_only(dialect, table, keys):
            op.execute(trigger)
    for view in VIEWS:
        op.execute(view_statement(view))


def _key() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def _chain() -> tuple[sa.Column[object], ...]:
    return (sa.Column("previous_hash", StoredText), sa.Column("content_hash", StoredText, nullable=False))


def _create_day_scan() -> None:
    op.create_table(
        "day_scan",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("scanned_at", UtcDateTime, nullable=False),
        sa.Column("total_events", sa.BigInteger),
        sa.Column("error_events", sa.BigInteger),
        sa.Column("error_unknown_events", sa.BigInteger),
        sa.Column("missing_version_events", sa.BigInteger),
        sa.Column("missing_critical", sa.JSON),
        sa.Column("sample_size", sa.Integer),
        sa.Column("sample_passed", sa.Integer),
        sa.Column("verified_events", sa.BigInteger),
        sa.Column("compared_events", sa.BigInteger),
        sa.Column("duplicate_events", sa.BigInteger),
        sa.Column("late_events", sa.BigInteger),
        sa.Column("arrivals_by_hour", sa.JSON),
        sa.Column("totals_by_hour", sa.JSON),
        sa.Column("rate_counts", sa.JSON),
        sa.Column("observed_events", sa.BigInteger),
        sa.Column("future_events", sa.BigInteger),
        sa.Column("stale_events", sa.BigInteger),
        sa.Column("undated_events", sa.BigInteger),
        sa.Column("combinations", sa.BigInteger),
        sa.Column("other_events", sa.BigInteger),
        sa.Column("clipped_events", sa.BigInteger),
        sa.Column("counting_rules", StoredText),
        sa.Column("source_version", StoredText),
        sa.Column("unreadable_reason_code", StoredText),
        sa.Column("unreadable_reason", StoredText),
        sa.Column("figures_hash", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_day_scan"),
        sa.UniqueConstraint(*REVISION_KEY, name="uq_day_scan_source_day_revision"),
        sqlite_autoincrement=True,
    )


def _create_event_aggregate() -> None:
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
        sa.Column("by_hour", StoredText),
        sa.Column("rate_counts", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_event_aggregate"),
        sqlite_autoincrement=True,
    )


def _create_event_sample() -> None:
    op.create_table(
        "event_sample",
        sa.Column("id", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("event_id", StoredText),
        sa.Column("verdict", StoredText, nullable=False),
        sa.Column("reason_codes", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_sample"),
        sa.UniqueConstraint(*POSITION_KEY, name="uq_event_sample_source_day_revision_position"),
        sqlite_autoincrement=True,
    )


def _create_event_slice() -> None:
    op.create_table(
        "event_slice",
        sa.Column("id", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("dimension", StoredText, nullable=False),
        sa.Column("by_dimension", StoredText),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("by_value", sa.JSON),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("errors", sa.JSON, nullable=False),
        sa.Column("missing_version", sa.JSON, nullable=False),
        sa.Column("rate_counts", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_event_slice"),
        sa.UniqueConstraint(*POSITION_KEY, name="uq_event_slice_source_day_revision_position"),
        sqlite_autoincrement=True,
    )


def _create_integrity_snapshot() -> None:
    op.create_table(
        "integrity_snapshot",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("status", StoredText, nullable=False),
        sa.Column("computed_at", UtcDateTime, nullable=False),
        *_figures(),
        sa.Column("has_volume_anomaly", sa.Boolean),
        sa.Column("has_version_anomaly", sa.Boolean),
        sa.Column("has_error_spike", sa.Boolean),
        sa.Column("is_zero_activity", sa.Boolean),
        sa.Column("policy", StoredText, nullable=False),
        sa.Column("scan_revision", sa.Integer, nullable=False),
        sa.Column("scan_hash", StoredText, nullable=False),
        sa.Column("run_id", StoredText),
        sa.Column("verdicts_hash", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_integrity_snapshot"),
        sa.UniqueConstraint(*REVISION_KEY, name="uq_integrity_snapshot_source_day_revision"),
        sqlite_autoincrement=True,
    )


def _figures() -> tuple[sa.Column[object], ...]:
    """The numbers of a day, and why there are none."""
    return (
        sa.Column("total_events", sa.BigInteger),
        sa.Column("error_events", sa.BigInteger),
        sa.Column("error_rate_percent", sa.Float),
        sa.Column("missing_version_events", sa.BigInteger),
        sa.Column("missing_version_percent", sa.Float),
        sa.Column("sample_size", sa.BigInteger),
        sa.Column("sample_passed", sa.BigInteger),
        sa.Column("sampling_success_rate_percent", sa.Float),
        sa.Column("verified_events", sa.BigInteger),
        sa.Column("verified_percent", sa.Float),
        sa.Column("expected_events", sa.Float),
        sa.Column("expected_low_events", sa.Float),
        sa.Column("expected_high_events", sa.Float),
        sa.Column("volume_deviation_percent", sa.Float),
        sa.Column("is_volume_unusual", sa.Boolean),
        sa.Column("compared_events", sa.BigInteger),
        sa.Column("duplicate_events", sa.BigInteger),
        sa.Column("duplicate_percent", sa.Float),
        sa.Column("critical_missing_percent", sa.Float),
        sa.Column("late_percent", sa.Float),
        sa.Column("arrived_events", sa.BigInteger),
        sa.Column("impossible_timestamp_percent", sa.Float),
        sa.Column("unreadable_time_events", sa.BigInteger),
        sa.Column("unreadable_time_percent", sa.Float),
        sa.Column("invalid_timestamp_percent", sa.Float),
        sa.Column("completeness_percent", sa.Float),
        sa.Column("is_provisional", sa.Boolean),
        sa.Column("extra_numbers", sa.JSON, nullable=False),
        sa.Column("unreadable_reason_code", StoredText),
        sa.Column("unreadable_reason", StoredText),
    )


def _create_guardrail_verdict() -> None:
    op.create_table(
        "guardrail_verdict",
        sa.Column("id", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("guardrail", StoredText, nullable=False),
        sa.Column("level", StoredText, nullable=False),
        sa.Column("outcome", StoredText, nullable=False),
        sa.Column("reason_code", StoredText, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("threshold", sa.Float),
        sa.Column("sentence", StoredText, nullable=False),
        sa.Column("contributors", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guardrail_verdict"),
        sa.UniqueConstraint(*POSITION_KEY, name="uq_guardrail_verdict_source_day_revision_position"),
        sqlite_autoincrement=True,
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("guardrail", StoredText, nullable=False),
        sa.Column("level", StoredText, nullable=False),
        sa.Column("reason_code", StoredText, nullable=False),
        sa.Column("sentence", StoredText, nullable=False),
        sa.Column("channel", StoredText, nullable=False),
        sa.Column("settlement", StoredText, nullable=False),
        sa.Column("settled_at", UtcDateTime, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_alert"),
        sa.UniqueConstraint(*ALERT_KEY, name="uq_alert_source_day_guardrail_revision_channel"),
        sqlite_autoincrement=True,
    )


def _create_alert_claim() -> None:
    op.create_table(
        "alert_claim",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("guardrail", StoredText, nullable=False),
        sa.Column("channel", StoredText, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_alert_claim"),
        sa.UniqueConstraint(*ALERT_KEY, "attempt", name="uq_alert_claim_source_day_guardrail_revision_channel_attempt"),
        sqlite_autoincrement=True,
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("channel", StoredText, nullable=False),
        sa.Column("message_key", StoredText, nullable=False),
        sa.Column("kind", StoredText, nullable=False),
        sa.Column("outcome", StoredText, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("title", StoredText, nullable=False),
        sa.Column("mentions", sa.JSON, nullable=False),
        sa.Column("reason", StoredText),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_delivery"),
        sqlite_autoincrement=True,
    )


def _create_incident_action() -> None:
    op.create_table(
        "incident_action",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("root_cause", StoredText, nullable=False),
        sa.Column("action", StoredText, nullable=False),
        sa.Column("acted_by", StoredText, nullable=False),
        sa.Column("note", StoredText, nullable=False),
        sa.Column("until", sa.Date),
        sa.Column("acted_at", UtcDateTime, nullable=False),
        sa.Column("accepted", sa.JSON),
        sa.Column("assignee", StoredText),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_incident_action"),
        sqlite_autoincrement=True,
    )


def _create_day_mark() -> None:
    op.create_table(
        "day_mark",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("until", sa.Date, nullable=False),
        sa.Column("mark", StoredText),
        sa.Column("marked_by", StoredText, nullable=False),
        sa.Column("note", StoredText, nullable=False),
        sa.Column("marked_at", UtcDateTime, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_day_mark"),
        sqlite_autoincrement=True,
    )


def _create_running_hour() -> None:
    op.create_table(
        "running_hour",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("source", StoredText, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("looked_at", UtcDateTime, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in ("events", "errors", "error_unknown_events")),
        sa.Column("missing_version_events", sa.BigInteger),
        sa.Column("rate_counts", sa.JSON),
        sa.Column("signals", sa.JSON),
        *(sa.Column(f"expected_{name}", sa.Float) for name in ("events", "low_events", "high_events")),
        sa.Column("expected_later", sa.JSON),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("unreadable_reason_code", StoredText),
        sa.Column("unreadable_reason", StoredText),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_running_hour"),
        sa.UniqueConstraint("source", "day", "hour", "revision", name="uq_running_hour_source_day_hour_revision"),
        sqlite_autoincrement=True,
    )


def _create_forecast() -> None:
    op.create_table(
        "forecast",
        sa.Column("sequence", SEQUENCE, nullable=False),
        *_key(),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("model_version", StoredText, nullable=False),
        sa.Column("interval_percent", sa.Float, nullable=False),
        sa.Column("coming", sa.JSON, nullable=False),
        sa.Column("hours", sa.JSON, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_forecast"),
        sa.UniqueConstraint(*REVISION_KEY, name="uq_forecast_source_day_revision"),
        sqlite_autoincrement=True,
    )


def _create_sign_in() -> None:
    op.create_table(
        "sign_in",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("account_name", StoredText, nullable=False),
        sa.Column("address", StoredText, nullable=False),
        sa.Column("method", StoredText, nullable=False),
        sa.Column("outcome", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_sign_in"),
        sqlite_autoincrement=True,
    )


def _create_account_change() -> None:
    op.create_table(
        "account_change",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("account_name", StoredText, nullable=False),
        sa.Column("change", StoredText, nullable=False),
        sa.Column("changed_by", StoredText, nullable=False),
        sa.Column("address", StoredText),
        sa.Column("detail", StoredText, nullable=False),
        *_chain(),
        sa.PrimaryKeyConstraint("sequence", name="pk_account_change"),
        sqlite_autoincrement=True,
    )


def _create_staff_account() -> None:
    op.create_table(
        "staff_account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", StoredText, nullable=False),
        sa.Column("role", StoredText, nullable=False),
        sa.Column("password_hash", StoredText),
        sa.Column("oidc_issuer", StoredText),
        sa.Column("oidc_subject", StoredText),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("password_changed_at", UtcDateTime),
        sa.Column("disabled_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_staff_account"),
        sa.UniqueConstraint("name", name="uq_staff_account_name"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="uq_staff_account_oidc_issuer_oidc_subject"),
        sqlite_autoincrement=True,
    )


def _create_staff_session() -> None:
    op.create_table(
        "staff_session",
        sa.Column("id_hash", StoredText, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("method", StoredText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id_hash", name="pk_staff_session"),
    )


def _create_staff_token() -> None:
    op.create_table(
        "staff_token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("label", StoredText, nullable=False),
        sa.Column("scopes", StoredText, nullable=False),
        sa.Column("token_hash", StoredText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("last_used_date", sa.Date),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_staff_token"),
        sa.UniqueConstraint("token_hash", name="uq_staff_token_token_hash"),
        sqlite_autoincrement=True,
    )


def _create_staff_secret() -> None:
    op.create_table(
        "staff_secret",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_staff_secret"),
    )


def _create_chain_length() -> None:
    op.create_table(
        "chain_length",
        sa.Column("chain", StoredText, nullable=False),
        sa.Column("rows_written", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_chain_length"),
    )
