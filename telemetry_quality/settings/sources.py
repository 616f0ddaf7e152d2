"""The settings of a source of events: ``[sources.NAME]``."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from telemetry_quality.connectors import (
    BUILT_IN,
    OBJECT_STORES,
    ConnectorSettings,
    Name,
    Names,
    SettingsTable,
    anchored_path,
    connector,
    connector_names,
    protocol_of,
    split,
    without_credentials,
)
from telemetry_quality.core.counting import counting_rules
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.event_schema import DEFAULT_MISSING_VERSIONS, OPTIONAL_ROLES, EventSchema
from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.marks import Gate
from telemetry_quality.core.time_forms import AUTO, UNITS_PER_SECOND, TimeFormatError, named_form
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings.guardrails import GuardrailSettings, default_guardrails, guardrail_settings
from telemetry_quality.settings.presets import PRESETS
from telemetry_quality.settings.rates import RateSettings
from telemetry_quality.settings.zones import known_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.connectors import Connector
    from telemetry_quality.core.event_schema import Rate
    from telemetry_quality.core.policies import Policy

CONNECTOR_SETTINGS = "connector_settings"
"""The field that holds the connector's own keys of ``[sources.NAME]``; the file lists them with the common keys."""


_LEAST_MEMORY_BYTES = 128 * 1024**2
"""DuckDB needs this much for one thread."""


def _bytes_of(size: str) -> int:
    """The bytes of a size such as ``1GiB``; 0 if it is none."""
    found = re.fullmatch(r"(\d{1,6}) ?([KMGT])(i?)B", size)
    return int(found[1]) * (1024 if found[3] else 1000) ** (1 + "KMGT".index(found[2])) if found else 0


def _is_enough_memory(value: str) -> str:
    if _bytes_of(value) < _LEAST_MEMORY_BYTES:
        raise ValueError("must be a size of at least 128MiB, such as 512MiB or 2GiB")
    return value


NamesOrExpressions = Annotated[tuple[Name, ...] | dict[Name, Name], BeforeValidator(split)]
"""Columns or expressions as a list, or as a table that names each: the names are those of figures and charts."""


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
"""A few words for people, in any script."""


def _is_null(text: str | None) -> bool:
    return text is None or text.strip().casefold() == "null"


_TIME_ROLES = ("occurred_at", "observed_at")


def _of_each_time(value: Any, allowed: Callable[[str], None]) -> str | dict[str, str]:
    """A setting of the times: one for both, or a table of them by role."""
    by_role = value if isinstance(value, dict) else dict.fromkeys(_TIME_ROLES, value)
    for role, given in by_role.items():
        if role not in _TIME_ROLES:
            raise ValueError(f"must name occurred_at or observed_at, but {role!r} was found")
        if not isinstance(given, str):
            raise ValueError(  # noqa: TRY004 - pydantic reports no other
                "must be a text, or a table of texts for occurred_at and observed_at"
            )
        allowed(given)
    return value  # type: ignore[no-any-return]


def _is_unit(value: str) -> None:
    if value not in {*UNITS_PER_SECOND, AUTO}:
        raise ValueError(f"should be 's', 'ms', 'us', 'ns' or 'auto', but {value!r} was found")


def _is_format(value: str) -> None:
    try:
        named_form(value)
    except TimeFormatError as error:
        raise ValueError(str(error)) from None


TimeUnit = Annotated[str | dict[str, str], BeforeValidator(lambda value: _of_each_time(value, _is_unit))]
TimeFormat = Annotated[str | dict[str, str], BeforeValidator(lambda value: _of_each_time(value, _is_format))]


class RoleSettings(SettingsTable):
    """Which column or expression plays which role; see EventSchema."""

    event_id: Name | None = None
    occurred_at: Name
    event_name: Name
    service_version: Name
    is_error: Name
    critical_fields: NamesOrExpressions = ()
    observed_at: Name | None = None
    dimensions: NamesOrExpressions = ()

    @field_validator("dimensions")
    @classmethod
    def _leave_the_roles_names(cls, value: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        for name in value:
            if name in {EVENT_NAME, SERVICE_VERSION, HOUR}:
                raise ValueError(f"must not be named {name}: every day is already cut by it; rename the column")
        return value

    @model_validator(mode="after")
    def _give_a_name_one_meaning(self) -> Self:
        fields, dimensions = self._named("critical_fields"), self._named("dimensions")
        for name in fields.keys() & dimensions.keys():
            if fields[name] != dimensions[name]:
                raise ValueError(f"critical_fields and dimensions must not give {name!r} two meanings; rename one")
        return self

    def _named(self, role: str) -> dict[str, str]:
        value = getattr(self, role)
        return value if isinstance(value, dict) else {}

    def for_schema(self) -> dict[str, Any]:
        """The roles as EventSchema has them."""
        names = {role: tuple(getattr(self, role)) for role in ("critical_fields", "dimensions")}
        absent = {role: None for role in OPTIONAL_ROLES if _is_null(getattr(self, role))}
        named = self._named("critical_fields") | self._named("dimensions")
        return {**self.model_dump(), **names, **absent, "named": named}


class SignalSettings(SettingsTable):
    """Where the catalogue of known signals is: a list of names, or a column of a table or Parquet file."""

    names: Names | None = None
    table: Name | None = None
    column: Name = "event_name"

    @field_validator("table")
    @classmethod
    def _is_in_a_known_store(cls, value: str | None) -> str | None:
        return value and without_credentials(value, OBJECT_STORES)

    @model_validator(mode="after")
    def _names_one_location(self) -> Self:
        if (self.names is None) == (self.table is None):
            raise ValueError("must have either names or table")
        return self


class SourceSettings(SettingsTable):
    """One source of events: the settings that every source has, and those of its connector."""

    connector: str
    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    first_day: date
    last_day: date | None = None
    preset: str | None = None
    where: Name | None = None
    roles: RoleSettings
    guardrails: SerializeAsAny[GuardrailSettings] = Field(default_factory=default_guardrails)
    rates: dict[str, RateSettings] = Field(default_factory=dict)
    signals: SignalSettings | None = None
    missing_versions: Names = DEFAULT_MISSING_VERSIONS
    extra_missing_versions: Names = ()
    hash_event_ids: bool = False
    drop_dimensions: Names = ()
    time_unit: TimeUnit | None = None
    time_format: TimeFormat | None = None
    allowed_lateness_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 60
    future_tolerance_minutes: Annotated[int, Field(ge=0)] = 10
    stale_after_days: Annotated[int, Field(ge=1)] = 7
    late_days: Annotated[int, Field(ge=1, le=60)] = 7
    intraday: bool = False
    intraday_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    time_limit_seconds: Annotated[float, Field(gt=0)] = 300.0
    memory_limit: Annotated[str, AfterValidator(_is_enough_memory)] = "1GiB"
    owners: Names = ()
    title: Title | None = None
    group: Title | None = None
    gate: Gate = Gate.HEALTHY
    is_gate_blocking: bool = False
    connector_settings: SerializeAsAny[ConnectorSettings]

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = values.get("preset")
        if preset is not None and not (isinstance(preset, str) and preset in PRESETS):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, but {preset!r} was found")
        given = values.get("roles", {})
        if preset is None:
            return {**values, "roles": given}
        filled = PRESETS[preset]
        roles = {**filled.roles, **given} if isinstance(given, dict) else given
        return {**filled.settings, **values, "roles": roles}

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(f"must be team:NAME or e-mail addresses, but {owner!r} was found")
        return value

    @field_validator("guardrails", mode="plain")
    @classmethod
    def _are_settings_of_guardrails(cls, value: Any) -> GuardrailSettings:
        return guardrail_settings().model_validate(value)

    @field_validator("rates")
    @classmethod
    def _are_named_in_lower_case(cls, value: dict[str, RateSettings]) -> dict[str, RateSettings]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"must be named in lower-case words such as checkout_failures, but {name!r} was found")
        return value

    @model_validator(mode="before")
    @classmethod
    def _separate_the_connector_s_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict) or isinstance(values.get(CONNECTOR_SETTINGS), ConnectorSettings):
            return values
        own = {name: value for name, value in values.items() if name not in cls.common_fields()}
        common = {name: value for name, value in values.items() if name not in own}
        if "connector" in values:
            return {**common, CONNECTOR_SETTINGS: own}
        # The connector key may only be misspelt: report keys that no built-in connector takes before missing keys.
        unknown = {name: value for name, value in own.items() if name not in built_in_keys()}
        return {**common, **unknown, CONNECTOR_SETTINGS: ConnectorSettings()}

    @field_validator("connector")
    @classmethod
    def _is_a_connector(cls, value: str) -> str:
        if value not in (names := connector_names()):
            *first_names, last = map(repr, names)
            raise ValueError(f"should be {', '.join(first_names)} or {last}")
        return value

    @field_validator(CONNECTOR_SETTINGS, mode="plain")
    @classmethod
    def _fits_the_connector(cls, value: Any, info: ValidationInfo) -> ConnectorSettings:
        name = info.data.get("connector")
        if name is None:
            return ConnectorSettings()
        model: type[ConnectorSettings] = connector(name).settings
        if taken := model.model_fields.keys() & cls.model_fields.keys():
            raise SettingsError(
                f"The connector {name!r} must not reuse keys that every source has, but declares {min(taken)}; "
                "rename it in the connector's settings model."
            )
        return _tagged(model).validate_python({name: value})[name]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        table = self.signals and self.signals.table
        if table and protocol_of(table) not in {"", protocol_of(self.location)}:
            raise ValueError("signals.table may be in an object store only where path is in the same kind of store")
        for name in self.drop_dimensions:
            if name not in self.roles.dimensions:
                raise ValueError(f"drop_dimensions must name dimensions of roles, but {name!r} was found")
        if self.last_day is not None and self.last_day < self.first_day:
            raise ValueError(f"last_day must not be before first_day ({self.first_day}), but {self.last_day} was found")
        return self

    @classmethod
    def common_fields(cls) -> dict[str, Any]:
        """The keys that every source has whatever its connector, with their fields."""
        return {name: field for name, field in cls.model_fields.items() if name != CONNECTOR_SETTINGS}

    @property
    def location(self) -> str:
        """Where the events are, without anything secret."""
        return self.connector_settings.location

    @property
    def engine(self) -> str:
        """The engine that queries the events: ``duckdb``, ``spark``, or the database named by the URL."""
        return self._declared().engine_of(self.connector_settings)

    @property
    def kind(self) -> str:
        """What kind of storage holds the events."""
        return self._declared().kind or self.engine

    @property
    def memory_limit_bytes(self) -> int:
        """How much memory a scan may take."""
        return _bytes_of(self.memory_limit)

    def _declared(self) -> Connector[Any]:
        return connector(self.connector)

    def anchored(self, folder: Path) -> Self:
        """The same source with relative paths resolved against ``folder``."""
        signals = self.signals
        if signals and signals.table and self._declared().has_signal_files:
            signals = signals.model_copy(update={"table": anchored_path(signals.table, folder)})
        own = self.connector_settings.anchored(folder)
        return self.model_copy(update={CONNECTOR_SETTINGS: own, "signals": signals})

    def calendar(self) -> Calendar:
        """The source's days."""
        return Calendar(ZoneInfo(self.time_zone), self.first_day, self.last_day)

    def policy(self) -> Policy:
        """When a day of this source fails."""
        return policy_of(self._rates(), **self.guardrails.model_dump())

    def counting_rules(self) -> str:
        """The rules by which its days are counted."""
        return counting_rules(self.event_schema(), ZoneInfo(self.time_zone))

    def event_schema(self) -> EventSchema:
        """Which columns play which roles."""
        roles = self.roles.for_schema()
        roles["dimensions"] = tuple(name for name in roles["dimensions"] if name not in self.drop_dimensions)
        return EventSchema(
            **roles,
            hash_event_ids=self.hash_event_ids,
            where=self.where,
            missing_versions=(*self.missing_versions, *self.extra_missing_versions),
            time_unit=self.time_unit,
            time_format=self.time_format,
            allowed_lateness_minutes=self.allowed_lateness_minutes,
            future_tolerance_minutes=self.future_tolerance_minutes,
            stale_after_days=self.stale_after_days,
            rates=self._rates(),
        )

    def _rates(self) -> tuple[Rate, ...]:
        return tuple(rate.rate(name) for name, rate in self.rates.items())


@lru_cache(maxsize=32)
def _tagged(model: type[ConnectorSettings]) -> TypeAdapter[dict[str, ConnectorSettings]]:
    """Validates ``{connector: keys}``, so that errors name the connector, as those of a tagged union do."""
    return TypeAdapter(dict[str, model])  # type: ignore[valid-type]


def built_in_keys() -> set[str]:
    """All keys that the built-in connectors take."""
    return {key for name in BUILT_IN for key in connector(name).settings.model_fields}
