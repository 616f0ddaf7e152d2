"""The Iceberg connector: the live files of the current snapshot of an Iceberg table, as its manifests say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyiceberg import types
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThan, Reference
from pyiceberg.manifest import FileFormat
from pyiceberg.table.deletion_vector import deletion_vectors_from_puffin_file
from pyiceberg.table.puffin import PuffinFile
from pyiceberg.transforms import IdentityTransform

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.iceberg_tables import TableAddress, as_text, fields_of, table_errors
from telemetry_quality.sources.lake_files import PATH, POSITION, Field, LakeFile, read_positions
from telemetry_quality.sources.lakes import LakeSource
from telemetry_quality.sources.walking import NOWHERE, Places, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask

    from telemetry_quality.core.event_schema import EventSchema

_EQUALITY_DELETES = "equality deletes"
"""What pyiceberg's error says of them."""


class IcebergSource(LakeSource):
    """Events in an Iceberg table.

    Args:
        address: Where the table is.
        schema: Which column plays which role.
        more: As for every LakeSource.
    """

    def __init__(self, address: TableAddress, schema: EventSchema, **more: Any) -> None:
        super().__init__(str(address), schema, **more)
        self._address = address

    def snapshot(self) -> IcebergSnapshot:
        """The current snapshot of the table."""
        return IcebergSnapshot(self._address)


class IcebergSnapshot:
    """One snapshot of an Iceberg table; see LakeSnapshot."""

    def __init__(self, address: TableAddress) -> None:
        self._address = address
        self._table = address.load()
        snapshot = self._table.current_snapshot()
        self.version = None if snapshot is None else str(snapshot.snapshot_id)
        self._deletes: dict[str, set[DataFile]] = {}
        self._locations: dict[str, str] = {}
        self._planned: dict[tuple[str, datetime, datetime], list[LakeFile]] = {}

    def is_current(self) -> bool:
        """Whether the table still has this snapshot."""
        return IcebergSnapshot(self._address).version == self.version

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The columns of the table."""
        with table_errors(str(self._address)):
            return fields_of(self._table)

    @property
    def root(self) -> str:
        """The table's own folder or URL."""
        return _local(self._table.location())

    @property
    def places(self) -> Places:
        """The table's own folder, and the one that new files are written to."""
        data = self._table.properties.get("write.data.path")
        return place_of(_local(self._table.location())) | (place_of(_local(data)) if data else NOWHERE)

    def files(self, column: str, start: datetime, end: datetime) -> list[LakeFile]:
        """The live files that may hold a ``start <= column < end``."""
        asked = (column, start, end)
        if asked not in self._planned:
            if len(self._planned) > 1:  # those that happened on a day, and those that arrived on it
                self._planned.clear()
            self._planned[asked] = [self._file(task) for task in self._plan(self._condition(*asked))]
        return self._planned[asked]

    def latest_files(self, column: str, count: int) -> list[LakeFile]:
        """The ``count`` files with the latest times in ``column``, as far as the manifests know."""
        known = next((field.id for field in self.fields if field.name == column), None)

        def latest(task: FileScanTask) -> int:
            bound = (task.file.upper_bounds or {}).get(known or 0, b"")
            return int.from_bytes(bound, "little", signed=True)

        tasks = sorted(self._plan(AlwaysTrue()), key=latest)
        return [self._file(task) for task in tasks[-count:]]

    def _condition(self, column: str, start: datetime, end: datetime) -> BooleanExpression:
        """What the manifests are asked for; texts and numbers do not always sort as their instants do."""
        type_ = next((field.field_type for field in self._table.schema().fields if field.name == column), None)
        match type_:
            case types.TimestamptzType():
                first, last = start.isoformat(), end.isoformat()
            case types.TimestampType():
                first, last = (at.astimezone(UTC).replace(tzinfo=None).isoformat() for at in (start, end))
            case _:
                return AlwaysTrue()
        time = Reference(column)
        return And(GreaterThanOrEqual(term=time, value=first), LessThan(term=time, value=last))

    def _plan(self, condition: BooleanExpression) -> list[FileScanTask]:
        with table_errors(str(self._address)):
            try:
                return list(self._table.scan(row_filter=condition).plan_files())
            except (ValueError, NotImplementedError) as error:
                if _EQUALITY_DELETES not in str(error):
                    raise
                raise SourceError(
                    "DELETES_UNSUPPORTED",
                    f"Deleted rows of {self._address} must be known by their positions, but some are by the values of "
                    "columns (equality deletes); rewrite the table's data files, or read it with Spark.",
                ) from None

    def _file(self, task: FileScanTask) -> LakeFile:
        file = task.file
        path = _local(file.file_path)
        if file.file_format != FileFormat.PARQUET:
            raise SourceError(
                "FORMAT_UNSUPPORTED",
                f"The files of {self._address} must be Parquet, but {path} is {file.file_format.value}; rewrite it.",
            )
        self._deletes[path] = task.delete_files
        deletes = tuple(_local(delete.file_path) for delete in task.delete_files)
        self._locations[file.file_path] = path
        return LakeFile(path, file.record_count, self._partition(file), bool(deletes), deletes)

    def _partition(self, file: DataFile) -> dict[str, str | None]:
        """The values of columns that a file need not hold, because all of its rows have the same."""
        schema, spec = self._table.schema(), self._table.specs()[file.spec_id]
        found: dict[str, str | None] = {}
        for place, part in enumerate(spec.fields):
            column = next((column for column in schema.fields if column.field_id == part.source_id), None)
            if column is not None and isinstance(part.transform, IdentityTransform):
                value = file.partition[place]
                found[column.name] = None if value is None else as_text(column.field_type, value)
        return found

    def deleted_rows(self, connection: DuckDBPyConnection, files: Sequence[LakeFile]) -> DuckDBPyRelation:
        """The PATH and the POSITION of every deleted row of ``files``."""
        paths = {file.path for file in files}
        deletes = {delete.file_path: delete for path in paths for delete in self._deletes[path]}
        by_format = {kind: [file for file in deletes.values() if file.file_format == kind] for kind in FileFormat}
        vectors = self._vectors(by_format.pop(FileFormat.PUFFIN), paths)
        positions = by_format.pop(FileFormat.PARQUET)
        if other := [file for found in by_format.values() for file in found]:
            raise SourceError(
                "FORMAT_UNSUPPORTED",
                f"Deletes of {self._address} must be Parquet or Puffin, but {_local(other[0].file_path)} is not; "
                "rewrite the table's data files.",
            )
        deleted = connection.from_df(vectors)
        if positions:
            located = {location: path for location, path in self._locations.items() if path in paths}
            deleted = deleted.union(read_positions(connection, [_local(file.file_path) for file in positions], located))
        return deleted

    def _vectors(self, files: Iterable[DataFile], paths: set[str]) -> pd.DataFrame:
        """The deletes of Puffin files."""
        found = [pd.DataFrame({PATH: pd.Series(dtype=str), POSITION: pd.Series(dtype="int64")})]
        for file in files:
            with table_errors(str(self._address)), self._table.io.new_input(file.file_path).open() as stream:
                vectors = deletion_vectors_from_puffin_file(PuffinFile(stream.read()))
            found += [
                pd.DataFrame({PATH: path, POSITION: vector.to_vector().to_pandas()})
                for vector in vectors
                if (path := _local(vector.referenced_data_file)) in paths
            ]
        return pd.concat(found, ignore_index=True)


def _local(location: str) -> str:
    """A file as DuckDB opens it."""
    return re.sub("^s3[an]://", "s3://", re.sub("^file:/+", "/", location))
