"""The views of the store: a contract for tools that read it with SQL, documented in docs/how-to/trusted-days.md.

They are written as PostgreSQL prints them, because ``verify`` compares a view's definition with the text here.
"""

from __future__ import annotations

from telemetry_quality.storage.tables import integrity_snapshot

CURRENT_SNAPSHOT, TRUSTED_DAY, ALERT_STATE = "current_snapshot", "trusted_day", "alert_state"

_NEWEST = (
    "snapshot.revision = (SELECT max(other.revision) AS max FROM integrity_snapshot AS other"
    " WHERE other.source = snapshot.source AND other.day = snapshot.day)"
)
_LAST_MARK = (
    "SELECT said.mark FROM day_mark AS said WHERE said.source = snapshot.source"
    " AND snapshot.day >= said.day AND snapshot.day <= said.until ORDER BY said.sequence DESC LIMIT 1"
)
_TRUSTED = (
    *("source", "day", "revision", "status", "computed_at", "total_events", "error_events", "error_rate_percent"),
    *("missing_version_events", "missing_version_percent", "sampling_success_rate_percent", "expected_events"),
    *("volume_deviation_percent", "is_provisional"),
)
_BLAMED = ("source", "day", "revision", "guardrail", "level", "reason_code", "value", "threshold", "sentence")


def _of(table: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


VIEWS = {
    CURRENT_SNAPSHOT: (
        f"SELECT {_of('snapshot', tuple(integrity_snapshot.columns.keys()))}"  # noqa: S608 - our own names, like below
        f" FROM integrity_snapshot AS snapshot WHERE {_NEWEST}"
    ),
    TRUSTED_DAY: (
        f"SELECT {_of('known', (*_TRUSTED, 'mark'))}"  # noqa: S608
        f" FROM (SELECT {_of('snapshot', _TRUSTED)}, ({_LAST_MARK}) AS mark"
        f" FROM integrity_snapshot AS snapshot WHERE {_NEWEST}) AS known"
        " WHERE known.status <> 'unknown' AND (known.mark = 'accepted'"
        " OR known.status = 'healthy' AND NOT COALESCE(known.is_provisional, false)"
        " AND (known.mark IS NULL OR known.mark = 'special'))"
    ),
    ALERT_STATE: (
        f"SELECT {_of('verdict', _BLAMED)},"  # noqa: S608
        " settled.channel, COALESCE(settled.settlement, 'pending') AS state, settled.settled_at"
        " FROM guardrail_verdict AS verdict"
        " JOIN integrity_snapshot AS snapshot ON snapshot.source = verdict.source AND snapshot.day = verdict.day"
        " AND snapshot.revision = verdict.revision"
        " LEFT JOIN alert AS settled ON settled.source = verdict.source AND settled.day = verdict.day"
        " AND settled.guardrail = verdict.guardrail AND settled.revision = verdict.revision"
        f" WHERE {_NEWEST} AND (verdict.outcome = 'failed'"
        " OR verdict.reason_code = 'DAY_UNREADABLE' AND verdict.guardrail = 'activity')"
    ),
}
"""The query of each view by its name; none of them depends on another."""


def view_statement(name: str) -> str:
    """The statement that creates the view."""
    return f"CREATE VIEW {name} AS {VIEWS[name]}"
