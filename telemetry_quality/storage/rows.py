"""Converts between the core's values and the store's rows, without touching a database."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import asdict, fields
from functools import partial
from itertools import groupby, islice, repeat
from operator import itemgetter, neg
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import JSON, Text
from sqlalchemy import cast as sql_cast

from telemetry_quality.core.events import (
    AggregateRow,
    Arrivals,
    Cardinality,
    DayAggregates,
    Duplicates,
    Slice,
    SliceCounts,
    UnreadableDay,
)
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Verdict
from telemetry_quality.core.hours import HourTotals, hour_totals
from telemetry_quality.core.incidents import AcceptedFailure, Action, IncidentAction
from telemetry_quality.core.marks import Mark, MarkedDays
from telemetry_quality.core.scans import StoredScan
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.storage.hashing import content_hash
from telemetry_quality.storage.tables import event_aggregate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Table

    from telemetry_quality.core.events import DayScan
    from telemetry_quality.core.sampling import SampleVerdict

    Row = dict[str, Any]

FIGURES = (
    "total_events",
    "error_events",
    "error_unknown_events",
    "missing_version_events",
    "missing_critical",
    "sample_size",
    "sample_passed",
    "verified_events",
    "compared_events",
    "duplicate_events",
    "late_events",
    "arrivals_by_hour",
    "totals_by_hour",
    "rate_counts",
    "observed_events",
    "future_events",
    "stale_events",
    "undated_events",
    "combinations",
    "other_events",
    "clipped_events",
    "counting_rules",
    "unreadable_reason_code",
    "unreadable_reason",
)
"""What a scan says of a day, apart from its aggregates, its sample and its slices."""

_DUPLICATES = ("compared_events", "duplicate_events")
_ARRIVALS = ("observed_events", "future_events", "stale_events", "undated_events")
_CARDINALITY = ("combinations", "other_events", "clipped_events")
_DOCUMENTS = ("missing_critical", "arrivals_by_hour", "totals_by_hour", "rate_counts")
SCAN_COLUMNS = (
    *("source", "day", "revision", "scanned_at", "figures_hash", "source_version"),
    *(name for name in FIGURES if name not in {*_DUPLICATES, *_ARRIVALS, *_CARDINALITY, *_DOCUMENTS}),
    *_DUPLICATES,
    *_ARRIVALS,
    *_CARDINALITY,
    *_DOCUMENTS,
)
"""The columns of a StoredScan, JSON last; the hashes of the chain are not read."""

SNAPSHOT_FIELDS = tuple(field.name for field in fields(TelemetryIntegritySnapshot))


def figures_row(
    scan: DayScan | UnreadableDay,
    sample: Sequence[SampleVerdict],
    verified_events: int | None = None,
    counting_rules: str | None = None,
) -> Row:
    """The FIGURES of a scan; a day that could not be read was not counted by any rules."""
    figures: Row = dict.fromkeys(FIGURES)
    if isinstance(scan, UnreadableDay):
        return figures | {"unreadable_reason_code": scan.reason_code, "unreadable_reason": scan.reason}
    totals = scan.aggregates.totals()
    return figures | {
        "total_events": totals.events,
        "error_events": None if "is_error" in scan.absent_roles else totals.errors,
        "error_unknown_events": totals.error_unknown_events,
        "missing_version_events": None if "service_version" in scan.absent_roles else totals.missing_version,
        "late_events": totals.late_events,
        "sample_size": len(sample),
        "sample_passed": sum(verdict.passed for verdict in sample),
        "verified_events": verified_events,
        "missing_critical": scan.aggregates.missing_critical(),
        "totals_by_hour": hour_totals(scan.aggregates).as_json(),
        "rate_counts": scan.aggregates.rate_counts() or None,
        "counting_rules": counting_rules,
        **_duplicates_row(scan.duplicates),
        **_arrivals_row(scan.arrivals),
        **({} if scan.cardinality is None else asdict(scan.cardinality)),
    }


def _duplicates_row(duplicates: Duplicates | None) -> Row:
    if duplicates is None:
        return {}
    return {"compared_events": duplicates.compared_events, "duplicate_events": duplicates.duplicate_events}


def _arrivals_row(arrivals: Arrivals | None) -> Row:
    if arrivals is None:
        return {}
    return {
        "arrivals_by_hour": list(arrivals.by_hour),
        "observed_events": arrivals.observed_events,
        "future_events": arrivals.future_events,
        "stale_events": arrivals.stale_events,
        "undated_events": arrivals.undated_events,
    }


def aggregate_rows(scan: DayScan | UnreadableDay) -> list[tuple[Any, ...]]:
    """The values of ``event_aggregate`` without their key, in the order of AGGREGATE_FIELDS and as they are hashed.

    They are tuples, and rows that lack the same values share a dictionary, because a day may have thousands of rows.
    """
    if isinstance(scan, UnreadableDay):
        return []
    rows, names = scan.aggregates.rows, scan.aggregates.critical_fields
    missing = _named_counts(names, {row[7] for row in rows})
    rates = _named_counts(scan.aggregates.rate_names, {row.rate_counts for row in rows})
    return [(*row[:7], missing[row[7]], row.late_events, row.by_hour, rates[row.rate_counts] or None) for row in rows]


def _named_counts(names: Sequence[str], different: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], dict[str, int]]:
    return {counts: dict(zip(names, counts, strict=True)) for counts in different}


RATE_COUNTS = "rate_counts"
"""Stored last in aggregates and slices; without rates, a scan is hashed as if this did not exist."""

_HASHED_IF_KNOWN = frozenset({RATE_COUNTS, "verified_events", "counting_rules"})

_HASHED_IF_ANY = frozenset({"other_events", "clipped_events"})

AGGREGATE_FIELDS = (*(name for name in AggregateRow._fields if name != RATE_COUNTS), RATE_COUNTS)
"""The stored fields of an AggregateRow, in this order."""

AGGREGATE_COLUMNS = (
    event_aggregate.c.hour,
    event_aggregate.c.event_name,
    event_aggregate.c.service_version,
    event_aggregate.c.events,
    event_aggregate.c.errors,
    event_aggregate.c.error_unknown_events,
    event_aggregate.c.missing_version,
    sql_cast(event_aggregate.c.missing_critical, Text),
    event_aggregate.c.late_events,
    event_aggregate.c.by_hour,
    sql_cast(event_aggregate.c.rate_counts, Text),
)
"""The columns of AGGREGATE_FIELDS; JSON is read as text, which hardly differs from row to row."""


def aggregates_of(rows: Sequence[Sequence[Any]]) -> DayAggregates:
    """The aggregates of a day from its AGGREGATE_COLUMNS; explaining a large day reads thousands of rows."""
    names, missing = _counts_by_text({row[7] for row in rows})
    rate_names, rates = _counts_by_text({row[10] for row in rows})
    found = ((*row[:7], missing[row[7]], row[8], rates[row[10]], row[9]) for row in rows)
    return DayAggregates(tuple(map(AggregateRow._make, found)), names, rate_names)


def _counts_by_text(texts: Iterable[str | None]) -> tuple[tuple[str, ...], dict[str | None, tuple[int, ...]]]:
    """The common keys of JSON objects of counts, and the counts of each object in the order of the keys."""
    parsed: dict[str | None, dict[str, int]] = {text: json.loads(text) if text else {} for text in texts}
    names = tuple(next(iter(parsed.values()), {}))
    return names, {text: tuple(counts[name] for name in names) for text, counts in parsed.items()}


def sample_rows(sample: Iterable[SampleVerdict]) -> list[Row]:
    """The rows of ``event_sample`` without their key."""
    return [
        {
            "position": position,
            "event_id": verdict.event_id,
            "verdict": "passed" if verdict.passed else "failed",
            "reason_codes": list(verdict.reason_codes),
        }
        for position, verdict in enumerate(sample)
    ]


def slice_rows(scan: DayScan | UnreadableDay) -> list[Row]:
    """The rows of ``event_slice`` without their key: one per way of cutting the day."""
    if isinstance(scan, UnreadableDay):
        return []
    cuts: defaultdict[tuple[str, str | None], list[tuple[Slice, SliceCounts]]] = defaultdict(list)
    for part, counts in scan.slices.items():
        cuts[part.dimension, part.by].append((part, counts))
    ordered = sorted(cuts.items(), key=lambda cut: (cut[0][0], cut[0][1] or ""))
    names = scan.aggregates.rate_names
    return [
        {
            "position": position,
            "dimension": dimension,
            "by_dimension": by,
            "value": [part.value for part, _ in members],
            "by_value": None if by is None else [part.by_value for part, _ in members],
            "events": [counts.events for _, counts in members],
            "errors": [counts.errors for _, counts in members],
            "missing_version": [counts.missing_version for _, counts in members],
            RATE_COUNTS: {name: [counts.rate_counts[n] for _, counts in members] for n, name in enumerate(names)}
            or None,
        }
        for position, ((dimension, by), unordered) in enumerate(ordered)
        for members in (sorted(unordered, key=_busiest_first),)
    ]


def _busiest_first(member: tuple[Slice, SliceCounts]) -> tuple[int, bool, str, bool, str]:
    """A total order of the slices of one cut, so that the same slices always give the same row."""
    (_, value, _, by_value), counts = member
    return -counts.events, value is not None, value or "", by_value is not None, by_value or ""


class SliceReader:
    """Makes slices from rows of ``event_slice``; days with the same Slice share one object.

    Judging a day reads tens of thousands of them. Fewer objects give the garbage collector less to do, and the plain
    tuple constructor takes half the time of the named tuple's.
    """

    def __init__(self) -> None:
        self._known = _KnownSlices()

    def slices_by_day(self, rows: Sequence[Sequence[Any]], minimum_events: int) -> dict[date, dict[Slice, SliceCounts]]:
        """The slices with at least so many events of each day, from rows of the day and SLICE_COLUMNS."""
        days: dict[date, dict[Slice, SliceCounts]] = {}
        documents = _parsed(text for row in rows for text in row[3:])
        for day, dimension, by, *texts in rows:
            row = (dimension, by, *islice(documents, len(texts)))
            days.setdefault(day, {}).update(self._slices_of(row, minimum_events))
        return days

    def _slices_of(self, row: Sequence[Any], minimum_events: int) -> Iterator[tuple[Slice, SliceCounts]]:
        dimension, by, value, by_value, events, errors, missing_version, rates = row
        count = bisect_right(events, -minimum_events, key=neg)
        parts = zip(repeat(dimension, count), value, repeat(by), by_value or repeat(None), strict=False)
        rate_counts = zip(*rates.values(), strict=True) if rates else repeat((), len(events))
        counts = zip(events, errors, missing_version, rate_counts, strict=True)
        return zip(map(self._known.__getitem__, parts), map(_new_counts, counts), strict=False)


class _KnownSlices(dict[tuple[Any, ...], Slice]):
    def __missing__(self, parts: tuple[Any, ...]) -> Slice:
        self[parts] = new = Slice(*parts)
        return new


_new_counts = cast("Callable[[tuple[Any, ...]], SliceCounts]", partial(tuple.__new__, SliceCounts))

SLICE_COLUMNS = ("dimension", "by_dimension", "value", "by_value", "events", "errors", "missing_version", RATE_COUNTS)
"""What SliceReader reads after the day, with JSON as text."""


def figures_hash(
    figures: Mapping[Any, Any],
    aggregates: Sequence[Sequence[Any]],
    sample: Sequence[Mapping[Any, Any]],
    slices: Sequence[Mapping[Any, Any]],
) -> str:
    """The hash of everything in a scan; rows come without keys and in order, aggregates as their values."""
    return content_hash(
        {
            "figures": _hashed_figures(figures),
            "aggregates": [row[:-1] if row[-1] is None else row for row in aggregates],
            "sample": [list(row.values()) for row in sample],
            "slices": [[value for name, value in row.items() if _is_hashed(name, value)] for row in slices],
        }
    )


def _hashed_figures(figures: Mapping[Any, Any]) -> Row:
    """The figures of which the hash is made; the combinations only if the aggregates do not list them all."""
    hashed = {name: figures[name] for name in FIGURES if _is_hashed(name, figures[name])}
    if not figures["other_events"]:
        del hashed["combinations"]
    return {name: value for name, value in hashed.items() if name not in _HASHED_IF_ANY or value}


def _is_hashed(name: str, value: Any) -> bool:
    return name not in _HASHED_IF_KNOWN or value is not None


def stored_scan(row: Mapping[Any, Any], *, is_new: bool) -> StoredScan:
    """The StoredScan of a row of ``day_scan``."""
    return _scan([row[name] for name in SCAN_COLUMNS], is_new=is_new)


def stored_scans(rows: Sequence[Sequence[Any]]) -> list[StoredScan]:
    """The StoredScans of SCAN_COLUMNS, with JSON as text; judging a day reads hundreds of them."""
    count = len(_DOCUMENTS)
    documents = _parsed(text for row in rows for text in row[-count:])
    return [_scan([*row[:-count], *islice(documents, count)], is_new=False) for row in rows]


def _parsed(texts: Iterable[str | None]) -> Iterator[Any]:
    """The values of many short JSON texts, parsed together: a third of the time of parsing each one."""
    return iter(json.loads(f"[{','.join(text or 'null' for text in texts)}]"))


def _scan(values: Iterable[Any], *, is_new: bool) -> StoredScan:
    *plain, combinations, other, clipped, missing_critical, by_hour, hours, rate_counts = values
    *plain, compared, duplicated, observed, future, stale, undated = plain
    return StoredScan(
        **dict(zip(SCAN_COLUMNS, plain, strict=False)),
        missing_critical=missing_critical,
        rate_counts=rate_counts,
        duplicates=None if compared is None else Duplicates(compared, duplicated),
        arrivals=None if by_hour is None else Arrivals(tuple(by_hour), observed, future, stale, undated),
        cardinality=None if combinations is None else Cardinality(combinations, other, clipped),
        hours=None if hours is None else HourTotals.from_json(hours),
        is_new=is_new,
    )


def snapshot_of(row: Mapping[Any, Any]) -> TelemetryIntegritySnapshot:
    """The snapshot of a row of ``integrity_snapshot``."""
    values = {name: row[name] for name in SNAPSHOT_FIELDS}
    return TelemetryIntegritySnapshot(**{**values, "status": DayStatus(values["status"])})


def verdict_rows(verdicts: Iterable[Verdict]) -> list[Row]:
    """The rows of ``guardrail_verdict`` without their key."""
    return [
        {
            "position": position,
            **verdict.as_json(),
            # As the database returns them: it stores integers as floats here.
            "value": None if verdict.value is None else float(verdict.value),
            "threshold": None if verdict.threshold is None else float(verdict.threshold),
        }
        for position, verdict in enumerate(verdicts)
    ]


VERDICT_COLUMNS = ("guardrail", "level", "outcome", "reason_code", "value", "threshold", "sentence", "contributors")


def verdicts_of(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[date, int, Verdict]]:
    """Day, revision and verdict of rows with these two and VERDICT_COLUMNS, with JSON as text."""
    documents = _parsed(row[-1] for row in rows)
    for day, revision, guardrail, level, outcome, reason_code, value, threshold, sentence, _ in rows:
        contributors = tuple(map(Contributor.from_json, next(documents)))
        judged = (reason_code, value, threshold, sentence, contributors)
        yield day, revision, Verdict(guardrail, Level(level), Outcome(outcome), *judged)


def verdicts_by_revision(rows: Sequence[Sequence[Any]]) -> dict[date, dict[int, tuple[Verdict, ...]]]:
    """The verdicts of each day and revision, from rows in this order; see ``verdicts_of``."""
    days: defaultdict[date, dict[int, tuple[Verdict, ...]]] = defaultdict(dict)
    for (day, revision), of_one in groupby(verdicts_of(rows), key=itemgetter(0, 1)):
        days[day][revision] = tuple(verdict for *_, verdict in of_one)
    return dict(days)


def verdicts_hash(rows: Sequence[Mapping[Any, Any]]) -> str:
    """The hash of everything said about a day; rows come without their keys and in order."""
    return content_hash([list(row.values()) for row in rows])


def action_row(action: IncidentAction) -> Row:
    """The row of ``incident_action``."""
    return {
        "source": action.source,
        "day": action.day,
        "root_cause": action.root_cause,
        "action": action.action.value,
        "acted_by": action.by,
        "note": action.note,
        "until": action.until,
        "acted_at": action.acted_at,
        "accepted": [failure.as_json() for failure in action.accepted] or None,
        "assignee": action.assignee,
    }


def action_of(row: Mapping[Any, Any]) -> IncidentAction:
    """The incident action in a row of ``incident_action``."""
    names = ("source", "day", "root_cause", "note", "until", "acted_at", "assignee")
    return IncidentAction(
        **{name: row[name] for name in names},
        action=Action(row["action"]),
        by=row["acted_by"],
        accepted=tuple(map(AcceptedFailure.from_json, row["accepted"] or ())),
    )


def mark_row(marked: MarkedDays) -> Row:
    """The row of ``day_mark``."""
    return {
        "source": marked.source,
        "day": marked.day,
        "until": marked.until,
        "mark": marked.mark and marked.mark.value,
        "marked_by": marked.by,
        "note": marked.note,
        "marked_at": marked.marked_at,
    }


def mark_of(row: Mapping[Any, Any]) -> MarkedDays:
    """What somebody said about days, in a row of ``day_mark``."""
    names = ("source", "day", "until", "note", "marked_at")
    mark = None if row["mark"] is None else Mark(row["mark"])
    return MarkedDays(**{name: row[name] for name in names}, mark=mark, by=row["marked_by"])


def as_text(stored: Table, names: Sequence[str]) -> Iterator[ColumnElement[Any]]:
    """The columns with these names, JSON as text, so that all rows can be parsed at once."""
    columns = (stored.c[name] for name in names)
    return (sql_cast(column, Text) if isinstance(column.type, JSON) else column for column in columns)
