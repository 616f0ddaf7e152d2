"""Every criterion of the mission, in the order of the report."""

from __future__ import annotations

from telemetry_quality_tests.verification import guarding, judging, keeping_off, speed
from telemetry_quality_tests.verification.criterion import Criterion

CRITERIA = (
    Criterion("snapshots-generated", "every day of a range has a snapshot", judging.snapshots_generated),
    Criterion("sampling-success", "more than 99 % of the sampled events of good days pass", judging.sampling_success),
    Criterion(
        "missing-version-judged",
        "WARNING above 1 % of events without a version, not at 1 %",
        judging.missing_version_judged,
    ),
    Criterion("error-rate-judged", "CRITICAL above 5 % of errors, not at 5 %", judging.error_rate_judged),
    Criterion("alerts-logged", "each failed verdict is logged once", judging.alerts_logged),
    Criterion(
        "never-blocks", "no asset check blocks a pipeline unless the settings ask for it", keeping_off.never_blocks
    ),
    Criterion("never-locks", "no insert ever waits for a lock of a snapshot", guarding.no_lock),
    Criterion("never-mutates", "reading changes no byte of the events", keeping_off.never_mutates),
    Criterion(
        "never-slows-inserts",
        f"beside snapshots, a writer of 4,000 events/s keeps at least {keeping_off.LEAST_RATE_RATIO:.0%} of its rate",
        keeping_off.never_slows_inserts,
    ),
    Criterion("daily-snapshot", f"a daily snapshot takes less than {speed.SNAPSHOT_MS} ms", speed.daily_snapshot),
    Criterion("sampling", f"sampling takes less than {speed.SAMPLE_MS} ms", speed.sampling),
    Criterion("detection", f"a detection takes less than {speed.DETECTION_MS} ms", speed.detection),
    Criterion("indexed-queries", "no query about a day scans a table that grows", guarding.indexed_queries),
    Criterion("staff-only", "nobody sees anything without signing in", guarding.staff_only),
    Criterion("no-personal-data", "nothing of an event is stored but what it is counted by", guarding.no_personal_data),
    Criterion("append-only", "the database refuses to change or delete what was measured", guarding.append_only),
)
