"""Events in files of comma-separated values with a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator

from telemetry_quality.connectors import Connector, Name, Opening, PathSettings, protocol_of

if TYPE_CHECKING:
    from telemetry_quality.sources.text_files import TextSource


class CsvSettings(PathSettings):
    """A file, a folder or a glob pattern on this machine, and what separates values."""

    path: Name
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None

    @field_validator("path")
    @classmethod
    def _is_on_this_machine(cls, value: str) -> str:
        if protocol_of(value):
            raise ValueError("connector 'csv' requires path to be on this machine")
        return value


def _open(settings: CsvSettings, opening: Opening) -> TextSource:
    from telemetry_quality.sources.text_files import TextSource  # noqa: PLC0415 - loads DuckDB
    from telemetry_quality.sources.text_formats import Csv  # noqa: PLC0415 - likewise

    return TextSource(
        settings.path,
        Csv(settings.delimiter),
        opening.schema,
        opening.zone,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(CsvSettings, "duckdb", _open, kind="csv", has_signal_files=True)
