"""The settings of a channel that messages about incidents go out by: ``[alerts.NAME]``."""

from __future__ import annotations

import re
from datetime import time
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from telemetry_quality.connectors import Names, SettingsTable
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.messages.rules import QuietHours, Rules
from telemetry_quality.errors import SettingsError
from telemetry_quality.notifiers import BUILT_IN, NotifierSettings, notifier, notifier_names
from telemetry_quality.settings.zones import known_zone

CHANNEL_SETTINGS = "channel_settings"
"""The field that holds the notifier's own keys of ``[alerts.NAME]``; the file lists them with the common keys."""

LONGEST_TIMEOUT_SECONDS = 20


def _hours(value: str) -> QuietHours:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", value)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise ValueError("must be two times of the day, such as 22:00-07:00")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(time(begin_hour, begin_minute), time(end_hour, end_minute))


def _are_hours(value: str | None) -> str | None:
    if value is not None:
        _hours(value)
    return value


class AlertSettings(SettingsTable):
    """One channel: the settings that every channel has, and those of its notifier."""

    kind: str
    sources: Names = ()
    owners: Names = ()
    minimum_level: Level = Level.INFO
    quiet_hours: Annotated[str | None, AfterValidator(_are_hours)] = None
    wakes_for_critical: bool = False
    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    repeat_days: Annotated[int, Field(ge=1, le=365)] | None = None
    digest: Literal["weekly"] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_TIMEOUT_SECONDS)] = 10.0
    channel_settings: SerializeAsAny[NotifierSettings]

    @model_validator(mode="before")
    @classmethod
    def _separate_the_notifier_s_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict) or isinstance(values.get(CHANNEL_SETTINGS), NotifierSettings):
            return values
        own = {name: value for name, value in values.items() if name not in cls.common_fields()}
        common = {name: value for name, value in values.items() if name not in own}
        if "kind" in values:
            return {**common, CHANNEL_SETTINGS: own}
        kinds = [name for name in BUILT_IN if notifier(name).key in own]
        if len(kinds) == 1:
            return {**common, "kind": kinds[0], CHANNEL_SETTINGS: own}
        keys = " or ".join(notifier(name).key for name in BUILT_IN)
        raise ValueError(f"must have either {keys}, or the kind of a channel of another package")

    @field_validator("kind")
    @classmethod
    def _is_a_notifier(cls, value: str) -> str:
        if value not in (names := notifier_names()):
            raise ValueError(f"should be {' or '.join(map(repr, names))}")
        return value

    @field_validator(CHANNEL_SETTINGS, mode="plain")
    @classmethod
    def _fits_the_notifier(cls, value: Any, info: ValidationInfo) -> NotifierSettings:
        name = info.data.get("kind")
        if name is None or isinstance(value, NotifierSettings):
            return value if isinstance(value, NotifierSettings) else NotifierSettings()
        model: type[NotifierSettings] = notifier(name).settings
        if taken := model.model_fields.keys() & cls.model_fields.keys():
            raise SettingsError(
                f"The notifier {name!r} must not reuse keys that every channel has, but declares {min(taken)}; "
                "rename it in the notifier's settings model."
            )
        return _tagged(model).validate_python({name: value})[name]

    @classmethod
    def common_fields(cls) -> dict[str, Any]:
        """The keys that every channel has whatever its kind, with their fields."""
        return {name: field for name, field in cls.model_fields.items() if name != CHANNEL_SETTINGS}

    def rules(self) -> Rules:
        """What the channel wants to hear, and when."""
        return Rules(
            ZoneInfo(self.time_zone),
            self.minimum_level,
            None if self.quiet_hours is None else _hours(self.quiet_hours),
            wakes_for_critical=self.wakes_for_critical,
            repeat_days=self.repeat_days,
            is_weekly=self.digest is not None,
        )


@lru_cache(maxsize=8)
def _tagged(model: type[NotifierSettings]) -> TypeAdapter[dict[str, NotifierSettings]]:
    """Validates ``{kind: keys}``, so that errors name the notifier, as those of a tagged union do."""
    return TypeAdapter(dict[str, model])  # type: ignore[valid-type]


def built_in_channel_keys() -> set[str]:
    """All keys that the built-in notifiers take."""
    return {key for name in BUILT_IN for key in notifier(name).settings.model_fields}
