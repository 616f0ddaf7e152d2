"""Finds what was changed behind the program's back: every hash is computed again, every link followed.

Nothing ends the search early: a value that cannot be read, a missing table or a damaged page is a finding too.
Accounts, sessions and tokens are not checked: they change, and every use of them is a row of ``sign_in``.

A rewrite of whole chains by somebody who knows how they are made, a cut end and an older copy are found only by an
anchor that was kept elsewhere; see ``anchors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from telemetry_quality.core.clipping import clipped
from telemetry_quality.core.visible import visible
from telemetry_quality.storage.anchors import Anchor, anchor_of, departures
from telemetry_quality.storage.engine import database_of
from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.raw_rows import RowReader, Unreadable
from telemetry_quality.storage.rows import figures_hash, verdicts_hash
from telemetry_quality.storage.tables import (
    APPEND_ONLY,
    CHAINED,
    PARTS,
    day_scan,
    event_aggregate,
    event_sample,
    event_slice,
    guardrail_verdict,
    integrity_snapshot,
)
from telemetry_quality.storage.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Column, Connection, Table

    Row = dict[str, Any]
    Found = Iterator["Finding"]

KEY = ("source", "day", "revision")
"""The key that a scan or a snapshot shares with the rows that its hash covers."""

HEADS_AT_ONCE = 200
"""How many scans or snapshots are compared with their parts by one query for each kind of part."""


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
        anchor: Of the store as it is, to be kept elsewhere; None if a chain cannot be read.
    """

    rows: int
    findings: tuple[Finding, ...]
    anchor: Anchor | None


def verify_store(connection: Connection, expected: Sequence[Anchor] = ()) -> Verification:
    """Check triggers, chains, whether every scan and snapshot still holds what was hashed, and ``expected`` anchors."""
    with database_of(connection).any_text(connection):
        return _Search(connection).verification(expected)


class _Search:
    """One search through a store; each step adds its findings, and an error in one step does not end the others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._findings: list[Finding] = []
        self._rows = 0
        self._anchor: Anchor | None = None

    def verification(self, expected: Sequence[Anchor]) -> Verification:
        self._step("triggers", self._guards())
        incomplete = set(self._incomplete_tables())
        for name, needed, found in self._steps(expected):
            if incomplete.isdisjoint(needed):
                self._step(name, found)
        if expected and self._anchor is None:
            sentence = "No anchor can be found, because a chain is missing, incomplete or unreadable."
            self._findings.append(Finding("anchor", "anchor", sentence))
        return Verification(self._rows, tuple(self._findings), self._anchor)

    def _steps(self, expected: Sequence[Anchor]) -> Iterator[tuple[str, Iterable[Table], Found]]:
        """What is checked: a name, the tables that it needs, and its findings."""
        for chained in CHAINED:
            yield chained.name, [chained], self._chain(chained)
        yield day_scan.name, [day_scan, event_aggregate, event_sample, event_slice], self._scans()
        yield guardrail_verdict.name, [integrity_snapshot, guardrail_verdict], self._verdicts()
        for part, head in PARTS.items():
            yield part.name, [part, head], self._orphans(part, head)
        yield integrity_snapshot.name, [integrity_snapshot, day_scan], self._lost_scans()
        yield "anchor", CHAINED, self._anchors(expected)

    def _step(self, name: str, found: Found) -> None:
        try:
            with self._connection.begin_nested():
                self._findings.extend(found)
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            reason = visible((str(getattr(error, "orig", None) or error).splitlines() or [""])[0])
            sentence = f"{name} could not be read to its end: {reason}."
            self._findings.append(Finding(name, name, sentence))

    def _guards(self) -> Found:
        database = database_of(self._connection)
        present = database.guards(self._connection)
        for stored in APPEND_ONLY:
            for trigger, text in database.expected_guards(stored).items():
                if present.get(trigger) != text:
                    sentence = f"The trigger {trigger} is gone or changed: {stored.name} is no longer append-only."
                    yield Finding(stored.name, trigger, sentence)
        for view in VIEWS:
            if present.get(view) != database.expected_view(view):
                yield Finding(view, view, f"The view {view} is gone or changed: what it shows may be wrong.")

    def _incomplete_tables(self) -> Iterator[Table]:
        """Tables that are missing or lack columns; each is a finding."""
        inspector = inspect(self._connection)
        present = set(inspector.get_table_names())
        for stored in APPEND_ONLY:
            if stored.name not in present:
                sentence = f"The table {stored.name} is missing with all its rows."
                self._findings.append(Finding(stored.name, stored.name, sentence))
                yield stored
                continue
            columns = {column["name"] for column in inspector.get_columns(stored.name)}
            missing = [column.name for column in stored.columns if column.name not in columns]
            for name in missing:
                sentence = f"The column {name} of {stored.name} is missing with all its values."
                self._findings.append(Finding(stored.name, name, sentence))
            if missing:
                yield stored

    def _chain(self, chained: Table) -> Found:
        """Follow the chain of one table and find missing, added or changed rows."""
        reader = RowReader(self._connection, list(chained.columns))
        previous, position = None, 0
        for _, row in reader.rows(select(*reader.selected).order_by(chained.c.sequence)):
            self._rows += 1
            position += 1
            for fault in _faults(row, position, previous):
                name = _name(chained, row)
                yield Finding(chained.name, name, fault.format(name=name))
            position = row["sequence"] if isinstance(row["sequence"], int) else position
            previous = row["content_hash"]
        written = database_of(self._connection).rows_written(self._connection, chained)
        if written != position:
            sentence = f"Rows after {position} of {visible(str(written))} are missing."
            yield Finding(chained.name, f"row {visible(str(written))}", sentence)

    def _scans(self) -> Found:
        """Check that every scan's aggregates, sample and slices still have the hash in the scan."""
        orders = (event_aggregate.c.id, event_sample.c.position, event_slice.c.position)
        for row, (aggregates, sample, slices) in self._with_parts(day_scan, orders):
            if unreadable := _unreadable(*aggregates, *sample, *slices):
                fault = f"hold what cannot be read in {unreadable}"
            elif not _unreadable(row) and row["figures_hash"] != figures_hash(
                row, [tuple(part.values()) for part in aggregates], sample, slices
            ):
                fault = "were changed after they were written"
            else:
                continue
            name = _name(day_scan, row)
            yield Finding(day_scan.name, name, f"The aggregates, sample or slices of {name} {fault}.")

    def _verdicts(self) -> Found:
        """Check that every snapshot's verdicts still have the hash in the snapshot."""
        for row, (verdicts,) in self._with_parts(integrity_snapshot, (guardrail_verdict.c.position,)):
            if unreadable := _unreadable(*verdicts):
                fault = f"hold what cannot be read in {unreadable}"
            elif verdicts_hash(verdicts) != row["verdicts_hash"]:
                fault = "were changed after they were written"
            else:
                continue
            name = _name(integrity_snapshot, row)
            yield Finding(integrity_snapshot.name, name, f"The verdicts of {name} {fault}.")

    def _with_parts(self, head: Table, orders: Sequence[Column[Any]]) -> Iterator[tuple[Row, list[list[Row]]]]:
        """Each row of ``head`` with its rows of the parts that ``orders`` belong to, in that order, some at a time."""
        reader, last = RowReader(self._connection, list(head.columns)), 0
        query = select(*reader.selected).order_by(head.c.sequence).limit(HEADS_AT_ONCE)
        while heads := [row for _, row in reader.rows(query.where(head.c.sequence > last))]:
            first, last = heads[0]["sequence"], heads[-1]["sequence"]
            parts = [_PartsOf(self._connection, head, order, first, last) for order in orders]
            for row in heads:
                found = [part.of(row["sequence"]) for part in parts]
                self._rows += sum(map(len, found))
                yield row, found

    def _orphans(self, part: Table, head: Table) -> Found:
        """Find rows whose key belongs to no scan or no snapshot."""
        has_head = exists().where(*(head.c[name] == part.c[name] for name in KEY))
        reader = RowReader(self._connection, [part.c[name] for name in KEY])
        for _, row in reader.rows(select(*reader.selected).where(~has_head).distinct()):
            name = _name(head, row)
            called = "scan" if head is day_scan else "snapshot"
            yield Finding(part.name, name, f"Rows of {name} belong to no {called}.")

    def _lost_scans(self) -> Found:
        """Check that every snapshot was made from a scan that exists and has the hash in the snapshot."""
        made, scan = integrity_snapshot.c, day_scan.c
        is_same = (scan.source == made.source, scan.day == made.day, scan.revision == made.scan_revision)
        has_scan = exists().where(*is_same, scan.figures_hash == made.scan_hash)
        reader = RowReader(self._connection, [made[name] for name in KEY])
        for _, row in reader.rows(select(*reader.selected).where(~has_scan).order_by(made.sequence)):
            name = _name(integrity_snapshot, row)
            sentence = f"The scan behind {name} is missing or differs from the one it was made from."
            yield Finding(integrity_snapshot.name, name, sentence)

    def _anchors(self, expected: Iterable[Anchor]) -> Found:
        self._anchor = anchor_of(self._connection)
        for old in expected:
            for table, sentence in departures(self._connection, old):
                yield Finding(table, f"anchor {old.digest}", sentence)


class _PartsOf:
    """The rows of one part that belong to some rows of ``head``, read along with them.

    They are as they were hashed: without surrogate id and key, in order.
    """

    def __init__(self, connection: Connection, head: Table, order: Column[Any], first: int, last: int) -> None:
        part = order.table
        reader = RowReader(connection, [column for column in part.columns if column.name not in {"id", *KEY}])
        query = (
            select(head.c.sequence, *reader.selected)
            .join_from(head, part, onclause=_same_key(head, part))
            .where(head.c.sequence.between(first, last))
            .order_by(head.c.sequence, order)
        )
        self._groups = groupby(reader.rows(query, first=1), key=itemgetter(0))
        self._next = next(self._groups, None)

    def of(self, sequence: int) -> list[Row]:
        """The rows that belong to the row with this number; asked for in ascending order."""
        if self._next is None or self._next[0][0] != sequence:
            return []
        rows = [row for _, row in self._next[1]]
        self._next = next(self._groups, None)
        return rows


def _same_key(head: Table, part: Any) -> Any:
    source, day, revision = (head.c[name] == part.c[name] for name in KEY)
    return source & day & revision


def _faults(row: Row, position: int, previous: Any) -> Iterator[str]:
    """What is wrong with a row of a chain, given the place where it should be and the hash before it."""
    if row["sequence"] != position:
        yield f"Row {position} is missing before {{name}}."
    if row["previous_hash"] != previous:
        yield "{name} does not follow the row before it."
    if unreadable := _unreadable(row):
        yield f"{{name}} holds what cannot be read in {unreadable}."
    elif row_hash({name: value for name, value in row.items() if name != "sequence"}) != row["content_hash"]:
        yield "{name} was changed after it was written."


def _unreadable(*rows: Mapping[str, Any]) -> str:
    """The names of the columns in which a value cannot be read; empty if there is none."""
    return ", ".join({name: None for row in rows for name, value in row.items() if type(value) is Unreadable})


def _name(chained: Table, row: Mapping[str, Any]) -> str:
    """What people call a row; strangers typed parts of it, so it is clipped and control characters are made visible."""
    return CHAINED[chained].format_map({name: _word(value) for name, value in row.items()})


def _word(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else clipped(visible(str(value)))
