"""Events in files of JSON: an object per line, an array of objects per file, or OTLP/JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import field_validator

from telemetry_quality.connectors import Connector, Name, Opening, PathSettings, protocol_of

if TYPE_CHECKING:
    from telemetry_quality.sources.text_files import TextSource


class JsonSettings(PathSettings):
    """A file, a folder or a glob pattern on this machine, and whether an object is an event or OTLP."""

    path: Name
    format: Literal["objects", "otlp"] = "objects"

    @field_validator("path")
    @classmethod
    def _is_on_this_machine(cls, value: str) -> str:
        if protocol_of(value):
            raise ValueError("connector 'json' requires path to be on this machine")
        return value


def _open(settings: JsonSettings, opening: Opening) -> TextSource:
    from telemetry_quality.sources.otlp import OtlpLogs  # noqa: PLC0415 - likewise
    from telemetry_quality.sources.text_files import TextSource  # noqa: PLC0415 - loads DuckDB
    from telemetry_quality.sources.text_formats import JsonLines  # noqa: PLC0415 - likewise

    return TextSource(
        settings.path,
        OtlpLogs() if settings.format == "otlp" else JsonLines(),
        opening.schema,
        opening.zone,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(JsonSettings, "duckdb", _open, kind="json", has_signal_files=True)
