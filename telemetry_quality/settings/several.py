"""One of several settings files of a process: what the environment says of another file's tables is not for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.settings.environment import NamedEnvironment
from telemetry_quality.settings.models import Settings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class OneOfSeveral(Settings):
    """The settings of a file beside which others are read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the file, but adds no source and no channel to it."""
        del dotenv_settings, file_secret_settings
        return NamedEnvironment(settings_cls, init_settings, env_settings, adds_names=False), init_settings
