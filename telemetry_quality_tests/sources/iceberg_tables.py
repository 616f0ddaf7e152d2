"""Iceberg tables, and the deletes that the package pyiceberg reads but does not write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.typedef import Record
from pyroaring import BitMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table


def new_table(folder: Path, *parts: Sequence[Mapping[str, Any]], catalog: Catalog | None = None) -> Table:
    """The table ``lake.events`` in a folder, with a file for each part."""
    catalog = catalog or InMemoryCatalog("tests", warehouse=str(folder))
    catalog.create_namespace("lake")
    rows = [pa.Table.from_pylist(list(part)) for part in parts]
    table = catalog.create_table("lake.events", rows[0].schema)
    for part in rows:
        table.append(part)
    return table


def path_of(table: Table) -> Path:
    """The folder of a table."""
    return Path(table.location().removeprefix("file://"))


def live_file(table: Table, position: int) -> str:
    """The location of a live file, in the order in which they were appended."""
    files = {task.file.file_path for task in table.scan().plan_files()}
    return sorted(files, key=lambda location: Path(location.removeprefix("file://")).stat().st_mtime_ns)[position]


def delete_positions(table: Table, rows: Mapping[str, Sequence[int]]) -> None:
    """Commit a file of positions, by the locations of the files that rows are deleted from."""
    path = path_of(table) / "data" / "deletes.parquet"
    listed = ", ".join(f"('{location}', {row})" for location, deleted in rows.items() for row in deleted)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM (VALUES {listed}) AS t(file_path, pos)) TO '{path}'")
    _commit(table, DataFileContent.POSITION_DELETES, str(path), FileFormat.PARQUET)


def delete_vectors(table: Table, rows: Mapping[str, Sequence[int]]) -> None:
    """Commit deletion vectors, as the third version of the format lays them out."""
    path = path_of(table) / "data" / "deletes.puffin"
    content, blobs = b"PFA1", []
    for location, deleted in rows.items():
        vector = b"\xd1\xd3\x39\x64" + (1).to_bytes(8, "little") + bytes(4) + BitMap(deleted).serialize()
        blob = len(vector).to_bytes(4, "big") + vector + bytes(4)
        about = {"type": "deletion-vector-v1", "fields": [], "snapshot-id": -1, "sequence-number": -1}
        place = {"offset": len(content), "length": len(blob)}
        known = {"referenced-data-file": location, "cardinality": str(len(deleted))}
        blobs.append({**about, **place, "properties": known})
        content += blob
    footer = json.dumps({"blobs": blobs}).encode()
    path.write_bytes(content + b"PFA1" + footer + len(footer).to_bytes(4, "little") + bytes(4) + b"PFA1")
    _commit(table, DataFileContent.POSITION_DELETES, str(path), FileFormat.PUFFIN)


def delete_values(table: Table) -> None:
    """Commit deletes by the values of a column."""
    _commit(table, DataFileContent.EQUALITY_DELETES, f"{path_of(table)}/data/values.parquet", FileFormat.PARQUET)


class _DeletesWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def _commit(table: Table, content: DataFileContent, path: str, kind: FileFormat) -> None:
    """A metadata file of the next version, whose snapshot has one file more."""
    snapshot = table.current_snapshot()
    assert snapshot is not None
    number, sequence = snapshot.snapshot_id + 1, (snapshot.sequence_number or 0) + 1
    folder = f"{table.location()}/metadata"
    file = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=kind,
        partition=Record(),
        record_count=1,
        file_size_in_bytes=1,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={},
        upper_bounds={},
        equality_ids=[1] if content is DataFileContent.EQUALITY_DELETES else None,
    )
    file.spec_id = table.spec().spec_id
    output = table.io.new_output(f"{folder}/{number}-deletes.avro")
    with _DeletesWriter(table.spec(), table.schema(), output, number, "null") as writer:
        writer.add_entry(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=number, data_file=file))
    listed = f"{folder}/{number}-list.avro"
    with write_manifest_list(2, table.io.new_output(listed), number, number - 1, sequence, "null") as manifests:
        manifests.add_manifests([writer.to_manifest_file(), *snapshot.manifests(table.io)])
    about = json.loads(table.metadata.model_dump_json())
    added = {**about["snapshots"][-1], "snapshot-id": number, "sequence-number": sequence, "manifest-list": listed}
    changed = {
        "snapshots": [*about["snapshots"], added],
        "current-snapshot-id": number,
        "last-sequence-number": sequence,
    }
    changed["refs"] = {"main": {"snapshot-id": number, "type": "branch"}}
    last = max(int(each.name[:5]) for each in (path_of(table) / "metadata").glob("*.metadata.json"))
    target = path_of(table) / "metadata" / f"{last + 1:05}-by-hand.metadata.json"
    target.write_text(json.dumps({**about, **changed}))
