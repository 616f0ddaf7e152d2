"""All settings as one frozen value."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telemetry_quality.addresses import is_web_address
from telemetry_quality.connectors import Name, engine_of_url
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings.dashboard import DashboardSettings
from telemetry_quality.settings.heartbeat import HeartbeatSettings
from telemetry_quality.settings.monitoring import OpenLineageSettings, OtlpSettings
from telemetry_quality.settings.sources import SourceSettings

ENVIRONMENT_PREFIX = "TELEMETRY_QUALITY_"


class Settings(BaseSettings):
    """Everything a user configures, frozen; relative paths are resolved against the settings file's folder."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
    )

    store: Annotated[str, Field(repr=False)] = "sqlite:///telemetry_quality.db"
    anchor: Annotated[Name | None, Field(repr=False)] = None
    sources: dict[str, SourceSettings] = Field(min_length=1)
    dashboard: DashboardSettings = DashboardSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    otlp: OtlpSettings = OtlpSettings()
    openlineage: OpenLineageSettings = OpenLineageSettings()

    @field_validator("sources")
    @classmethod
    def _have_plain_names(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"names must be lower-case words such as web_events, but {name!r} was found")
        return value

    @field_validator("anchor")
    @classmethod
    def _is_a_file_or_an_address(cls, value: str | None) -> str | None:
        if value and "://" in value and not is_web_address(value):
            raise ValueError("must be a file, or an address that begins with https:// or http://")
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
        """The environment overrides the file, whose values ``load_settings`` passes; nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def store_engine(self) -> str:
        """The kind of database that holds the store: ``sqlite`` or ``postgresql``."""
        return engine_of_url(self.store)

    def source(self, name: str | None) -> tuple[str, SourceSettings]:
        """The source called ``name``; without a name, the only source.

        Raises:
            SettingsError: If no source has that name, or if no name is given and there are several sources.
        """
        if name is None and len(self.sources) == 1:
            return next(iter(self.sources.items()))
        if name not in self.sources:
            found = "no --source" if name is None else f"--source {name}"
            raise SettingsError(f"--source requires one of {', '.join(self.sources)}, but {found} was given.")
        return name, self.sources[name]

    def names(self, source: str | None) -> list[str]:
        """The name of the chosen source, or of all sources if none was chosen.

        Raises:
            SettingsError: If no source has that name.
        """
        return list(self.sources) if source is None else [self.source(source)[0]]
