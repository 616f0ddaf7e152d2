"""What a connector declares, and which connectors there are.

A connector is one file: a settings model with its own keys of ``[sources.NAME]``, the name of its engine, and how
it is opened. Other packages bring theirs by an entry point in the group ``telemetry_quality.connectors``; see
docs/add-a-connector.md. A declaration must be cheap to import: drivers and engines are imported in ``open``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from telemetry_quality.extensions import find_extensions, load_extensions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.ports import EventSource
    from telemetry_quality.core.signals import SignalCatalogue

BUILT_IN = ("parquet", "duckdb", "database", "spark")
"""The connectors that ``sources/connectors/`` declares, each in the module of its name."""

OBJECT_STORES = ("s3", "gs", "abfss")


def _split(value: Any) -> Any:
    """A list from the environment: ``a, b``."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_split)]


class SettingsTable(BaseModel):
    """A table of ``telemetry.toml``: frozen, without unknown keys, and ``true`` does not pass for the number 1."""

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
    """The keys that a connector adds to ``[sources.NAME]``; ``Field(repr=False)`` keeps one out of messages."""

    @property
    def location(self) -> str:
        """What the events' asset in Dagster shows as their place; no credentials."""
        return ""

    def anchored(self, folder: Path) -> Self:
        """The same settings with relative files under ``folder``, that of the settings file."""
        del folder
        return self


S = TypeVar("S", bound=ConnectorSettings)


@dataclass(frozen=True, slots=True)
class Opening:
    """What every connector is opened with, beside its own settings.

    Attributes:
        schema: Which column plays which role.
        zone: The zone of the source's days.
        catalogue: The known signals, None where they are learnt.
        time_limit_seconds: What one query may take.
        salt: Mixed into the sample's hash; the name of the source.
    """

    schema: EventSchema
    zone: ZoneInfo
    catalogue: SignalCatalogue | None
    time_limit_seconds: float
    salt: str


@dataclass(frozen=True, slots=True)
class Connector(Generic[S]):
    """A kind of place where events live.

    Attributes:
        settings: The model of its own keys.
        engine: What answers questions about the events, as Dagster names it; a function where settings decide.
        open: Makes the source, an ``SqlSource``; nothing is read yet. It may raise SourceError.
        kind: How Dagster names what the events are kept in, where that is not the engine.
        has_signal_files: Whether ``signals.table`` names a file, which is found like the events' own.
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
    """All connectors there are, those of other packages last.

    Raises:
        SettingsError: If two have one name.
    """
    return (*BUILT_IN, *find_extensions("connector", BUILT_IN))


def connector(name: str) -> Connector[Any]:
    """The connector of a name that ``connector_names`` gives; only this one is imported.

    Raises:
        SettingsError: If it fails to load.
    """
    if name in BUILT_IN:
        return _built_in(name)
    return find_extensions("connector", BUILT_IN)[name].load(Connector)


def connectors() -> dict[str, Connector[Any]]:
    """Every connector by its name.

    Raises:
        SettingsError: If one fails to load, or two have one name.
    """
    built_in = {name: _built_in(name) for name in BUILT_IN}
    return built_in | load_extensions("connector", Connector, BUILT_IN)


@cache
def _built_in(name: str) -> Connector[Any]:
    # By name, as an entry point is: sources stand above this module, and only the one in use is imported.
    declared: Connector[Any] = import_module(f"telemetry_quality.sources.connectors.{name}").CONNECTOR
    return declared


def protocol_of(location: str) -> str:
    """``s3`` of ``s3://bucket/events``; empty for a file of this machine."""
    protocol, separator, _ = location.partition("://")
    return protocol if separator else ""


def without_credentials(location: str, protocols: Collection[str] | None = None) -> str:
    """``location``, a file, a pattern, or the URL of some in an object store, which must not hold credentials.

    Args:
        location: The setting.
        protocols: What a URL may begin with, None for anything.

    Raises:
        ValueError: If it is a URL of another kind, or holds credentials.
    """
    protocol, separator, rest = location.partition("://")
    if not separator:
        return location
    if protocols is not None and protocol not in protocols:
        allowed = ", ".join(f"{name}://" for name in protocols)
        raise ValueError(f"must be a file, a folder, a pattern or a URL that begins with {allowed}")
    # In Azure's URLs the container stands where others have a user.
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
"""A file, a folder, a pattern, or the URL of some in an object store."""

Secret = Annotated[Name, Field(repr=False)]
"""What no message and no debugger's view repeats, such as a URL that may hold a password."""


def anchored_path(path: str, folder: Path) -> str:
    """``path``, under ``folder`` where it is relative; URLs stay as they are."""
    return path if protocol_of(path) else str(folder / path)


def anchored_url(url: str, folder: Path) -> str:
    """The URL of a database, a relative SQLite file under ``folder``."""
    file = url.removeprefix("sqlite:///")
    return url if file == url or file.startswith("/") else f"sqlite:///{folder / file}"


def engine_of_url(url: str) -> str:
    """``postgresql`` of ``postgresql+psycopg://…``; whatever is no URL is refused where it is opened."""
    return urlsplit(url).scheme.partition("+")[0] or "database"
