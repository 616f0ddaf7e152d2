"""How an event name's counts are spread over the hours of a day, in one row instead of 24.

Rows that are there keep None in it, one per hour, and their hashes with it.
"""

import sqlalchemy as sa
from alembic import op

from telemetry_quality.storage.tables import StoredText

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("event_aggregate", sa.Column("by_hour", StoredText))
