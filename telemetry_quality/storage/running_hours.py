"""Running hours in the store: the hours of a day that is not over, and what failed in them."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, select

from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Verdict
from telemetry_quality.core.hours import ExpectedHour
from telemetry_quality.core.running.model import HourCounts, RunningHour
from telemetry_quality.core.running.verdicts import verdicts_of_day
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.tables import integrity_snapshot
from telemetry_quality.storage.tables import running_hour as stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import ColumnElement, Connection

UNJUDGED = timedelta(days=7)
"""A day that is not judged for longer is a gap, which says so itself; and no query may read the hours of years."""

_COUNTS = ("events", "errors", "error_unknown_events", "missing_version_events", "rate_counts", "signals")
_SAID = ("guardrail", "level", "reason_code", "value", "threshold", "contributors")
"""What two verdicts that say the same have in common; their sentences may differ."""


class RunningHourStore(MigratedDatabase):
    """The part of the store that holds running hours; see QualityStore for what each method promises."""

    def append_running_hours(self, hours: Sequence[RunningHour]) -> list[RunningHour]:
        """Append those of ``hours`` that differ from their latest revision; returns them as stored."""
        if not hours:
            return []
        with self._writing() as connection:
            return [appended for hour in hours if (appended := _append(connection, hour)) is not None]

    def running_hours(self, source: str, first: date, last: date) -> dict[date, list[RunningHour]]:
        """The latest revision of each hour that was looked at, by day and hour."""
        with self._read_only() as connection:
            return running_hours(connection, source, stored.c.day.between(first, last))

    def running_verdicts(self, source: str) -> dict[date, tuple[Verdict, ...]]:
        """What failed so far on days that have no snapshot yet; days on which nothing did are left out."""
        with self._read_only() as connection:
            return running_verdicts(connection, source)


def running_hours(
    connection: Connection, source: str, are_wanted: ColumnElement[bool], as_of: datetime | None = None
) -> dict[date, list[RunningHour]]:
    """The latest revision of each hour of the wanted days, or that of the instant ``as_of``."""
    kept = stored.c
    wanted = [kept.source == source, are_wanted, *([] if as_of is None else [kept.looked_at <= as_of])]
    latest = (
        select(kept.day, kept.hour, func.max(kept.revision).label("revision"))
        .where(*wanted)
        .group_by(kept.day, kept.hour)
        .subquery()
    )
    is_latest = and_(*(kept[name] == latest.c[name] for name in ("day", "hour", "revision")))
    query = select(stored).join(latest, is_latest).where(*wanted).order_by(kept.day, kept.hour)
    found = [_running_hour(row) for row in connection.execute(query).mappings()]
    return {day: list(hours) for day, hours in groupby(found, key=attrgetter("day"))}


def running_verdicts(
    connection: Connection, source: str, as_of: datetime | None = None
) -> dict[date, tuple[Verdict, ...]]:
    """What failed so far on the last days that have no snapshot yet, or had none at ``as_of``."""
    since = unjudged_since(connection, source)
    if since is None:
        return {}
    snapshot = integrity_snapshot.c
    is_judged = exists().where(
        snapshot.source == source,
        snapshot.day == stored.c.day,
        *([] if as_of is None else [snapshot.computed_at <= as_of]),
    )
    days = running_hours(connection, source, (stored.c.day >= since) & ~is_judged, as_of)
    found = {day: verdicts_of_day([hour.verdicts for hour in hours]) for day, hours in days.items()}
    return {day: verdicts for day, verdicts in found.items() if verdicts}


def unjudged_since(connection: Connection, source: str) -> date | None:
    """The first day that may count as running; None if the running day of the source was never looked at."""
    newest: date | None = connection.scalar(select(func.max(stored.c.day)).where(stored.c.source == source))
    return None if newest is None else newest - UNJUDGED


def _append(connection: Connection, hour: RunningHour) -> RunningHour | None:
    """Append an hour in a writing transaction, unless its latest revision says the same."""
    kept = stored.c
    its = (kept.source == hour.source, kept.day == hour.day, kept.hour == hour.hour)
    query = select(stored).where(*its).order_by(kept.revision.desc()).limit(1)
    latest, row = connection.execute(query).mappings().one_or_none(), _row(hour)
    if latest is not None and _says_the_same(latest, row):
        return None
    row["revision"] = 1 if latest is None else latest["revision"] + 1
    append(connection, stored, row)
    return _running_hour(row)


def _says_the_same(latest: Mapping[Any, Any], row: Mapping[str, Any]) -> bool:
    """Whether two revisions counted the same and judged it alike; what is expected follows from earlier days."""
    before, now = ([[said[name] for name in _SAID] for said in each["verdicts"]] for each in (latest, row))
    return before == now and all(latest[name] == row[name] for name in (*_COUNTS, "unreadable_reason_code"))


def _row(hour: RunningHour) -> dict[str, Any]:
    counts, expected = hour.counts, hour.expected
    return {
        "source": hour.source,
        "day": hour.day,
        "hour": hour.hour,
        "revision": hour.revision,
        "looked_at": hour.looked_at,
        "events": counts and counts.events,
        "errors": counts and counts.errors,
        "error_unknown_events": counts and counts.error_unknown_events,
        "missing_version_events": counts and counts.missing_version,
        "rate_counts": counts and dict(sorted(counts.rate_counts.items())),
        "signals": counts and [[name, *numbers] for name, numbers in sorted(counts.signals.items())],
        "expected_events": expected and float(expected.events),
        "expected_low_events": expected and float(expected.low),
        "expected_high_events": expected and float(expected.high),
        "expected_later": [[float(number) for number in later] for later in hour.later] or None,
        "verdicts": [_said(verdict) for verdict in hour.verdicts],
        "unreadable_reason_code": hour.unreadable_reason_code,
        "unreadable_reason": hour.unreadable_reason,
    }


def _said(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON; its numbers as they are read back."""
    numbers = {name: None if (value := getattr(verdict, name)) is None else float(value) for name in _NUMBERS}
    return verdict.as_json() | numbers


_NUMBERS = ("value", "threshold")


def _running_hour(row: Mapping[Any, Any]) -> RunningHour:
    is_known = row["events"] is not None
    has_expectation = row["expected_events"] is not None
    return RunningHour(
        row["source"],
        row["day"],
        row["hour"],
        row["revision"],
        row["looked_at"],
        HourCounts(
            row["events"],
            row["errors"],
            row["error_unknown_events"],
            row["missing_version_events"],
            row["rate_counts"],
            {name: (events, errors) for name, events, errors in row["signals"]},
        )
        if is_known
        else None,
        ExpectedHour(row["expected_events"], row["expected_low_events"], row["expected_high_events"])
        if has_expectation
        else None,
        tuple(_verdicts(row["verdicts"])),
        row["unreadable_reason_code"],
        row["unreadable_reason"],
        tuple(ExpectedHour(*numbers) for numbers in row["expected_later"] or ()),
    )


def _verdicts(rows: Iterable[Mapping[str, Any]]) -> Iterable[Verdict]:
    for row in rows:
        yield Verdict(
            row["guardrail"],
            Level(row["level"]),
            Outcome(row["outcome"]),
            row["reason_code"],
            row["value"],
            row["threshold"],
            row["sentence"],
            tuple(map(Contributor.from_json, row["contributors"])),
        )
