"""Settings: ``telemetry.toml`` and ``TELEMETRY_QUALITY_…`` become one frozen value, or one clear sentence.

Nothing outside this module reads the environment, and nothing is read when it is imported. An environment
variable wins over the file: ``TELEMETRY_QUALITY_STORE`` for ``store``, and with double underscores for deeper
keys, ``TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__ERROR_RATE_PERCENT``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.events import DEFAULT_MISSING_VERSIONS, EVENT_NAME, HOUR, SERVICE_VERSION, EventSchema
from telemetry_quality.core.guardrails.catalogue import policy_of, settings_of
from telemetry_quality.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telemetry_quality.core.policies import Policy, Setting

DEFAULT_FILE = "telemetry.toml"
ENVIRONMENT_PREFIX = "TELEMETRY_QUALITY_"
CONFIG_VARIABLE = "TELEMETRY_QUALITY_CONFIG"
OBJECT_STORES = ("s3", "gs", "abfss")

PRESETS: dict[str, dict[str, Any]] = {
    # OpenTelemetry log data model: EventName, Timestamp, ObservedTimestamp, SeverityNumber (17 and up are errors)
    # and the resource attribute service.version. The model has no id; log.record.uid is its conventional attribute.
    "opentelemetry": {
        "event_id": "log.record.uid",
        "occurred_at": "Timestamp",
        "observed_at": "ObservedTimestamp",
        "event_name": "EventName",
        "service_version": "service.version",
        "is_error": '"SeverityNumber" >= 17',
    },
    # Segment's warehouse schema for the tracks table.
    "segment": {
        "event_id": "id",
        "occurred_at": "timestamp",
        "observed_at": "received_at",
        "event_name": "event",
        "service_version": "context_app_version",
        "is_error": "event LIKE '%Error%'",
    },
    # Snowplow's atomic.events table.
    "snowplow": {
        "event_id": "event_id",
        "occurred_at": "derived_tstamp",
        "observed_at": "collector_tstamp",
        "event_name": "event_name",
        "service_version": "app_version",
        "is_error": "event_name = 'application_error'",
    },
    # CloudEvents 1.0 context attributes; errors and versions are extensions there.
    "cloudevents": {
        "event_id": "id",
        "occurred_at": "time",
        "event_name": "type",
        "service_version": "serviceversion",
        "is_error": "severitynumber >= 17",
    },
}
"""Column names that well-known formats use; a role in the settings wins over its preset."""


def _split(value: Any) -> Any:
    """A list from the environment: ``a, b``."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_split)]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_no_switches(cls, values: Any) -> Any:
        """No setting is a boolean, but ``true`` would pass for the number 1."""
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, bool):
                raise ValueError(f"{name} must not be {str(value).lower()}")  # noqa: TRY004 - what pydantic collects
        return values


class RoleSettings(_Part):
    """Which column plays which role; see EventSchema."""

    event_id: Name | None = None
    occurred_at: Name
    event_name: Name
    service_version: Name
    is_error: Name
    critical_fields: Names = ()
    observed_at: Name | None = None
    dimensions: Names = ()

    @field_validator("dimensions")
    @classmethod
    def _leave_the_roles_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name in {EVENT_NAME, SERVICE_VERSION, HOUR}:
                raise ValueError(f"must not be named {name}, by which every day is cut already; rename the column")
        return value


def _setting_type(setting: Setting[Any]) -> Any:
    """The type of a setting, with its bounds."""
    kind: Any = str | None if setting.default is None else type(setting.default)
    bounds = {"ge": setting.minimum, "lt" if setting.is_below_maximum else "le": setting.maximum}
    limits = {name: value for name, value in bounds.items() if value is not None}

    def complain(value: Any) -> Any:
        if complaint := setting.complaint(value):
            raise ValueError(complaint)
        return value

    return Annotated[kind, Field(description=setting.description, **limits), AfterValidator(complain)]


GuardrailSettings: type[_Part] = create_model(
    "GuardrailSettings",
    __base__=_Part,
    __doc__="When a day fails: every setting that guardrails declare.",
    **{setting.name: (_setting_type(setting), setting.default) for setting in settings_of()},
)


class SignalSettings(_Part):
    """Where the catalogue of known signals stands: a list of names, or a column of a table or Parquet file."""

    names: Names | None = None
    table: Name | None = None
    column: Name = "event_name"

    @field_validator("table")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        return value and _place(value, OBJECT_STORES)

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if (self.names is None) == (self.table is None):
            raise ValueError("must have either names or table")
        return self


class SourceSettings(_Part):
    """One source of events."""

    connector: Literal["parquet", "duckdb", "database", "spark"]
    path: Name | None = None
    url: Name | None = None
    table: Name | None = None
    time_zone: str = "UTC"
    first_day: date
    last_day: date | None = None
    preset: str | None = None
    roles: RoleSettings
    guardrails: GuardrailSettings = GuardrailSettings()  # type: ignore[valid-type]
    signals: SignalSettings | None = None
    missing_versions: Names = DEFAULT_MISSING_VERSIONS
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    allowed_lateness_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 60
    future_tolerance_minutes: Annotated[int, Field(ge=0)] = 10
    stale_after_days: Annotated[int, Field(ge=1)] = 7
    late_days: Annotated[int, Field(ge=1, le=60)] = 7
    time_limit_seconds: Annotated[float, Field(gt=0)] = 300.0
    pause_seconds: Annotated[float, Field(ge=0, le=60)] = 0.03
    owners: Names = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = values.get("preset")
        if preset is not None and not (isinstance(preset, str) and preset in PRESETS):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, but {preset!r} was found")
        given = values.get("roles", {})
        return {
            **values,
            "roles": {**(PRESETS[preset] if preset else {}), **given} if isinstance(given, dict) else given,
        }

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(f"must be team:NAME or e-mail addresses, but {owner!r} was found")
        return value

    @field_validator("path")
    @classmethod
    def _is_a_place(cls, value: str | None, info: ValidationInfo) -> str | None:
        # A cluster may know more kinds of stores than this process does.
        return value and _place(value, None if info.data.get("connector") == "spark" else OBJECT_STORES)

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise ValueError("must be an IANA time zone such as UTC or Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _fits_its_connector(self) -> Self:
        needed = {
            "parquet": {"path"},
            "duckdb": {"path", "table"},
            "database": {"url", "table"},
            "spark": {"url", "table" if self.path is None else "path"},
        }[self.connector]
        for name in ("path", "url", "table"):
            is_set = getattr(self, name) is not None
            if is_set != (name in needed):
                verb = "requires" if name in needed else "does not take"
                raise ValueError(f"connector {self.connector!r} {verb} {name}")
        if self.connector == "duckdb" and "://" in (self.path or ""):
            raise ValueError("connector 'duckdb' requires path to be a file of this machine")
        table = self.signals and self.signals.table
        if table and "://" in table and table.partition("://")[0] != (self.path or "").partition("://")[0]:
            raise ValueError("signals.table may be in an object store only where path is in the same kind of store")
        if self.last_day is not None and self.last_day < self.first_day:
            raise ValueError(f"last_day must not be before first_day ({self.first_day}), but {self.last_day} was found")
        return self

    @property
    def engine(self) -> str:
        """What answers questions about the events: ``duckdb``, ``spark``, or a database by its URL."""
        if self.connector == "database":
            return _engine(self.url or "")
        return "spark" if self.connector == "spark" else "duckdb"

    def calendar(self) -> Calendar:
        """The source's days."""
        return Calendar(ZoneInfo(self.time_zone), self.first_day, self.last_day)

    def policy(self) -> Policy:
        """When its days fail."""
        return policy_of(**self.guardrails.model_dump())

    def event_schema(self) -> EventSchema:
        """Which columns play which roles."""
        return EventSchema(
            **self.roles.model_dump(),
            missing_versions=self.missing_versions,
            time_unit=self.time_unit,
            allowed_lateness_minutes=self.allowed_lateness_minutes,
            future_tolerance_minutes=self.future_tolerance_minutes,
            stale_after_days=self.stale_after_days,
        )


def _engine(url: str) -> str:
    """``postgresql`` of ``postgresql+psycopg://…``; whatever is no URL is refused where it is opened."""
    return urlsplit(url).scheme.partition("+")[0] or "database"


def _place(value: str, protocols: Collection[str] | None) -> str:
    """A file, a pattern, or the URL of some in an object store, which bears no credentials.

    Args:
        value: The setting.
        protocols: What a URL may begin with, None for anything.
    """
    protocol, separator, rest = value.partition("://")
    if not separator:
        return value
    if protocols is not None and protocol not in protocols:
        allowed = ", ".join(f"{one}://" for one in protocols)
        raise ValueError(f"must be a file, a folder, a pattern or a URL that begins with {allowed}")
    # In Azure's URLs the container stands where others have a user.
    user = rest.partition("/")[0].rpartition("@")[0]
    has_user = ":" in user if protocol == "abfss" else bool(user)
    if has_user or re.search(r"[?&][^/]*=", rest):
        raise ValueError(
            "must not hold credentials or other parameters; the store's own package finds credentials in the "
            "environment, its configuration or an instance's role"
        )
    return value


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _web_address(value: str) -> str:
    """An ``http(s)://host[:port]`` without anything behind it; plain HTTP only on this machine."""
    try:
        parts = urlsplit(value)
        is_plain = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
        is_bare = parts.path in {"", "/"} and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        is_plain = is_bare = False
    if not (is_plain and is_bare):
        raise ValueError("must be an address such as https://telemetry.example.org, without a path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must begin with https:// unless it is this machine: passwords would travel readable")
    return value.rstrip("/")


class OidcSettings(_Part):
    """Sign-in at an OpenID Connect provider, for accounts that the store has."""

    issuer: str
    client_id: Name
    client_secret: Annotated[Name, Field(repr=False)]
    claim: Name = "email"
    button: Name = "Sign in with single sign-on"

    @field_validator("issuer")
    @classmethod
    def _is_an_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)))
        ):
            raise ValueError("must be the provider's address and begin with https://")
        return value.rstrip("/")


class DashboardSettings(_Part):
    """How the health dashboard is reached, and when it calls itself stale."""

    url: str = "http://127.0.0.1:3001"
    dagster_url: Name | None = None
    session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 12.0
    grace_minutes: Annotated[int, Field(ge=0)] = 120
    oidc: OidcSettings | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return _web_address(value)

    @field_validator("dagster_url")
    @classmethod
    def _can_be_linked_to(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s\"'<>]+", value):
            raise ValueError("must be the address of Dagster's web server, such as https://dagster.example.org")
        return value and value.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it, by plain HTTP."""
        return _is_loopback(urlsplit(self.url).hostname)


class Settings(BaseSettings):
    """Everything a user decides, frozen; relative paths start at the settings file's folder."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
    )

    store: str = "sqlite:///telemetry_quality.db"
    sources: dict[str, SourceSettings] = Field(min_length=1)
    dashboard: DashboardSettings = DashboardSettings()

    @field_validator("sources")
    @classmethod
    def _have_plain_names(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"names must be lower-case words such as web_events, but {name!r} was found")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values ``load_settings`` passes; nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def store_engine(self) -> str:
        """The database that the store is in: ``sqlite`` or ``postgresql``."""
        return _engine(self.store)

    def source(self, name: str | None) -> tuple[str, SourceSettings]:
        """The source called ``name``, or the only one.

        Raises:
            SettingsError: If there is no such source, or several and no name.
        """
        if name is None and len(self.sources) == 1:
            return next(iter(self.sources.items()))
        if name not in self.sources:
            found = "no --source" if name is None else f"--source {name}"
            raise SettingsError(f"--source requires one of {', '.join(self.sources)}, but {found} was given.")
        return name, self.sources[name]


def load_settings(path: str | Path | None = None) -> Settings:
    """Read and check the settings.

    Args:
        path: The file; without it ``TELEMETRY_QUALITY_CONFIG``, else ``telemetry.toml`` in this folder.

    Raises:
        SettingsError: One sentence: the key, what was found, what is allowed.
    """
    file = Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE).absolute()
    values = _read_toml(file)
    _refuse_unknown_variables()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{file.name}: {_sentence(error)}") from None
    return _anchored(settings, file.parent)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"A settings file is required, but {file} does not exist; run telemetry-quality init or pass --config."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} must be readable text, but reading it says: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} must be valid TOML, but it is not: {error}.") from None
    for name in values:
        if name.startswith("_"):
            # pydantic-settings would take such a keyword for an order to itself.
            raise SettingsError(f"{file.name}: {name} is not a setting; remove it.")
    return values


def _refuse_unknown_variables() -> None:
    """A misspelt variable would be ignored in silence otherwise."""
    for name in sorted(os.environ):
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE:
            key, deeper, _ = name.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")
            if key.lower() not in Settings.model_fields or (deeper and key == "STORE"):
                allowed = ", ".join(f"{ENVIRONMENT_PREFIX}{field.upper()}" for field in Settings.model_fields)
                raise SettingsError(f"The environment sets {name}, but only {allowed} and {CONFIG_VARIABLE} are known.")


def _sentence(error: ValidationError) -> str:
    """The most telling mistake, in one sentence; values that may hold a password are left out.

    An unknown key is told first: a required one may only be misspelt.
    """
    mistakes = error.errors(include_url=False)
    mistake = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    *parents, last = (str(part) for part in mistake["loc"]) if mistake["loc"] else ("",)
    key = ".".join([*parents, last])
    if mistake["type"] == "extra_forbidden":
        allowed = _allowed_keys(parents)
        close = difflib.get_close_matches(last, allowed, n=1)
        hint = f"did you mean {close[0]}?" if close else "remove it."
        return f"{key} is not a setting; allowed here are {', '.join(allowed)}; {hint}"
    if mistake["type"] == "missing":
        if parents and parents[-1] == "roles":
            return f"{key} is required, but no column was named for this role; name one or choose a preset."
        return f"{key} is required, but was not found."
    reason = mistake["msg"].removeprefix("Value error, ")
    reason = f"{reason[:1].lower()}{reason[1:]}".removeprefix("input ")
    if mistake["type"] in {"dict_type", "model_type"}:
        return f"{key}: should be a table of settings, but something else was found."
    if mistake["type"] == "string_too_short":
        reason = "should not be empty"
    found = mistake["input"]
    is_harmless = (
        isinstance(found, (int, float, str, date))
        and last not in {"url", "store", "client_secret"}
        and "://" not in str(found)
    )
    is_told = " was found" in reason
    return f"{key}: {reason}." if is_told or not is_harmless else f"{key}: {reason}, but {found!r} was found."


def _allowed_keys(parents: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Settings
    # Below "sources" stands a name of the user's choice, which is no model.
    for part in (part for depth, part in enumerate(parents) if depth != 1 or parents[0] != "sources"):
        model = _MODELS[part]
    return list(model.model_fields)


_MODELS: dict[str, type[BaseModel]] = {
    "sources": SourceSettings,
    "roles": RoleSettings,
    "guardrails": GuardrailSettings,
    "signals": SignalSettings,
    "dashboard": DashboardSettings,
    "oidc": OidcSettings,
}


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative files under ``folder``, wherever the process runs."""
    sources = {
        name: source.model_copy(
            update={
                "path": source.path and _anchored_path(source.path, folder),
                "url": source.url and _anchored_url(source.url, folder),
                "signals": source.signals and _anchored_signals(source, source.signals, folder),
            }
        )
        for name, source in settings.sources.items()
    }
    return settings.model_copy(update={"store": _anchored_url(settings.store, folder), "sources": sources})


def _anchored_path(path: str, folder: Path) -> str:
    return path if "://" in path else str(folder / path)


def _anchored_url(url: str, folder: Path) -> str:
    file = url.removeprefix("sqlite:///")
    return url if file == url or file.startswith("/") else f"sqlite:///{folder / file}"


def _anchored_signals(source: SourceSettings, signals: SignalSettings, folder: Path) -> SignalSettings:
    """For a Parquet source the catalogue's table is a file."""
    if source.connector != "parquet" or signals.table is None:
        return signals
    return signals.model_copy(update={"table": _anchored_path(signals.table, folder)})
