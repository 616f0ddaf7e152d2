"""Events in a Delta table, on disk or in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from telemetry_quality.connectors import Connector, Opening, PathSettings
from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from telemetry_quality.sources.delta import DeltaSource


class DeltaSettings(PathSettings):
    """The folder of a table, and options of the object store that holds it."""

    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)


def _open(settings: DeltaSettings, opening: Opening) -> DeltaSource:
    try:
        from telemetry_quality.sources.delta import DeltaSource  # noqa: PLC0415 - loads DuckDB and an extra
    except ImportError as error:
        raise SourceError(
            "PACKAGE_MISSING",
            f"connector 'delta' requires a package that is not installed ({error.name}); "
            "run pip install 'telemetry-quality[delta]'.",
        ) from None
    return DeltaSource(
        settings.path,
        opening.schema,
        storage_options=settings.storage_options,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(DeltaSettings, "duckdb", _open, kind="delta", has_signal_files=True)
