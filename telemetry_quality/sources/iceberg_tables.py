"""Iceberg tables: opens one with the package pyiceberg, says in a sentence why that fails, and names its types."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from pyiceberg import types
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchIdentifierError, NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import StaticTable

from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.lake_files import Field, list_type, map_type, struct_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.table import Table

_TYPES: dict[type[types.IcebergType], str] = {
    types.BooleanType: "BOOLEAN",
    types.IntegerType: "INTEGER",
    types.LongType: "BIGINT",
    types.FloatType: "FLOAT",
    types.DoubleType: "DOUBLE",
    types.DateType: "DATE",
    types.TimeType: "TIME",
    types.TimestampType: "TIMESTAMP",
    types.TimestamptzType: "TIMESTAMPTZ",
    types.TimestampNanoType: "TIMESTAMP_NS",
    types.TimestamptzNanoType: "TIMESTAMPTZ_NS",
    types.StringType: "VARCHAR",
    types.UUIDType: "UUID",
    types.BinaryType: "BLOB",
    types.FixedType: "BLOB",
}
_VERSION = re.compile(r"v?(\d+)(?:-[^/]*)?(?:\.gz)?\.metadata\.json(?:\.gz)?")
_NAME_MAPPING = "schema.name-mapping.default"
_AWAY = ("ConnectionError", "OperationalError", "Timeout", "ServerError", "ServiceUnavailableError", "InterfaceError")
"""Names of errors, or of their base classes, of a catalog that may answer in a moment."""


@dataclass(frozen=True, slots=True)
class TableAddress:
    """Where a table is: a metadata file or its table's folder, or a name in a catalog.

    Attributes:
        properties: What pyiceberg needs to know of the catalog and its store, beyond what it finds by itself.
    """

    path: str | None = None
    catalog: str | None = None
    table: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.path or f"{self.catalog}.{self.table}"

    def load(self) -> Table:
        """The table as it is now.

        Raises:
            SourceError: If there is none, or its metadata cannot be read.
        """
        with table_errors(str(self)):
            if self.path is not None:
                return StaticTable.from_metadata(_metadata_file(self.path), dict(self.properties))
            # A catalog in a database would otherwise make its tables, where there are none.
            catalog = load_catalog(self.catalog, **{"init_catalog_tables": "false", **self.properties})
            return catalog.load_table(self.table or "")


def _metadata_file(path: str) -> str:
    """The latest metadata file of the table in a local folder; any other path as it is."""
    folder = os.path.join(path, "metadata")  # noqa: PTH118
    if "://" in path or path.endswith((".json", ".json.gz")):
        return path
    if not os.path.isdir(folder):  # noqa: PTH112
        raise SourceError(
            "TABLE_MISSING",
            f"An Iceberg table is required, but {path} has no folder metadata or cannot be entered; check the path.",
        )
    versions: dict[int, list[str]] = {}
    for name in os.listdir(folder):  # noqa: PTH208
        if found := _VERSION.fullmatch(name):
            versions.setdefault(int(found[1]), []).append(name)
    if not versions:
        raise SourceError(
            "TABLE_MISSING", f"An Iceberg table is required, but {folder} holds no *.metadata.json; check the path."
        )
    latest = sorted(versions[max(versions)])
    if len(latest) > 1:
        raise SourceError(
            "SOURCE_UNREADABLE",
            f"One metadata file must be the latest in {folder}, but {latest[0]} and {latest[1]} have the same version; "
            "read the table through its catalog, or set path to the file that is in force.",
        )
    return f"{folder}/{latest[0]}"


@contextmanager
def table_errors(what: str) -> Iterator[None]:
    """The package's errors as sentences, without its own words, which may quote credentials or values of events."""
    try:
        yield
    except SourceError:
        raise
    except (NoSuchTableError, NoSuchNamespaceError, NoSuchIdentifierError):
        raise SourceError(
            "TABLE_MISSING", f"The catalog must know the table {what}, but does not; check catalog and table."
        ) from None
    except FileNotFoundError as error:
        missing = os.path.basename(error.filename or re.split(r"\s", str(error))[-1])  # noqa: PTH119
        raise SourceError(
            "SOURCE_UNREADABLE",
            f"The metadata of {what} cannot be read (a file is missing: {missing}); restore it.",
        ) from None
    except Exception as error:  # noqa: BLE001 - what the many packages of catalogs and stores raise
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & set(_AWAY):
            raise SourceUnavailableError(
                "CATALOG_UNAVAILABLE",
                f"The catalog of {what} must answer, but did not ({type(error).__name__}); check its address.",
            ) from None
        raise SourceError(
            "SOURCE_UNREADABLE",
            f"The metadata of {what} cannot be read ({type(error).__name__}); restore the table's metadata.",
        ) from None


def fields_of(table: Table) -> tuple[Field, ...]:
    """The columns of a table as it is now."""
    names = dict(_mapped_names(json.loads(table.properties.get(_NAME_MAPPING, "[]"))))
    return tuple(_field(column, names) for column in table.schema().fields)


def _mapped_names(mapping: list[dict[str, Any]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The names by which columns are found in files without ids."""
    for entry in mapping:
        if "field-id" in entry:
            yield entry["field-id"], tuple(entry["names"])
        yield from _mapped_names(entry.get("fields", []))


def _field(declared: types.NestedField, names: Mapping[int, tuple[str, ...]]) -> Field:
    type_name, parts = _type(declared.field_type, names)
    default = None if declared.initial_default is None else as_text(declared.field_type, declared.initial_default)
    return Field(
        declared.name,
        type_name,
        names.get(declared.field_id, ()),
        declared.field_id,
        parts,
        is_struct=isinstance(declared.field_type, types.StructType),
        default=default,
    )


def _type(declared: types.IcebergType, names: Mapping[int, tuple[str, ...]]) -> tuple[str | None, tuple[Field, ...]]:
    """DuckDB's name of a type, None if there is none, and its parts."""
    match declared:
        case types.StructType():
            fields = tuple(_field(part, names) for part in declared.fields)
            return struct_type(fields), fields
        case types.ListType():
            element = _field(declared.element_field, names)
            return list_type(element), (element,)
        case types.MapType():
            key, value = _field(declared.key_field, names), _field(declared.value_field, names)
            return map_type(key, value), (key, value)
        case types.DecimalType():
            return f"DECIMAL({declared.precision}, {declared.scale})", ()
        case _:
            return _TYPES.get(type(declared)), ()


def as_text(type_: types.IcebergType, value: Any) -> str:
    """A value of a partition or a default as text that DuckDB casts to the type."""
    match type_, value:
        case _, bytes():
            return "".join(f"\\x{byte:02X}" for byte in value)
        case types.DateType(), int():
            return str(date(1970, 1, 1) + timedelta(days=value))
        case types.TimestampType() | types.TimestamptzType(), int():
            return str(datetime(1970, 1, 1) + timedelta(microseconds=value))  # noqa: DTZ001 - DuckDB adds the zone
        case types.TimeType(), int():
            return str((datetime.combine(date(1970, 1, 1), time()) + timedelta(microseconds=value)).time())
        case _:
            return str(value)
