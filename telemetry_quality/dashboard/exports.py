"""Exports: every column of the snapshots that match the log's filters, as CSV or Parquet, by day and source.

They are read in chunks, each starting after the last row of the previous one, so that neither RAM nor the number
of queries per chunk grows with the store.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import BigInteger, Boolean, Date, Float, Integer
from starlette.responses import Response, StreamingResponse

from telemetry_quality.dashboard.api import require_sources
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.parameters import (
    INSIDE,
    ONE_EACH_BUT_FILTERS,
    STAFF,
    TO_SIGN_IN,
    ExportParameters,
    answers,
    refused_beside,
)
from telemetry_quality.frames.snapshots import COLUMNS, frame_of
from telemetry_quality.frames.tables import csv_lines, parquet_writer, write_frame
from telemetry_quality.storage.column_types import UtcDateTime
from telemetry_quality.storage.tables import integrity_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from pandas import DataFrame
    from sqlalchemy.types import TypeEngine

    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.storage.reader import StoreReader

    Chunk = list[TelemetryIntegritySnapshot]

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

CHUNK_ROWS = 2_000
"""The number of rows in RAM at a time."""

ROW_GROUP_ROWS = 20_000
"""The number of rows that a reader of the Parquet file must load at a time."""

_values = attrgetter(*COLUMNS)

_SENT_BYTES = 1 << 16

router = APIRouter(
    tags=["exports"], dependencies=[*STAFF, ONE_EACH_BUT_FILTERS], responses=refused_beside(*INSIDE, 404) | TO_SIGN_IN
)


BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {PARQUET: {"schema": {"type": "string", "format": "binary"}}}}
}
"""How the OpenAPI document describes a Parquet file."""


class CsvResponse(StreamingResponse):
    """A table as text."""

    media_type = CSV


class ParquetResponse(StreamingResponse):
    """A table as a Parquet file."""

    media_type = PARQUET


@answers(router, "/health/snapshots.csv", response_class=CsvResponse)
def as_csv(request: Request, asked: Annotated[ExportParameters, Query()]) -> Response:
    """All columns of the snapshots that match the filters, as CSV (RFC 4180, UTF-8).

    Text that a spreadsheet would take for a formula is prefixed with an apostrophe.
    """
    chunks, headers = _asked_for(request, asked), saved_as("snapshots.csv")
    if request.method == "HEAD":
        return Response(headers=headers, media_type=CSV)
    return CsvResponse(csv_of(chunks), headers=headers)


@answers(router, "/health/snapshots.parquet", response_class=ParquetResponse, responses=BINARY)
def as_parquet(request: Request, asked: Annotated[ExportParameters, Query()]) -> Response:
    """All columns of the snapshots that match the filters, as Parquet with dates, UTC timestamps and doubles."""
    chunks, headers = _asked_for(request, asked), saved_as("snapshots.parquet")
    if request.method == "HEAD":
        return Response(headers=headers, media_type=PARQUET)
    return parquet_response(*parquet_of(chunks), headers)


def parquet_response(file: BinaryIO, length: int, headers: Mapping[str, str]) -> Response:
    """The response that sends a file and closes it."""
    return ParquetResponse(_pieces(file), headers={**headers, "Content-Length": str(length)})


def saved_as(name: str) -> dict[str, str]:
    """The header that makes a browser save the response as a file."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _asked_for(request: Request, asked: ExportParameters) -> Iterator[Chunk]:
    dashboard = dashboard_of(request)
    require_sources(dashboard, dashboard.keeper.state(), asked.source)
    return chunks_of(dashboard.reader, asked)


def chunks_of(reader: StoreReader, asked: ExportParameters) -> Iterator[Chunk]:
    """The current snapshots, ordered by day and source, in chunks of CHUNK_ROWS with one query each.

    The first chunk is read immediately, so that an unreadable store is reported before the response begins.
    """
    first = _chunk(reader, asked, None)
    return _and_the_rest(reader, asked, first)


def _and_the_rest(reader: StoreReader, asked: ExportParameters, chunk: Chunk) -> Iterator[Chunk]:
    while chunk:
        yield chunk
        if len(chunk) < CHUNK_ROWS:
            return
        chunk = _chunk(reader, asked, (chunk[-1].day, chunk[-1].source))


def _chunk(reader: StoreReader, asked: ExportParameters, after: tuple[Any, ...] | None) -> Chunk:
    return reader.snapshots(
        sources=tuple(asked.source),
        statuses=tuple(asked.status),
        first=asked.first,
        last=asked.last,
        after=after,
        limit=CHUNK_ROWS,
        as_of=asked.as_of,
    )


def csv_of(chunks: Iterator[Chunk]) -> Iterator[bytes]:
    """The chunks as CSV; a value that is not known is an empty cell."""
    yield csv_lines([COLUMNS])
    for chunk in chunks:
        yield csv_lines(map(_values, chunk))


def parquet_of(chunks: Iterator[Chunk]) -> tuple[BinaryIO, int]:
    """The chunks as a Parquet file; see ``parquet_file``."""
    return parquet_file(map(frame_of, chunks), frame_of([]), {name: _kind(name) for name in COLUMNS})


def parquet_file(frames: Iterable[DataFrame], empty: DataFrame, types: Mapping[str, str]) -> tuple[BinaryIO, int]:
    """A Parquet file, already unlinked but open for reading, and its length in bytes.

    Args:
        frames: The rows, some at a time.
        empty: A frame without rows, for the case that there are no frames.
        types: The DuckDB type of each column.
    """
    with TemporaryDirectory(prefix="telemetry-quality-") as made:
        folder, parts = Path(made), []
        # A file per frame, which are merged: DuckDB holds one row group in RAM, never the whole table.
        with parquet_writer(folder) as connection:
            for number, frame in enumerate(frames):
                parts.append(str(folder / f"{number}.parquet"))
                write_frame(connection, frame, types, Path(parts[-1]))
            if not parts:
                parts.append(str(folder / "empty.parquet"))
                write_frame(connection, empty, types, Path(parts[-1]))
            file = folder / "merged.parquet"
            connection.read_parquet(parts).to_parquet(str(file), row_group_size=ROW_GROUP_ROWS)
        return file.open("rb"), file.stat().st_size


_KINDS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (UtcDateTime, "TIMESTAMP WITH TIME ZONE"),
    (Date, "DATE"),
    (Boolean, "BOOLEAN"),
    (BigInteger, "BIGINT"),
    (Integer, "INTEGER"),
    (Float, "DOUBLE"),
)
"""The DuckDB type for each column type of the store; all other columns are text."""


def _kind(name: str) -> str:
    stored = integrity_snapshot.columns[name].type
    return next((duckdb for kind, duckdb in _KINDS if isinstance(stored, kind)), "VARCHAR")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_SENT_BYTES):
            yield piece
