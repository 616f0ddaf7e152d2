"""The files of a table of a lake, shown to DuckDB as the table's own schema says.

Files keep the names and the types of the schema that they were written with. Here the files of a day become one
relation, in which every column has the name and the type that it has in the table now.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
from duckdb import CaseExpression, ColumnExpression, ConstantExpression, FunctionExpression

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.parquet import literal_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation, Expression

    Key = str | int
    """What identifies a column in a file: its id or its name."""

PATH, POSITION = "path of the file", "position in the file"
_FILE, _FILE_INDEX, _ROW = "filename", "file_index", "file_row_number"
"""DuckDB's names of the path, the number and the position that each row has."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table, or a part of one.

    Attributes:
        type_name: DuckDB's name of its type; None to keep the type that a file has.
        names: What it may be called in a file without ids; the first that is found counts.
        id: What identifies it in a file with ids, whatever it is called there; None if the table uses names only.
        parts: The fields of a struct, the elements of a list, the keys and values of a map.
        is_struct: Whether the parts are fields.
        default: The value, as text, of rows in files that were written before the column was added.
    """

    name: str
    type_name: str | None
    names: tuple[str, ...]
    id: int | None = None
    parts: tuple[Field, ...] = ()
    is_struct: bool = False
    default: str | None = None


def struct_type(fields: Sequence[Field]) -> str | None:
    """DuckDB's name of the type of a struct; None if that of a field is not known."""
    if not fields or any(field.type_name is None for field in fields):
        return None
    return f"STRUCT({', '.join(f'{_quoted(field.name)} {field.type_name}' for field in fields)})"


def list_type(element: Field) -> str | None:
    """DuckDB's name of the type of a list."""
    return None if element.type_name is None else f"{element.type_name}[]"


def map_type(key: Field, value: Field) -> str | None:
    """DuckDB's name of the type of a map."""
    return None if key.type_name is None or value.type_name is None else f"MAP({key.type_name}, {value.type_name})"


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A live file, as the log describes it.

    Attributes:
        rows: How many rows it holds, deleted ones included; None if the log does not say.
        partition: The values, as text, of columns that the file need not hold, by the column's name.
        has_deletes: Whether some of its rows may have been deleted.
        delete_files: The files that say which, if they are files of their own.
    """

    path: str
    rows: int | None
    partition: Mapping[str, str | None]
    has_deletes: bool = False
    delete_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """A column of a file, or a part of one, and what its schema says of it."""

    name: str
    field_id: int | None
    parts: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of a file says.

    Attributes:
        broken: Why the footer cannot be read; None if it can.
        is_missing: Whether there is no such file.
    """

    rows: int = 0
    columns: tuple[Element, ...] = ()
    broken: str | None = None
    is_missing: bool = False


def read_footers(connection: DuckDBPyConnection, paths: Sequence[str]) -> dict[str, Footer]:
    """The footers of files by path; one that cannot be read does not keep the others from being read."""
    try:
        return _read_footers(connection, paths)
    except duckdb.Error:
        return {path: _read_footer(connection, path) for path in paths}


def _read_footer(connection: DuckDBPyConnection, path: str) -> Footer:
    try:
        return _read_footers(connection, [path])[path]
    except duckdb.Error as error:
        return Footer(broken=str(error).splitlines()[0])


def _read_footers(connection: DuckDBPyConnection, paths: Sequence[str]) -> dict[str, Footer]:
    patterns = [literal_path(path) for path in paths]
    elements = connection.execute(
        "SELECT file_name, name, field_id, coalesce(num_children, 0) FROM parquet_schema(?)", [patterns]
    ).fetchall()
    rows = dict(connection.execute("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [patterns]).fetchall())
    return {
        path: Footer(rows.get(path, 0), _tree(iter([found[1:] for found in its_elements])).parts)
        for path, its_elements in groupby(elements, key=itemgetter(0))
    }


def _tree(elements: Iterator[tuple[str, int | None, int]]) -> Element:
    """The first element with its parts: Parquet lists a schema depth-first."""
    name, field_id, parts = next(elements)
    return Element(name, field_id, tuple(_tree(elements) for _ in range(parts)))


def show(
    connection: DuckDBPyConnection,
    files: Sequence[LakeFile],
    footers: Mapping[str, Footer],
    fields: Sequence[Field],
    deleted: DuckDBPyRelation | None,
) -> DuckDBPyRelation:
    """The rows of the files that were not deleted, as the fields say.

    Args:
        connection: An open session.
        files: At least one.
        footers: The footers of all of them, none broken.
        fields: The columns of the table.
        deleted: PATH and POSITION of every deleted row; None if no row of any file was deleted.

    Raises:
        SourceError: ``COLUMN_RENAMED`` or ``COLUMN_NAME`` if a file cannot be read as the table's schema says.
    """
    alike: defaultdict[tuple[Any, ...], list[LakeFile]] = defaultdict(list)
    for file in files:
        columns = footers[file.path].columns
        alone = file.path if _hides_places(columns) else None
        alike[columns, file.has_deletes, alone].append(file)
    parts = [
        _show_alike(connection, members, columns, fields, deleted if has_deletes else None)
        for (columns, has_deletes, _), members in alike.items()
    ]
    return reduce(duckdb.DuckDBPyRelation.union, parts)


def show_nothing(connection: DuckDBPyConnection, fields: Sequence[Field]) -> DuckDBPyRelation:
    """The columns of the table, without rows; a type that only files know is shown as text."""
    columns = (_constant(None, field.type_name or "VARCHAR").alias(field.name) for field in fields)
    return connection.values([0]).select(*columns).limit(0)


def _hides_places(columns: Sequence[Element]) -> bool:
    """Whether columns have the names by which DuckDB says which row of which file it reads."""
    return any(column.name.casefold() in {_FILE, _FILE_INDEX, _ROW} for column in columns)


def _show_alike(
    connection: DuckDBPyConnection,
    files: Sequence[LakeFile],
    columns: Sequence[Element],
    fields: Sequence[Field],
    deleted: DuckDBPyRelation | None,
) -> DuckDBPyRelation:
    """The rows of files with the same columns."""
    layout = Layout(columns, files)
    layout.require_ids(fields)
    rows = connection.read_parquet(
        [literal_path(file.path) for file in files], union_by_name=True, hive_partitioning=False
    )
    expressions = [layout.expression(field).alias(field.name) for field in fields]
    if deleted is None:
        return rows.select(*expressions)
    if any(column.name.casefold() == _ROW for column in columns):
        raise SourceError(
            "COLUMN_NAME",
            f"Rows were deleted from {files[0].path}, whose column {_ROW!r} hides their positions; "
            "rewrite the table without it.",
        )
    path = _constant(files[0].path, "VARCHAR") if len(files) == 1 else ColumnExpression(_FILE)
    places = (path.alias(PATH), ColumnExpression(_ROW).alias(POSITION))
    placed = rows.select(*expressions, *places)
    kept = placed.join(deleted, f'"{PATH}", "{POSITION}"', "anti")
    return kept.select(*(ColumnExpression(field.name) for field in fields))


def _constant(value: str | None, type_name: str) -> Expression:
    return ConstantExpression(value).cast(type_name)


class Layout:
    """Where files with the same columns keep the fields of a table.

    Args:
        columns: The columns of each of the files.
        files: The files, in the order in which DuckDB reads them.
    """

    def __init__(self, columns: Sequence[Element], files: Sequence[LakeFile]) -> None:
        self._columns = columns
        self._files = files
        self._has_ids = any(column.field_id is not None for column in columns)

    def require_ids(self, fields: Sequence[Field]) -> None:
        """Raise SourceError if the table finds its columns by ids, and the files have neither ids nor known names."""
        if self._columns and not self._has_ids and all(field.id is not None and not field.names for field in fields):
            raise SourceError(
                "FILE_BROKEN",
                f"Files of the table must hold the ids of their columns, but {self._files[0].path} does not, "
                "and the table has no name mapping; rewrite the file or set the name mapping.",
            )

    def expression(self, field: Field) -> Expression:
        """A column of the table."""
        element = self._find(field, self._columns)
        if element is None:
            return self._logged(field)
        return self._read(field, element, ColumnExpression(element.name))

    def _logged(self, field: Field) -> Expression:
        """A column that the files do not hold: of each file, what the log says of it."""
        type_name = field.type_name or "VARCHAR"
        values = [file.partition.get(field.name, field.default) for file in self._files]
        if len(set(values)) == 1:
            return _constant(values[0], type_name)
        number = ColumnExpression(_FILE_INDEX).cast("BIGINT") + ConstantExpression(1)
        return FunctionExpression("list_extract", ConstantExpression(values).cast(f"{type_name}[]"), number)

    def _find(self, field: Field, elements: Sequence[Element]) -> Element | None:
        if field.id is not None and self._has_ids:
            return next((element for element in elements if element.field_id == field.id), None)
        for name in field.names:
            found = [element for element in elements if element.name.casefold() == name.casefold()]
            if found:
                return next((element for element in found if element.name == name), found[0])
        return None

    def _read(self, field: Field, element: Element, value: Expression) -> Expression:
        if field.parts and not self._is_as_is(field, element):
            value = self._rebuilt(field, element, value)
        return value if field.type_name is None else value.cast(field.type_name)

    def _is_as_is(self, field: Field, element: Element) -> bool:
        """Whether every name in the element is that of the part of the field which it holds."""
        names = dict(_names(field, self._has_ids))
        return all(
            names.get(key, part.name) == part.name and (key in names or part.name not in names.values())
            for part in _parts(element)
            if (key := part.field_id if self._uses_ids(field) else part.name) is not None
        )

    def _uses_ids(self, field: Field) -> bool:
        return field.id is not None and self._has_ids

    def _rebuilt(self, field: Field, element: Element, value: Expression) -> Expression:
        """A struct whose fields have other names in the file."""
        if not field.is_struct:
            raise SourceError(
                "COLUMN_RENAMED",
                f"A part of {field.name!r} has another name in {self._files[0].path} than in the table, which can be "
                "read in a struct, but not in a list or a map; rewrite the file.",
            )
        parts = []
        for part in field.parts:
            found = self._find(part, element.parts)
            extracted = (
                _constant(part.default, part.type_name or "VARCHAR")
                if found is None
                else self._read(
                    part, found, FunctionExpression("struct_extract", value, ConstantExpression(found.name))
                )
            )
            parts.append(extracted.alias(part.name))
        struct = FunctionExpression("struct_pack", *parts)
        return CaseExpression(value.isnull(), ConstantExpression(None)).otherwise(struct)


def _names(field: Field, has_ids: bool) -> Iterator[tuple[Key, str]]:
    """What identifies every part of a field in a file, and its name in the table."""
    for part in field.parts:
        keys: tuple[Key, ...] = (part.id,) if part.id is not None and has_ids else part.names
        yield from ((key, part.name) for key in keys)
        yield from _names(part, has_ids)


def _parts(element: Element) -> Iterator[Element]:
    for part in element.parts:
        yield part
        yield from _parts(part)


def read_positions(
    connection: DuckDBPyConnection, files: Sequence[str], located: Mapping[str, str]
) -> DuckDBPyRelation:
    """The PATH and the POSITION of every deleted row that is listed in files of positions, as Iceberg writes them.

    Args:
        connection: An open session.
        files: The files of positions.
        located: The paths of the files that rows were deleted from, by their names in the files of positions.
    """
    listed = connection.read_parquet([literal_path(path) for path in files], hive_partitioning=False).select(
        ColumnExpression("file_path"), ColumnExpression("pos").alias(POSITION)
    )
    paths = connection.from_df(pd.DataFrame({"file_path": list(located), PATH: list(located.values())}))
    return listed.join(paths, "file_path").select(ColumnExpression(PATH), ColumnExpression(POSITION))
