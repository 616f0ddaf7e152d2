"""All settings as one frozen value."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telemetry_quality.addresses import is_web_address
from telemetry_quality.connectors import Name, engine_of_url
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings.alerts import AlertSettings
from telemetry_quality.settings.dashboard import DashboardSettings
from telemetry_quality.settings.environment import NamedEnvironment
from telemetry_quality.settings.heartbeat import HeartbeatSettings
from telemetry_quality.settings.monitoring import OpenLineageSettings, OtlpSettings
from telemetry_quality.settings.names import require_names
from telemetry_quality.settings.sources import SourceSettings

LOG = "log"
"""The channel that exists without any settings; see ``core.dispatch.log_channel``."""

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
    training_folder: Name | None = None
    sources: dict[str, SourceSettings] = Field(min_length=1)
    dashboard: DashboardSettings = DashboardSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    otlp: OtlpSettings = OtlpSettings()
    openlineage: OpenLineageSettings = OpenLineageSettings()
    alerts: dict[str, AlertSettings] = Field(default_factory=dict)

    @field_validator("sources", "alerts")
    @classmethod
    def _have_plain_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        require_names(value)
        return value

    @field_validator("alerts")
    @classmethod
    def _leave_the_log_s_name(cls, value: dict[str, AlertSettings]) -> dict[str, AlertSettings]:
        if LOG in value:
            raise ValueError(f"no channel may be called {LOG}, which is the name of the log; rename it")
        return value

    @field_validator("alerts")
    @classmethod
    def _name_what_exists(cls, value: dict[str, AlertSettings], info: ValidationInfo) -> dict[str, AlertSettings]:
        sources: dict[str, SourceSettings] = info.data.get("sources", {})
        owners = dict.fromkeys(owner for source in sources.values() for owner in source.owners)
        # Sources that are wrong have been reported already.
        for name, channel in value.items() if sources else ():
            for key, known in (("sources", list(sources)), ("owners", list(owners))):
                if unknown := [wanted for wanted in getattr(channel, key) if wanted not in known]:
                    allowed = ", ".join(known) or "nothing, because no source has any"
                    raise ValueError(f"{key} of {name} may name {allowed}, but {unknown[0]!r} was found")
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
        del dotenv_settings, file_secret_settings
        return NamedEnvironment(settings_cls, init_settings, env_settings, adds_names=True), init_settings

    @property
    def store_engine(self) -> str:
        """The kind of database that holds the store: ``sqlite`` or ``postgresql``."""
        return engine_of_url(self.store)

    def owners_of(self, source: str) -> tuple[str, ...]:
        """The owners of a source; nobody if the settings no longer have it."""
        known = self.sources.get(source)
        return () if known is None else known.owners

    def title_of(self, source: str) -> str:
        """What people call a source: its title, or else its name."""
        known = self.sources.get(source)
        return source if known is None or known.title is None else known.title

    def sources_heard_by(self, channel: str) -> tuple[str, ...]:
        """The sources whose incidents a channel hears of: those that it names, of the owners that it names."""
        wanted = self.alerts[channel]
        return tuple(
            name
            for name, source in self.sources.items()
            if (not wanted.sources or name in wanted.sources)
            and (not wanted.owners or set(wanted.owners) & set(source.owners))
        )

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
