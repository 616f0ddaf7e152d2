"""Who may look at the dashboard, which run computed a snapshot, and an index of what failed.

Snapshots that are there keep None in the new column, and their hashes with it (``hashing.known``).
"""

import sqlalchemy as sa
from alembic import op

from telemetry_quality.storage.tables import CURRENT_SNAPSHOT_SQL, StoredText, UtcDateTime
from telemetry_quality.storage.triggers import append_only

revision = "0004"
down_revision = "0003"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the column, then the tables; only sign-ins are append-only."""
    op.add_column("integrity_snapshot", sa.Column("run_id", StoredText))
    if op.get_bind().dialect.name == "postgresql":
        # There a view has the columns that its table had when the view was made.
        op.execute(CURRENT_SNAPSHOT_SQL.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    failed = sa.text("outcome = 'failed' OR reason_code = 'DAY_UNREADABLE'")
    op.create_index(
        "ix_guardrail_verdict_failed",
        "guardrail_verdict",
        ["source", "day", "revision", "position"],
        sqlite_where=failed,
        postgresql_where=failed,
    )
    _create_sign_in()
    _create_staff_account()
    _create_staff_session()
    _create_staff_token()
    _create_staff_secret()


def _create_sign_in() -> None:
    op.create_table(
        "sign_in",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("account_name", StoredText, nullable=False),
        sa.Column("address", StoredText, nullable=False),
        sa.Column("method", StoredText, nullable=False),
        sa.Column("outcome", StoredText, nullable=False),
        sa.Column("previous_hash", StoredText),
        sa.Column("content_hash", StoredText, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_sign_in"),
        sqlite_autoincrement=True,
    )
    for name in ("account_name", "address"):
        op.create_index(f"ix_sign_in_{name}_outcome_at", "sign_in", [name, "outcome", "at"])
    for trigger in append_only(op.get_bind().dialect.name, "sign_in", (("sequence",),)):
        op.execute(trigger)


def _create_staff_account() -> None:
    op.create_table(
        "staff_account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", StoredText, nullable=False),
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
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id_hash", name="pk_staff_session"),
    )
    op.create_index("ix_staff_session_account_id", "staff_session", ["account_id"])


def _create_staff_token() -> None:
    op.create_table(
        "staff_token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("label", StoredText, nullable=False),
        sa.Column("token_hash", StoredText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
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
