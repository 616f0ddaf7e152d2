"""One of several settings files of a process: what the environment says of another file's tables is not for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from telemetry_quality.settings.models import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NAMED_TABLES = ("sources", "alerts")
"""The settings whose keys are names that the user chose."""


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
        return _OwnTables(settings_cls, init_settings, env_settings), init_settings


class _OwnTables(PydanticBaseSettingsSource):
    """The environment, without the sources and channels that the file does not have."""

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        file: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._file, self._environment = file, environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._environment.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        own, found = self._file(), self._environment()
        for table in NAMED_TABLES:
            if isinstance(found.get(table), dict):
                has = own.get(table) or {}
                found[table] = {name: value for name, value in found[table].items() if name in has}
        return {name: value for name, value in found.items() if name not in NAMED_TABLES or value}
