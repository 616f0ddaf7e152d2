"""The settings of guardrails, ``[sources.NAME.guardrails]``, as the guardrails themselves declare them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from telemetry_quality.connectors import SettingsTable
from telemetry_quality.core.guardrails.catalogue import guardrails, settings_of

if TYPE_CHECKING:
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.policies import Setting


class GuardrailSettings(SettingsTable):
    """When a day fails; ``guardrail_settings`` returns the model that has a field for every setting."""


def guardrail_settings() -> type[GuardrailSettings]:
    """The model of all guardrail settings, including those of guardrails from other packages.

    Raises:
        SettingsError: If a guardrail of another package fails to load.
    """
    return _model(guardrails())


def default_guardrails() -> GuardrailSettings:
    """The settings that apply where the file sets nothing."""
    return guardrail_settings()()


@lru_cache(maxsize=8)
def _model(rules: tuple[Guardrail, ...]) -> type[GuardrailSettings]:
    fields: dict[str, Any] = {setting.name: (_type_of(setting), setting.default) for setting in settings_of(rules)}
    model: type[GuardrailSettings] = create_model("GuardrailSettings", __base__=GuardrailSettings, **fields)
    return model


def _type_of(setting: Setting[Any]) -> Any:
    """The type of a setting, with its bounds."""
    kind: Any = str | None if setting.default is None else type(setting.default)
    if kind is tuple:
        kind = tuple[Annotated[str, BeforeValidator(str)], ...]  # TOML has dates of its own.
    bounds = {"ge": setting.minimum, "lt" if setting.is_below_maximum else "le": setting.maximum}
    limits: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}

    def without_complaint(value: Any) -> Any:
        if complaint := setting.complaint(value):
            raise ValueError(complaint)
        return value

    return Annotated[kind, Field(description=setting.description, **limits), AfterValidator(without_complaint)]
