"""The Delta connector: the live files of the current version of a Delta table, as its log says."""

from __future__ import annotations

import glob
import json
import os
from datetime import UTC, datetime
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pandas as pd
from arro3.core import DataType, Table

from telemetry_quality.sources.delta_log import UNDECLARED, file_of, log_errors, open_table
from telemetry_quality.sources.lake_files import PATH, POSITION, Field, LakeFile, list_type, map_type, struct_type
from telemetry_quality.sources.lakes import LakeSource, instant, may_overlap
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES
from telemetry_quality.sources.sessions import open_session
from telemetry_quality.sources.walking import Places, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from telemetry_quality.core.event_schema import EventSchema

    Span = tuple[datetime | None, datetime | None]

_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ntz": "TIMESTAMP",
}
_MODE, _ID, _PHYSICAL_NAME = (f"delta.columnMapping.{name}" for name in ("mode", "id", "physicalName"))


class DeltaSource(LakeSource):
    """Events in a Delta table.

    Args:
        path: The folder that holds ``_delta_log``, or its URL in an object store.
        schema: Which column plays which role.
        storage_options: What the package deltalake needs to know of the store, beyond what it finds by itself.
        more: As for every LakeSource.
    """

    def __init__(
        self, path: str, schema: EventSchema, *, storage_options: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(path, schema, **more)
        self._options = storage_options or {}

    def snapshot(self) -> DeltaSnapshot:
        """The current version of the table."""
        return DeltaSnapshot(self.location, self._options)


class DeltaSnapshot:
    """One version of a Delta table; see LakeSnapshot."""

    def __init__(self, path: str, options: Mapping[str, str]) -> None:
        self._path = path
        self._options = options
        self._table = open_table(path, options)
        self.version = str(self._table.version())
        with log_errors(path):
            self._actions = self._table.get_add_actions(flatten=True)
        self._known_spans: dict[str, Sequence[Span]] = {}

    def is_current(self) -> bool:
        """Whether the table still has this version."""
        return str(open_table(self._path, self._options).version()) == self.version

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The columns of the table."""
        with log_errors(self._path):
            columns = json.loads(self._table.schema().to_json())["fields"]
            uses_ids = self._table.metadata().configuration.get(_MODE) == "id"
            partitioned = set(self._table.metadata().partition_columns)
        if [column["name"] for column in columns] == [UNDECLARED]:
            return self._fields_of_files()
        # The log holds the values of partition columns, whatever a file may say.
        return tuple(
            _field(column, uses_ids=uses_ids, is_in_files=column["name"] not in partitioned) for column in columns
        )

    @property
    def root(self) -> str:
        """The table's own folder or URL."""
        return self._path

    @property
    def places(self) -> Places:
        """The table's own folder."""
        return place_of(self._path)

    def _fields_of_files(self) -> tuple[Field, ...]:
        places = Places(files=frozenset(map(os.path.realpath, self._paths)))
        with log_errors(self._path), open_session(None, MEMORY_LIMIT_BYTES, places) as connection:
            rows = connection.read_parquet([glob.escape(path) for path in self._paths], union_by_name=True)
            return tuple(Field(name, str(type_), (name,)) for name, type_ in zip(rows.columns, rows.types, strict=True))

    def files(self, column: str, start: datetime, end: datetime) -> list[LakeFile]:
        """The live files that may hold a ``start <= column < end``."""
        return [
            file
            for file, (first, last) in zip(self._files, self._spans(column), strict=True)
            if may_overlap(first, last, start, end)
        ]

    def latest_files(self, column: str, count: int) -> list[LakeFile]:
        """The ``count`` files with the latest times in ``column``, as far as the log knows."""
        beginning = datetime.min.replace(tzinfo=UTC)
        in_order = sorted(
            zip(self._files, self._spans(column), strict=True), key=lambda known: known[1][1] or beginning
        )
        return [file for file, _ in in_order[-count:]]

    @cached_property
    def _files(self) -> list[LakeFile]:
        """All live files, in the order of the log."""
        fields = [field for field in self.fields if not field.names]
        values = zip(*map(self._partition_values, fields), strict=True) if fields else repeat(())
        partitions = (
            {field.name: value for field, value in zip(fields, partition, strict=True)} for partition in values
        )
        return [
            LakeFile(path, rows, partition, path in self._kept_rows)
            for path, rows, partition in zip(self._paths, self._logged("num_records"), partitions, strict=False)
        ]

    def _partition_values(self, field: Field) -> list[str | None]:
        """The value of a partition column in each file, as text that DuckDB casts to its type."""
        values = self._logged(f"partition.{field.name}")
        if (field.type_name or "").startswith("TIMESTAMP"):
            values = [None if value is None else instant(value) or "out of range" for value in values]
        return [None if value is None else _text(value) for value in values]

    @cached_property
    def _paths(self) -> list[str]:
        return [file_of(path, self._path) for path in self._logged("path")]

    def _logged(self, name: str) -> list[Any]:
        """What the log says of each file under a name; None where it says nothing."""
        if self._actions.column_names.count(name) != 1:
            return [None] * self._actions.num_rows
        column = self._actions[name]
        if DataType.is_timestamp(column.type):
            # Event data may hold times that Python has no datetime for.
            column = column.cast(DataType.int64())
        return list(column.to_pylist())

    def _spans(self, column: str) -> Sequence[Span]:
        """The first and the last instant in a column of each file; None where the log does not say."""
        if column not in self._known_spans:
            self._known_spans[column] = self._logged_spans(column)
        return self._known_spans[column]

    def _logged_spans(self, column: str) -> Sequence[Span]:
        field = next((field for field in self.fields if field.name == column), None)
        # Texts and numbers do not always sort as their instants do.
        if field is None or not (field.type_name or "").startswith("TIMESTAMP"):
            return [(None, None)] * self._actions.num_rows
        if not field.names:
            values = [instant(value) for value in self._logged(f"partition.{column}")]
            return list(zip(values, values, strict=True))
        # The field of a struct has the same name in the log as a column with a dot.
        if "." in field.names[0]:
            return [(None, None)] * self._actions.num_rows
        firsts, lasts = (self._logged(f"{side}.{field.names[0]}") for side in ("min", "max"))
        # Writers cut both to milliseconds, which never moves a time across the start of a day.
        return [(instant(first), instant(last)) for first, last in zip(firsts, lasts, strict=True)]

    @cached_property
    def _kept_rows(self) -> dict[str, list[bool]]:
        """For each file with deleted rows, whether each row is kept; the last rows may be left out."""
        if "deletionVectors" not in (self._table.protocol().reader_features or ()):
            return {}
        with log_errors(self._path):
            vectors = Table.from_arrow(self._table.deletion_vectors())
        paths = (file_of(path, self._path) for path in vectors["filepath"].to_pylist())
        return dict(zip(paths, vectors["selection_vector"].to_pylist(), strict=True))

    def deleted_rows(self, connection: DuckDBPyConnection, files: Sequence[LakeFile]) -> DuckDBPyRelation:
        """The PATH and the POSITION of every deleted row of ``files``."""
        kept = {file.path: pd.Series(self._kept_rows[file.path], dtype=bool) for file in files}
        rows = [pd.DataFrame({PATH: path, POSITION: are_kept.index[~are_kept]}) for path, are_kept in kept.items()]
        return connection.from_df(pd.concat(rows, ignore_index=True))


def _text(value: Any) -> str:
    return "".join(f"\\x{byte:02X}" for byte in value) if isinstance(value, bytes) else str(value)


def _field(declared: Mapping[str, Any], *, uses_ids: bool, is_in_files: bool = True) -> Field:
    about, type_ = declared["metadata"], declared["type"]
    type_name, parts = _type(type_, uses_ids=uses_ids)
    return Field(
        declared["name"],
        type_name,
        (about.get(_PHYSICAL_NAME, declared["name"]),) if is_in_files else (),
        about.get(_ID) if uses_ids and is_in_files else None,
        parts,
        is_struct=isinstance(type_, dict) and type_["type"] == "struct",
    )


def _type(declared: Any, *, uses_ids: bool) -> tuple[str | None, tuple[Field, ...]]:
    """DuckDB's name of a type, None if there is none, and its parts."""
    if isinstance(declared, str):
        return _TYPES.get(declared, declared.upper() if declared.startswith("decimal(") else None), ()
    kind = declared["type"]
    if kind == "struct":
        fields = tuple(_field(field, uses_ids=uses_ids) for field in declared["fields"])
        return struct_type(fields), fields
    if kind == "array":
        element = _part("element", declared["elementType"], uses_ids=uses_ids)
        return list_type(element), (element,)
    key, value = (_part(name, declared[f"{name}Type"], uses_ids=uses_ids) for name in ("key", "value"))
    return map_type(key, value), (key, value)


def _part(name: str, declared: Any, *, uses_ids: bool) -> Field:
    """What a list or a map holds; it has no name and no id of its own."""
    type_name, parts = _type(declared, uses_ids=uses_ids)
    return Field(name, type_name, (), None, parts)
