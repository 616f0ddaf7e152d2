"""Finds what was changed behind the program's back: every hash is computed again, every link followed.

What cannot be found: a rewrite of the whole chain by somebody who knows how it is made. Whoever must rule that
out keeps a copy of the last content hash elsewhere; ``telemetry-quality verify`` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, exists, select, table

from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.rows import figures_hash
from telemetry_quality.storage.tables import (
    CHAINED,
    CURRENT_SNAPSHOT_SQL,
    current_snapshot,
    day_reading,
    event_aggregate,
    event_sample,
    integrity_snapshot,
    metadata,
)
from telemetry_quality.storage.triggers import expected_triggers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Select, Table

    Key = tuple[Any, ...]


KEY = ("source", "day", "revision")


@dataclass(frozen=True, slots=True)
class Finding:
    """One sign of tampering.

    Attributes:
        row: Which row, as a person would name it.
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
    """Check triggers, chains, and that every reading still holds what was hashed."""
    findings = [*_triggers(connection)]
    rows = 0
    for chained in CHAINED:
        found, count = _chain(connection, chained)
        findings += found
        rows += count
    found, count = _readings(connection)
    findings += [*found, *_snapshots(connection)]
    head = select(integrity_snapshot.c.content_hash).order_by(integrity_snapshot.c.sequence.desc()).limit(1)
    return Verification(rows + count, tuple(findings), connection.scalar(head))


def _triggers(connection: Connection) -> Iterator[Finding]:
    schema = table("sqlite_master", column("type"), column("name"), column("sql"))
    query = select(schema.c.name, schema.c.sql).where(schema.c.type.in_(("trigger", "view")))
    present = dict(connection.execute(query).all())
    for stored in metadata.tables.values():
        for trigger, text in expected_triggers(stored).items():
            if present.get(trigger) != text:
                sentence = f"The trigger {trigger} is gone or changed: {stored.name} is no longer append-only."
                yield Finding(stored.name, trigger, sentence)
    view = current_snapshot.name
    if present.get(view) != CURRENT_SNAPSHOT_SQL:
        yield Finding(view, view, f"The view {view} is gone or changed: it may not show the latest revisions.")


def _chain(connection: Connection, chained: Table) -> tuple[list[Finding], int]:
    """Follow the chain of one table: no row missing, added or changed."""
    findings, previous, expected = [], None, 0
    for row in connection.execute(select(chained).order_by(chained.c.sequence)).mappings():
        expected += 1
        name = _row_name(row)
        if row["sequence"] != expected:
            findings.append(Finding(chained.name, name, f"Row {expected} is missing before {name}."))
            expected = row["sequence"]
        if row["previous_hash"] != previous:
            findings.append(Finding(chained.name, name, f"{name} does not follow the row before it."))
        if row_hash({key: value for key, value in row.items() if key != "sequence"}) != row["content_hash"]:
            findings.append(Finding(chained.name, name, f"{name} was changed after it was written."))
        previous = row["content_hash"]
    sequences = table("sqlite_sequence", column("name"), column("seq"))
    written = connection.scalar(select(sequences.c.seq).where(sequences.c.name == chained.name)) or 0
    if written != expected:
        findings.append(Finding(chained.name, f"row {written}", f"Rows after {expected} of {written} are missing."))
    return findings, expected


def _readings(connection: Connection) -> tuple[list[Finding], int]:
    """Every reading's aggregates and sample still hash to what it says, and none lacks its reading.

    One reading at a time: a store of years does not fit into memory.
    """
    findings = []
    count = 0
    for row in connection.execute(select(day_reading)).mappings().all():
        aggregates = _details(connection, event_aggregate, event_aggregate.c.id, row)
        sample = _details(connection, event_sample, event_sample.c.position, row)
        count += len(aggregates) + len(sample)
        if figures_hash(row, aggregates, sample) != row["figures_hash"]:
            sentence = f"The aggregates or the sample of {_row_name(row)} were changed after they were written."
            findings.append(Finding("day_reading", _row_name(row), sentence))
    for part in (event_aggregate, event_sample):
        findings += [
            Finding(part.name, _row_name(row), f"Rows of {_row_name(row)} belong to no reading.")
            for row in connection.execute(_orphans(part)).mappings()
        ]
    return findings, count


def _details(connection: Connection, part: Table, order: Any, reading: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """A reading's rows of ``part`` as they were hashed: without surrogate id and key, in order."""
    hashed = [column for column in part.columns if column.name not in {"id", *KEY}]
    same = (part.c[name] == reading[name] for name in KEY)
    return [dict(row) for row in connection.execute(select(*hashed).where(*same).order_by(order)).mappings()]


def _orphans(part: Table) -> Select[Any]:
    """The keys in ``part`` that no reading has."""
    has_reading = exists().where(*(day_reading.c[name] == part.c[name] for name in KEY))
    return select(*(part.c[name] for name in KEY)).where(~has_reading).distinct()


def _snapshots(connection: Connection) -> Iterator[Finding]:
    """Every snapshot was made from a reading that is there and says the same."""
    readings = {_key(row): row["figures_hash"] for row in connection.execute(select(day_reading)).mappings()}
    for row in connection.execute(select(integrity_snapshot)).mappings():
        if readings.get((row["source"], row["day"], row["reading_revision"])) != row["reading_hash"]:
            yield Finding("integrity_snapshot", _row_name(row), f"The reading behind {_row_name(row)} is another one.")


def _key(row: Mapping[Any, Any]) -> Key:
    return row["source"], row["day"], row["revision"]


def _row_name(row: Mapping[Any, Any]) -> str:
    return f"{row['source']} {row['day']} revision {row['revision']}"
