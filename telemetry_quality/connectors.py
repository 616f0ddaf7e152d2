"""What a connector declares, and which connectors exist.

A connector is one file: a settings model with its own keys of ``[sources.NAME]``, the name of its engine, and a
function that opens it. Other packages provide connectors by an entry point in the group
``telemetry_quality.connectors``; see docs/how-to/add-a-connector.md. A declaration must be cheap to import: drivers and
engines are imported in ``open``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from telemetry_quality.datasets import Dataset, files_at
from telemetry_quality.extensions import find_extensions, load_extensions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.ports import EventSource
    from telemetry_quality.core.signals import SignalCatalogue

BUILT_IN = ("parquet", "delta", "iceberg", "json", "csv", "duckdb", "database", "clickhouse", "spark")
"""The connectors declared in ``sources/connectors/``, each in the module of its name."""

OBJECT_STORES = ("s3", "gs", "abfss")


def split(value: Any) -> Any:
    """Split a list from the environment, such as ``a, b``."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(split)]


class SettingsTable(BaseModel):
    """A table of ``telemetry.toml``: frozen, without unknown keys; ``true`` is not accepted as the number 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_no_switches(cls, values: Any) -> Any:
        for name, value in values.items() if isinstance(values, dict) else ():
            known = cls.model_fields.get(name)
            if isinstance(value, bool) and (known is None or known.annotation is not bool):
                raise ValueError(f"{name} must not be {str(value).lower()}")
        return values


class ConnectorSettings(SettingsTable):
    """The keys that a connector adds to ``[sources.NAME]``; ``Field(repr=False)`` keeps a value out of messages."""

    @property
    def location(self) -> str:
        """The location of the events, as shown in Dagster; without credentials."""
        return ""

    @property
    def dataset(self) -> Dataset | None:
        """The location by the naming rules of OpenLineage; None if they say nothing about it."""
        return None

    def anchored(self, folder: Path) -> Self:
        """The settings with relative files resolved against ``folder``, that of the settings file."""
        del folder
        return self


S = TypeVar("S", bound=ConnectorSettings)


@dataclass(frozen=True, slots=True)
class Opening:
    """What every connector gets to open a source, in addition to its own settings.

    Attributes:
        schema: The column of each event role.
        zone: The time zone of the source's days.
        catalogue: The known signals; None if they are learnt.
        time_limit_seconds: The longest time that a query may take.
        memory_limit_bytes: How much memory a scan may take.
        salt: The name of the source, mixed into the sample's hash.
    """

    schema: EventSchema
    zone: ZoneInfo
    catalogue: SignalCatalogue | None
    time_limit_seconds: float
    memory_limit_bytes: int
    salt: str


@dataclass(frozen=True, slots=True)
class Connector(Generic[S]):
    """A connector to one kind of source.

    Attributes:
        settings: The model of the connector's own keys.
        engine: What runs the queries, by its name in Dagster; a function if it depends on the settings.
        open: Makes the source, an ``SqlSource``, without reading anything yet. It may raise SourceError.
        kind: Dagster's name of what the events are stored in, if it differs from the engine.
        has_signal_files: Whether ``signals.table`` names a file, which is located like the events' files.
    """

    settings: type[S]
    engine: str | Callable[[S], str]
    open: Callable[[S, Opening], EventSource]
    kind: str | None = None
    has_signal_files: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not (isinstance(self.settings, type) and issubclass(self.settings, ConnectorSettings)):
            raise TypeError("settings of a connector must be a subclass of ConnectorSettings")

    def engine_of(self, settings: S) -> str:
        """The engine of a source with these settings."""
        return self.engine if isinstance(self.engine, str) else self.engine(settings)


def connector_names() -> tuple[str, ...]:
    """The names of all connectors, those of other packages last.

    Raises:
        SettingsError: If two connectors have the same name.
    """
    return (*BUILT_IN, *find_extensions("connector", BUILT_IN))


def connector(name: str) -> Connector[Any]:
    """The connector called ``name``, one of ``connector_names``; only this connector is imported.

    Raises:
        SettingsError: If it fails to load.
    """
    if name in BUILT_IN:
        return _built_in(name)
    return find_extensions("connector", BUILT_IN)[name].load(Connector)


def connectors() -> dict[str, Connector[Any]]:
    """All connectors by name.

    Raises:
        SettingsError: If a connector fails to load, or two have the same name.
    """
    built_in = {name: _built_in(name) for name in BUILT_IN}
    return built_in | load_extensions("connector", Connector, BUILT_IN)


@cache
def _built_in(name: str) -> Connector[Any]:
    # By name, like an entry point: sources are layered above this module, and only the one in use is imported.
    declared: Connector[Any] = import_module(f"telemetry_quality.sources.connectors.{name}").CONNECTOR
    return declared


def protocol_of(location: str) -> str:
    """``s3`` for ``s3://bucket/events``; empty for a local file."""
    protocol, separator, _ = location.partition("://")
    return protocol if separator else ""


def without_credentials(location: str, protocols: Collection[str] | None = None) -> str:
    """``location``, a file, a pattern or an object store's URL, checked to contain no credentials.

    Args:
        location: The value of the setting.
        protocols: The protocols allowed in a URL; None for any.

    Raises:
        ValueError: If it is a URL with another protocol or contains credentials.
    """
    protocol, separator, rest = location.partition("://")
    if not separator:
        return location
    if protocols is not None and protocol not in protocols:
        allowed = ", ".join(f"{name}://" for name in protocols)
        raise ValueError(f"must be a file, a folder, a pattern or a URL that begins with {allowed}")
    # Azure's URLs have the container where others have a user.
    user = rest.partition("/")[0].rpartition("@")[0]
    has_user = ":" in user if protocol == "abfss" else bool(user)
    if has_user or re.search(r"[?&][^/]*=", rest):
        raise ValueError(
            "must not hold credentials or other parameters; the store's own package finds credentials in the "
            "environment, its configuration or an instance's role"
        )
    return location


def _in_a_known_store(location: str) -> str:
    return without_credentials(location, OBJECT_STORES)


FileOrObject = Annotated[Name, AfterValidator(_in_a_known_store)]
"""A file, a folder, a pattern or an object store's URL."""

Secret = Annotated[Name, Field(repr=False)]
"""A value that must not appear in messages or representations, such as a URL that may contain a password."""


def anchored_path(path: str, folder: Path) -> str:
    """``path``, resolved against ``folder`` if it is relative; URLs stay unchanged."""
    return path if protocol_of(path) else str(folder / path)


class PathSettings(ConnectorSettings):
    """The key of a connector that reads files: where they are."""

    path: FileOrObject

    @property
    def location(self) -> str:
        """The path."""
        return self.path

    @property
    def dataset(self) -> Dataset:
        """The files at the path."""
        return files_at(self.path)

    def anchored(self, folder: Path) -> Self:
        """A relative path is resolved against the settings file's folder."""
        return self.model_copy(update={"path": anchored_path(self.path, folder)})


def anchored_url(url: str, folder: Path) -> str:
    """The URL of a database, with a relative SQLite file resolved against ``folder``."""
    file = url.removeprefix("sqlite:///")
    return url if file == url or file.startswith("/") else f"sqlite:///{folder / file}"


def engine_of_url(url: str) -> str:
    """``postgresql`` for ``postgresql+psycopg://…``; invalid URLs are refused when they are opened."""
    return urlsplit(url).scheme.partition("+")[0] or "database"
