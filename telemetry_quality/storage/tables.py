"""The tables of the quality store. Their rows are never updated or deleted; see ``triggers``.

The exceptions are the tables in MUTABLE: who may see the dashboard changes, but measurements do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from telemetry_quality.core.metrics import METRICS
from telemetry_quality.storage.column_types import OptionalJson, StoredText, UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

SCHEMA_REVISION = "0002"
"""The migration that creates these tables; a test compares it with Alembic's head."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Sequence = BigInteger().with_variant(Integer, "sqlite")


def _key() -> tuple[Column[Any], ...]:
    return (
        Column("source", StoredText, nullable=False),
        Column("day", Date, nullable=False),
        Column("revision", Integer, nullable=False),
    )


def _chain() -> tuple[Column[Any], ...]:
    return (Column("previous_hash", StoredText), Column("content_hash", StoredText, nullable=False))


day_scan = Table(
    "day_scan",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    *_key(),
    Column("scanned_at", UtcDateTime, nullable=False),
    Column("total_events", BigInteger),
    Column("error_events", BigInteger),
    Column("error_unknown_events", BigInteger),
    Column("missing_version_events", BigInteger),
    Column("missing_critical", OptionalJson),
    Column("sample_size", Integer),
    Column("sample_passed", Integer),
    Column("verified_events", BigInteger),
    Column("compared_events", BigInteger),
    Column("duplicate_events", BigInteger),
    Column("late_events", BigInteger),
    Column("arrivals_by_hour", OptionalJson),
    Column("totals_by_hour", OptionalJson),
    Column("rate_counts", OptionalJson),
    Column("observed_events", BigInteger),
    Column("future_events", BigInteger),
    Column("stale_events", BigInteger),
    Column("undated_events", BigInteger),
    Column("combinations", BigInteger),
    Column("other_events", BigInteger),
    Column("clipped_events", BigInteger),
    Column("counting_rules", StoredText),
    Column("source_version", StoredText),
    Column("unreadable_reason_code", StoredText),
    Column("unreadable_reason", StoredText),
    Column("figures_hash", StoredText, nullable=False),
    *_chain(),
    UniqueConstraint("source", "day", "revision"),
    sqlite_autoincrement=True,
)

event_aggregate = Table(
    "event_aggregate",
    metadata,
    Column("id", Sequence, primary_key=True),
    *_key(),
    Column("hour", Integer, nullable=False),
    Column("event_name", StoredText),
    Column("service_version", StoredText),
    Column("events", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("error_unknown_events", BigInteger, nullable=False),
    Column("missing_version", BigInteger, nullable=False),
    Column("missing_critical", JSON, nullable=False),
    Column("late_events", BigInteger, nullable=False),
    Column("by_hour", StoredText),
    Column("rate_counts", OptionalJson),
    Index(None, "source", "day", "revision"),
    sqlite_autoincrement=True,
)
"""One row per event name and version of a scan: ``hour`` is the first hour, ``by_hour`` a JSON object of lists.

Each list has a number for each hour in the list ``hours``; a count that is zero all day has no list. If all events
fall into one hour, ``by_hour`` is null. One row per hour took ten times as long to write, and four times the space.
``rate_counts`` is an object of numbers by name; null if the source defines no rates.
"""

event_sample = Table(
    "event_sample",
    metadata,
    Column("id", Sequence, primary_key=True),
    *_key(),
    Column("position", Integer, nullable=False),
    Column("event_id", StoredText),
    Column("verdict", StoredText, nullable=False),
    Column("reason_codes", JSON, nullable=False),
    UniqueConstraint("source", "day", "revision", "position"),
    sqlite_autoincrement=True,
)

event_slice = Table(
    "event_slice",
    metadata,
    Column("id", Sequence, primary_key=True),
    *_key(),
    Column("position", Integer, nullable=False),
    Column("dimension", StoredText, nullable=False),
    Column("by_dimension", StoredText),
    Column("value", JSON, nullable=False),
    Column("by_value", OptionalJson),
    Column("events", JSON, nullable=False),
    Column("errors", JSON, nullable=False),
    Column("missing_version", JSON, nullable=False),
    Column("rate_counts", OptionalJson),
    UniqueConstraint("source", "day", "revision", "position"),
    sqlite_autoincrement=True,
)
"""One row per way of cutting a scan; its slices are lists of equal length, with the largest slices first.

``rate_counts`` is an object of such lists by name; null if the source defines no rates.

Judging a day reads six weeks of slices. One row per slice took four times as long to read, and twice the space.
"""

METRIC_TYPES: dict[type, type[TypeEngine[Any]]] = {int: BigInteger, float: Float, bool: Boolean}
"""The column type of a number of the day."""

integrity_snapshot = Table(
    "integrity_snapshot",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    *_key(),
    Column("status", StoredText, nullable=False),
    Column("computed_at", UtcDateTime, nullable=False),
    *(Column(metric.name, METRIC_TYPES[metric.kind]) for metric in METRICS),
    Column("extra_numbers", JSON, nullable=False),
    Column("unreadable_reason_code", StoredText),
    Column("unreadable_reason", StoredText),
    # How the guardrails judged them.
    Column("has_volume_anomaly", Boolean),
    Column("has_version_anomaly", Boolean),
    Column("has_error_spike", Boolean),
    Column("is_zero_activity", Boolean),
    Column("policy", StoredText, nullable=False),
    Column("scan_revision", Integer, nullable=False),
    Column("scan_hash", StoredText, nullable=False),
    Column("run_id", StoredText),
    Column("verdicts_hash", StoredText, nullable=False),
    *_chain(),
    UniqueConstraint("source", "day", "revision"),
    Index(None, "day", "status"),
    sqlite_autoincrement=True,
)

alert = Table(
    "alert",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    *_key(),
    Column("guardrail", StoredText, nullable=False),
    Column("level", StoredText, nullable=False),
    Column("reason_code", StoredText, nullable=False),
    Column("sentence", StoredText, nullable=False),
    Column("channel", StoredText, nullable=False),
    Column("settlement", StoredText, nullable=False),
    Column("settled_at", UtcDateTime, nullable=False),
    *_chain(),
    UniqueConstraint("source", "day", "guardrail", "revision", "channel"),
    sqlite_autoincrement=True,
)
"""What became of an alert on a channel: dispatched, or withheld because it is muted or repeats an earlier one."""

alert_claim = Table(
    "alert_claim",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    *_key(),
    Column("guardrail", StoredText, nullable=False),
    Column("channel", StoredText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    *_chain(),
    UniqueConstraint("source", "day", "guardrail", "revision", "channel", "attempt"),
    sqlite_autoincrement=True,
)
"""Which process may send an alert on a channel: the one that stored the last claim, for as long as it holds."""

delivery = Table(
    "delivery",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("channel", StoredText, nullable=False),
    Column("message_key", StoredText, nullable=False),
    Column("kind", StoredText, nullable=False),
    Column("outcome", StoredText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("title", StoredText, nullable=False),
    Column("mentions", JSON, nullable=False),
    Column("reason", StoredText),
    *_chain(),
    Index(None, "channel", "outcome", "at"),
    sqlite_autoincrement=True,
)
"""What became of messages on the channels of ``[alerts]``: claimed, sent, failed, or nothing sent and why.

``mentions`` are the incidents of the message, by which they are found again when they change.
"""

FAILED_VERDICTS = "outcome = 'failed' OR reason_code = 'DAY_UNREADABLE'"
"""One verdict in a hundred, from which incidents are made; the planner finds its partial index by this wording."""

guardrail_verdict = Table(
    "guardrail_verdict",
    metadata,
    Column("id", Sequence, primary_key=True),
    *_key(),
    Column("position", Integer, nullable=False),
    Column("guardrail", StoredText, nullable=False),
    Column("level", StoredText, nullable=False),
    Column("outcome", StoredText, nullable=False),
    Column("reason_code", StoredText, nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("sentence", StoredText, nullable=False),
    Column("contributors", JSON, nullable=False),
    UniqueConstraint("source", "day", "revision", "position"),
    Index(
        "ix_guardrail_verdict_failed",
        "source",
        "day",
        "revision",
        "position",
        sqlite_where=text(FAILED_VERDICTS),
        postgresql_where=text(FAILED_VERDICTS),
    ),
    sqlite_autoincrement=True,
)

incident_action = Table(
    "incident_action",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("source", StoredText, nullable=False),
    Column("day", Date, nullable=False),
    Column("root_cause", StoredText, nullable=False),
    Column("action", StoredText, nullable=False),
    Column("acted_by", StoredText, nullable=False),
    Column("note", StoredText, nullable=False),
    Column("until", Date),
    Column("acted_at", UtcDateTime, nullable=False),
    Column("accepted", OptionalJson),
    Column("assignee", StoredText),
    *_chain(),
    # What people have said of a source is read whenever a day of it is judged.
    Index(None, "source", "sequence"),
    sqlite_autoincrement=True,
)

"""``accepted`` holds how the guardrails had failed if the action is accept, ``assignee`` a name if it is assign."""

day_mark = Table(
    "day_mark",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("source", StoredText, nullable=False),
    Column("day", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("mark", StoredText),
    Column("marked_by", StoredText, nullable=False),
    Column("note", StoredText, nullable=False),
    Column("marked_at", UtcDateTime, nullable=False),
    *_chain(),
    Index(None, "source", "sequence"),
    sqlite_autoincrement=True,
)
"""What people said about the days from ``day`` to ``until``; a null ``mark`` withdraws what was said before."""

running_hour = Table(
    "running_hour",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("source", StoredText, nullable=False),
    Column("day", Date, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
    Column("events", BigInteger),
    Column("errors", BigInteger),
    Column("error_unknown_events", BigInteger),
    Column("missing_version_events", BigInteger),
    Column("rate_counts", OptionalJson),
    Column("signals", OptionalJson),
    Column("expected_events", Float),
    Column("expected_low_events", Float),
    Column("expected_high_events", Float),
    Column("expected_later", OptionalJson),
    Column("verdicts", JSON, nullable=False),
    Column("unreadable_reason_code", StoredText),
    Column("unreadable_reason", StoredText),
    *_chain(),
    UniqueConstraint("source", "day", "hour", "revision"),
    sqlite_autoincrement=True,
)
"""An hour of a day that was not over, as a look found it; ``verdicts`` are what failed at its end, as JSON.

``signals`` holds lists of a name, its events and its errors; ``expected_later`` the events to expect in each later hour
of the day, with their interval. The numbers are null if the hour could not be read.
"""

forecast = Table(
    "forecast",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    *_key(),
    Column("made_at", UtcDateTime, nullable=False),
    Column("model_version", StoredText, nullable=False),
    Column("interval_percent", Float, nullable=False),
    Column("coming", JSON, nullable=False),
    Column("hours", JSON, nullable=False),
    *_chain(),
    UniqueConstraint("source", "day", "revision"),
    sqlite_autoincrement=True,
)
"""What was expected of the days after ``day``; ``hours`` of each of ``coming`` are apart, since scores do without."""

sign_in = Table(
    "sign_in",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("account_name", StoredText, nullable=False),
    Column("address", StoredText, nullable=False),
    Column("method", StoredText, nullable=False),
    Column("outcome", StoredText, nullable=False),
    *_chain(),
    # Queried before every password check: how often did the account, and the address, fail recently?
    Index(None, "account_name", "outcome", "at"),
    Index(None, "address", "outcome", "at"),
    sqlite_autoincrement=True,
)

account_change = Table(
    "account_change",
    metadata,
    Column("sequence", Sequence, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("account_name", StoredText, nullable=False),
    Column("change", StoredText, nullable=False),
    Column("changed_by", StoredText, nullable=False),
    Column("address", StoredText),
    Column("detail", StoredText, nullable=False),
    *_chain(),
    sqlite_autoincrement=True,
)
"""Who changed which account, its password, role or tokens; ``address`` is null if it was done on the command line."""

staff_account = Table(
    "staff_account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", StoredText, nullable=False),
    Column("role", StoredText, nullable=False),
    Column("password_hash", StoredText),
    Column("oidc_issuer", StoredText),
    Column("oidc_subject", StoredText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("password_changed_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    UniqueConstraint("name"),
    UniqueConstraint("oidc_issuer", "oidc_subject"),
    sqlite_autoincrement=True,
)

staff_session = Table(
    "staff_session",
    metadata,
    Column("id_hash", StoredText, primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("method", StoredText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index(None, "account_id"),
)

staff_token = Table(
    "staff_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("label", StoredText, nullable=False),
    Column("scopes", StoredText, nullable=False),
    Column("token_hash", StoredText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("last_used_date", Date),
    Column("revoked_at", UtcDateTime),
    UniqueConstraint("token_hash"),
    sqlite_autoincrement=True,
)

staff_secret = Table(
    "staff_secret",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""One row: the key that signs cookies, shared by all workers."""

_BY_REVISION = "{source} {day} revision {revision}"

CHAINED = {
    day_scan: _BY_REVISION,
    integrity_snapshot: _BY_REVISION,
    alert: _BY_REVISION,
    alert_claim: "{source} {day} revision {revision} {guardrail} {channel} attempt {attempt}",
    delivery: "{at} {channel} {kind} {outcome}",
    incident_action: "{source} {day} {action} {root_cause}",
    day_mark: "{source} {day} mark {mark}",
    running_hour: "{source} {day} hour {hour} revision {revision}",
    forecast: _BY_REVISION,
    sign_in: "{at} {account_name} {outcome}",
    account_change: "{at} {account_name} {change}",
}
"""Tables whose rows contain the hash of the row before them, and how ``verify`` names a row.

A line here is all that another table with ``sequence`` and the columns of ``_chain`` needs: appending, ``verify``, the
anchor and the watch for commits follow from it.
"""

PARTS = {
    event_aggregate: day_scan,
    event_sample: day_scan,
    event_slice: day_scan,
    guardrail_verdict: integrity_snapshot,
}
"""Tables whose rows are covered by a hash in a row of a chained table with the same source, day and revision."""

MUTABLE = (staff_account, staff_session, staff_token, staff_secret)
"""Tables whose rows change; none of them contains telemetry."""

APPEND_ONLY = tuple(stored for stored in metadata.tables.values() if stored not in MUTABLE)
"""All other tables: triggers protect them, and ``verify`` checks them; each is in CHAINED or in PARTS."""

current_snapshot = integrity_snapshot.to_metadata(MetaData(), name="current_snapshot")
"""The view of each day's latest revision, see ``views``; not a table, so it has its own MetaData."""
