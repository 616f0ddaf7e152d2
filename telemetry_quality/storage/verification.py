"""Finds what was changed behind the program's back: every hash is computed again, every link followed.

Accounts, sessions and tokens are not checked: they change, and every use of them is a row of ``sign_in``.

A rewrite of the whole chain by somebody who knows how it is made cannot be found. To rule that out, keep a copy of
the last content hash elsewhere; ``telemetry-quality verify`` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from telemetry_quality.core.visible import visible
from telemetry_quality.storage.engine import database_of
from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.rows import figures_hash, verdicts_hash
from telemetry_quality.storage.tables import (
    APPEND_ONLY,
    CHAINED,
    current_snapshot,
    day_scan,
    event_aggregate,
    event_sample,
    event_slice,
    guardrail_verdict,
    integrity_snapshot,
    sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Table

    Key = tuple[Any, ...]


KEY = ("source", "day", "revision")
"""The key that a scan or a snapshot shares with the rows that its hash covers."""

PARTS = (
    (event_aggregate, day_scan, "scan"),
    (event_sample, day_scan, "scan"),
    (event_slice, day_scan, "scan"),
    (guardrail_verdict, integrity_snapshot, "snapshot"),
)
"""Tables of such rows, the table they belong to, and what its rows are called."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sign of tampering.

    Attributes:
        row: The row's name for people.
    """

    table: str
    row: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and what was found.

    Attributes:
        head_hash: Content hash of the last snapshot, to be compared with a copy kept elsewhere.
    """

    rows: int
    findings: tuple[Finding, ...]
    head_hash: str | None


def verify_store(connection: Connection) -> Verification:
    """Check triggers, chains, and that every scan and every snapshot still holds what was hashed."""
    findings = [*_triggers(connection)]
    rows = 0
    for found, count in (
        *(_chain(connection, chained) for chained in CHAINED),
        _scans(connection),
        _verdicts(connection),
    ):
        findings += found
        rows += count
    findings += [*_orphans(connection), *_snapshots(connection)]
    head = select(integrity_snapshot.c.content_hash).order_by(integrity_snapshot.c.sequence.desc()).limit(1)
    return Verification(rows, tuple(findings), connection.scalar(head))


def _triggers(connection: Connection) -> Iterator[Finding]:
    database = database_of(connection)
    present = database.guards(connection)
    for stored in APPEND_ONLY:
        for trigger, text in database.expected_guards(stored).items():
            if present.get(trigger) != text:
                sentence = f"The trigger {trigger} is gone or changed: {stored.name} is no longer append-only."
                yield Finding(stored.name, trigger, sentence)
    view = current_snapshot.name
    if present.get(view) != database.expected_view():
        yield Finding(view, view, f"The view {view} is gone or changed: it may not show the latest revisions.")


def _chain(connection: Connection, chained: Table) -> tuple[list[Finding], int]:
    """Follow the chain of one table and find missing, added or changed rows."""
    findings, previous, expected = [], None, 0
    for row in connection.execute(select(chained).order_by(chained.c.sequence)).mappings():
        expected += 1
        name = _row_name(row) if chained is not sign_in else _attempt_name(row)
        if row["sequence"] != expected:
            findings.append(Finding(chained.name, name, f"Row {expected} is missing before {name}."))
            expected = row["sequence"]
        if row["previous_hash"] != previous:
            findings.append(Finding(chained.name, name, f"{name} does not follow the row before it."))
        hashed = {key: value for key, value in row.items() if key != "sequence"}
        if row_hash(hashed) != row["content_hash"]:
            findings.append(Finding(chained.name, name, f"{name} was changed after it was written."))
        previous = row["content_hash"]
    written = database_of(connection).rows_written(connection, chained)
    if written != expected:
        findings.append(Finding(chained.name, f"row {written}", f"Rows after {expected} of {written} are missing."))
    return findings, expected


def _scans(connection: Connection) -> tuple[list[Finding], int]:
    """Check that every scan's aggregates, sample and slices still have the hash in the scan.

    One scan at a time, because a store of several years does not fit into RAM.
    """
    findings = []
    count = 0
    for row in connection.execute(select(day_scan)).mappings().all():
        aggregates = [tuple(part.values()) for part in _details(connection, event_aggregate, event_aggregate.c.id, row)]
        sample = _details(connection, event_sample, event_sample.c.position, row)
        slices = _details(connection, event_slice, event_slice.c.position, row)
        count += len(aggregates) + len(sample) + len(slices)
        if figures_hash(row, aggregates, sample, slices) != row["figures_hash"]:
            sentence = f"The aggregates, sample or slices of {_row_name(row)} were changed after they were written."
            findings.append(Finding("day_scan", _row_name(row), sentence))
    return findings, count


def _verdicts(connection: Connection) -> tuple[list[Finding], int]:
    """Check that every snapshot's verdicts still have the hash in the snapshot."""
    findings = []
    count = 0
    for row in connection.execute(select(integrity_snapshot)).mappings().all():
        verdicts = _details(connection, guardrail_verdict, guardrail_verdict.c.position, row)
        count += len(verdicts)
        if verdicts_hash(verdicts) != row["verdicts_hash"]:
            sentence = f"The verdicts of {_row_name(row)} were changed after they were written."
            findings.append(Finding("integrity_snapshot", _row_name(row), sentence))
    return findings, count


def _details(connection: Connection, part: Table, order: Any, head: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """The rows of ``part`` that belong to ``head``, as they were hashed: without surrogate id and key, in order."""
    hashed = [column for column in part.columns if column.name not in {"id", *KEY}]
    same = (part.c[name] == head[name] for name in KEY)
    return [dict(row) for row in connection.execute(select(*hashed).where(*same).order_by(order)).mappings()]


def _orphans(connection: Connection) -> Iterator[Finding]:
    """Find rows whose key belongs to no scan or no snapshot."""
    for part, head, called in PARTS:
        has_head = exists().where(*(head.c[name] == part.c[name] for name in KEY))
        query = select(*(part.c[name] for name in KEY)).where(~has_head).distinct()
        for row in connection.execute(query).mappings():
            yield Finding(part.name, _row_name(row), f"Rows of {_row_name(row)} belong to no {called}.")


def _snapshots(connection: Connection) -> Iterator[Finding]:
    """Check that every snapshot was made from a scan that exists and has the hash in the snapshot."""
    scans = {_key(row): row["figures_hash"] for row in connection.execute(select(day_scan)).mappings()}
    for row in connection.execute(select(integrity_snapshot)).mappings():
        if scans.get((row["source"], row["day"], row["scan_revision"])) != row["scan_hash"]:
            sentence = f"The scan behind {_row_name(row)} is missing or differs from the one it was made from."
            yield Finding("integrity_snapshot", _row_name(row), sentence)


def _key(row: Mapping[Any, Any]) -> Key:
    return row["source"], row["day"], row["revision"]


def _row_name(row: Mapping[Any, Any]) -> str:
    if "revision" in row:
        about = f"revision {row['revision']}"
    else:
        about = f"{row['action']} {row['root_cause']}" if "action" in row else f"mark {row['mark']}"
    return f"{row['source']} {row['day']} {about}"


def _attempt_name(row: Mapping[Any, Any]) -> str:
    """The name of a sign-in attempt; a stranger typed the account name, so control characters are made visible."""
    return f"{row['at']:%Y-%m-%d %H:%M:%S} {visible(row['account_name'])} {row['outcome']}"
