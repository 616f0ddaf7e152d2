"""What the environment says, under the names that the settings file has: variables cannot contain hyphens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from telemetry_quality.settings.names import plain_name

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NAMED_TABLES = ("sources", "alerts")
"""The settings whose keys are names that the user chose."""


class NamedEnvironment(PydanticBaseSettingsSource):
    """The environment, in which ``SOURCES__WEB_EVENTS`` is also about the source ``web-events`` of the file.

    Args:
        adds_names: Whether it may have sources and channels that the file does not have.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        file: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
        *,
        adds_names: bool,
    ) -> None:
        super().__init__(settings_cls)
        self._file, self._environment, self._adds_names = file, environment, adds_names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """What the environment says of one field."""
        return self._environment.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        """What the environment says of all fields."""
        own, found = self._file(), self._environment()
        for table in NAMED_TABLES:
            if isinstance(found.get(table), dict):
                found[table] = self._named_as_in(own.get(table), found[table])
        return {name: value for name, value in found.items() if name not in NAMED_TABLES or value}

    def _named_as_in(self, own: Any, found: dict[str, Any]) -> dict[str, Any]:
        names = {plain_name(name): name for name in own} if isinstance(own, dict) else {}
        return {names.get(name, name): value for name, value in found.items() if self._adds_names or name in names}
