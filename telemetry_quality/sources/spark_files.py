"""Parquet files as Spark reads them: together where their columns are alike, and else those of each day alone.

Spark reads a file that lacks a column as if the column were null, and no file at all if a type differs. Instead, what a
day needs must be there, and only the days that need an odd file are unreadable. The module ``parquet`` does the same,
but opens the files itself, which only the cluster can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import unquote

from sqlalchemy import Select, func, literal, select

from telemetry_quality.core.events import OTHER_VALUES, DayScan
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.columns import column_roles, fitted, role_expressions
from telemetry_quality.sources.limits import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.query import DayRange, EventTable

    class Client(Protocol):
        """What is asked of Spark."""

        def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]: ...  # noqa: D102

        def listed(self, path: str) -> list[str]:
            """The files of a path or pattern."""

        def show(self, patterns: Sequence[str], view: str, base: str | None = None) -> dict[str, Column]:
            """Show files as one view, with ``FILE``; returns its columns."""

        def show_together(self, views: Mapping[str, Sequence[tuple[str, str]]], view: str) -> dict[str, Column]:
            """Show the named columns of views, each cast to a type, as one view."""

        def table_of(self, view: str, columns: Mapping[str, Column], schema: EventSchema, salt: str) -> EventTable:
            """A view whose columns can play their roles."""


FILE = "telemetry_quality_file"
"""The column that names the file of an event."""

_VIEW, _TOGETHER, _ONE_FILE = "events_of_source", "events_of_day", "events_of_file"

_ODD_FILE = {"SOURCE_UNREADABLE", "COLUMN_TYPE"}
"""Why Spark cannot read some files together: one of them is broken, or a column changes its type."""

_WHOLE_NUMBERS = {"tinyint", "smallint", "int", "bigint"}


@dataclass
class _Alike:
    """Files that Spark can read together.

    Attributes:
        error: Why it cannot read them at all.
        table: The files as events, once it is known what plays each role in them.
    """

    paths: Sequence[str]
    view: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    error: SourceError | None = None
    table: EventTable | None = None


@dataclass
class SparkFiles:
    """Which of the files of a source hold the events of a day range.

    Attributes:
        path: A file, a folder or a pattern, as the cluster sees it.
        source_version: None: files have no version.
    """

    client: Client
    path: str
    schema: EventSchema
    salt: str
    source_version: str | None = None
    _groups: list[_Alike] = field(default_factory=list)
    _views: int = 0

    def of(self, day_range: DayRange) -> EventTable:
        """The table of the events that happened in ``day_range``, and of others.

        Raises:
            SourceError: If a file that may hold some cannot be read, or not with the others.
        """
        return self._table(day_range, self.schema.occurred_at)

    def observed_in(self, day_range: DayRange) -> EventTable:
        """The table of the events that arrived in ``day_range``, and of others."""
        return self._table(day_range, self.schema.observed_at or self.schema.occurred_at)

    def require_columns(self, day_range: DayRange, answer: Any) -> None:
        """Require every column in each file that holds events of ``day_range``, of which ``answer`` was read.

        Raises:
            SourceError: ``COLUMN_MISSING`` with the first file that lacks one.
        """
        if not _may_lack_a_column(answer, self.schema):
            return
        table = self.of(day_range)
        roles = {name: role for role, name in column_roles(table.schema, table.columns)}
        names = [name for name in roles if name in table.relation.c]
        file = table.relation.c[FILE]
        counts = (func.count(table.relation.c[name]) for name in names)
        within = table.within(day_range, table.schema.occurred_at)
        for path, *known in self.client.execute(select(file, *counts).where(within).group_by(file)):
            lacking = [name for name, count in zip(names, known, strict=True) if not count]
            held = self.client.show([_pattern(unquote(path))], _ONE_FILE) if lacking else {}
            for name in lacking:
                if name not in held and f"/{name}=" not in unquote(path):
                    raise _missing(name, roles[name], unquote(path))

    def columns(self) -> dict[str, Column]:
        """The columns, and the expressions that play roles; of files that are not all alike, those of the last."""
        groups = self._alike()
        return dict(self._events(groups[-1]).columns)

    def require_any(self) -> Self:
        """Require files that can be read.

        Raises:
            SourceError: If none can.
        """
        groups = self._alike()
        if len(groups) == 1:
            self._events(groups[0])
        errors = [group.error for group in groups if group.error is not None]
        if len(errors) == len(groups):
            raise errors[0]
        return self

    def _alike(self) -> list[_Alike]:
        if self._groups:
            return self._groups
        try:
            self._groups = [_Alike([self.path], _VIEW, self.client.show([self.path], _VIEW))]
        except SourceUnavailableError:
            raise
        except SourceError as error:
            if error.reason_code not in _ODD_FILE:
                raise
            self._groups = list(self._split(self.client.listed(self.path)))
        return self._groups

    def _split(self, paths: Sequence[str]) -> Iterable[_Alike]:
        """Groups of files that can be read together, found by halving."""
        self._views += 1
        view = f"{_VIEW}_{self._views}"
        try:
            yield _Alike(paths, view, self.client.show([*map(_pattern, paths)], view, _base_folder(paths[0])))
        except SourceUnavailableError:
            raise
        except SourceError as error:
            if error.reason_code not in _ODD_FILE:
                raise
            if len(paths) == 1:
                yield _Alike(paths, error=SourceError(error.reason_code, f"{error} ({_shown(paths[0])})"))
                return
            middle = len(paths) // 2
            yield from self._split(paths[:middle])
            yield from self._split(paths[middle:])

    def _table(self, day_range: DayRange, time: str) -> EventTable:
        groups = self._alike()
        if len(groups) == 1:
            return self._events(groups[0])
        if len(day_range.windows) > 1:
            raise SourceError("COLUMN_DRIFT", "The files have columns of different types; each day is read alone.")
        if broken := next((group.error for group in groups if group.error is not None), None):
            raise broken
        holding = [group for group in groups if self._may_hold(group, day_range, time)]
        if len(holding) > 1:
            return self._together(holding)
        return self._events((holding or groups)[0])

    def _events(self, group: _Alike) -> EventTable:
        if group.table is None:
            group.table = self._of_group(group, self.schema)
        return group.table

    def _of_group(self, group: _Alike, schema: EventSchema) -> EventTable:
        if group.error is not None:
            raise group.error
        try:
            return self.client.table_of(group.view, group.columns, schema, self.salt)
        except SourceError as error:
            if len(self._groups) == 1:
                raise
            raise SourceError(error.reason_code, f"{error} ({_shown(group.paths[0])})") from None

    def _may_hold(self, group: _Alike, day_range: DayRange, time: str) -> bool:
        """Whether a group of files has an event whose ``time`` is in the range, or does not say."""
        only_times = replace(
            self.schema,
            event_id=None,
            occurred_at=time,
            event_name=time,
            service_version=time,
            is_error="1 = 1",
            critical_fields=(),
            observed_at=None,
            dimensions=(),
            rates=(),
            where=None,
        )
        try:
            events = self._of_group(group, only_times)
        except SourceUnavailableError:
            raise
        except SourceError as error:
            if error.reason_code == TIME_LIMIT:
                raise
            return True
        found = events.events_where(events.within(day_range, time), found=literal(1)).limit(1)
        return bool(self.client.execute(found))

    def _together(self, groups: Sequence[_Alike]) -> EventTable:
        """Files of several types as one table, with the common type of each column."""
        known: dict[str, Column] = {}
        for group in groups:
            known |= group.columns
        roles = {name: role for role, name in column_roles(fitted(self.schema, known), known)}
        casts: dict[str, list[tuple[str, str]]] = {group.view: [] for group in groups}
        for name, role in roles.items():
            if lacks := next((group for group in groups if name not in group.columns), None):
                raise _missing(name, role, lacks.paths[0])
            type_name = _common_type(name, role, groups)
            for group in groups:
                casts[group.view].append((name, type_name))
        columns = self.client.show_together(casts, _TOGETHER)
        return self.client.table_of(_TOGETHER, columns, self.schema, self.salt)


def _shown(path: str) -> str:
    """A path for people: one on disk without its scheme."""
    return re.sub(r"^file:/+", "/", path)


def _pattern(path: str) -> str:
    """A pattern that only this path matches: Spark takes every path for one."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def _base_folder(path: str) -> str | None:
    """The folder below which hive folders are columns; None if there are none."""
    folders = path.split("/")[:-1]
    first = next((place for place, folder in enumerate(folders) if "=" in folder), None)
    return None if first is None else "/".join(folders[:first])


def _common_type(name: str, role: str, groups: Sequence[_Alike]) -> str:
    types = {group.columns[name].type_name: group.paths[0] for group in groups}
    if len(types) == 1:
        return next(iter(types))
    if types.keys() <= _WHOLE_NUMBERS:
        return "bigint"
    if role in {"occurred_at", "observed_at"}:
        found = " and ".join(f"{type_name} in {_shown(path)}" for type_name, path in types.items())
        raise SourceError(
            "COLUMN_TYPE",
            f"{role} requires {name!r} to be of one kind in all files of a day, but it is {found}; rewrite the files.",
        )
    return "string"


def _missing(name: str, role: str, path: str) -> SourceError:
    return SourceError(
        "COLUMN_MISSING",
        f"{role} requires the column {name!r}, but {_shown(path)} does not have it; "
        "rewrite the file or change the role.",
    )


def _may_lack_a_column(answer: Any, schema: EventSchema) -> bool:
    """Whether anything is null that was read of some days, or a null could not be told."""
    if not isinstance(answer, dict):
        return True
    conditions = {schema.is_error, *(rate.where for rate in schema.rates)}
    texts = [text for _, text in role_expressions(schema) if text not in conditions]
    if schema.rates or not all(re.fullmatch(r"\w+", text) for text in texts):
        return True
    return any(isinstance(scan, DayScan) and _has_nulls(scan, schema) for scan in answer.values())


def _has_nulls(scan: DayScan, schema: EventSchema) -> bool:
    totals = scan.aggregates.totals()
    arrived = totals.events if scan.arrivals is None else sum(scan.arrivals.by_hour)
    return bool(
        totals.error_unknown_events
        or scan.incomplete_events is None
        or scan.incomplete_events
        or (schema.observed_at is not None and arrived < totals.events)
        or any(None in {row.event_name, row.service_version} for row in scan.aggregates.rows)
        or any(part.value in {None, OTHER_VALUES} for part in scan.slices if part.by is None)
    )
