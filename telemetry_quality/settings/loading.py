"""Reads ``telemetry.toml`` and ``TELEMETRY_QUALITY_…``."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from telemetry_quality.connectors import anchored_url
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings.messages import sentences
from telemetry_quality.settings.models import ENVIRONMENT_PREFIX, Settings
from telemetry_quality.settings.several import OneOfSeveral

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = "telemetry.toml"
CONFIG_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"


def settings_file(path: str | Path | None = None) -> Path:
    """The file that ``load_settings`` reads."""
    return Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE).absolute()


def load_settings(path: str | Path | None = None, *, is_alone: bool = True) -> Settings:
    """Read and check the settings.

    Args:
        path: The file; defaults to ``TELEMETRY_QUALITY_CONFIG``, then to ``telemetry.toml`` in the current folder.
        is_alone: False if the process may read other files too, so that the environment may name their sources.

    Raises:
        SettingsError: With one sentence that names the key, what was found and what is allowed.
    """
    file = settings_file(path)
    return anchored(check_settings(_read_toml(file), file.name, is_alone=is_alone), file.parent)


def check_settings(values: Mapping[str, Any], place: str, *, is_alone: bool = True) -> Settings:
    """The settings with these values, as overridden by the environment; relative paths stay relative.

    Args:
        values: What a settings file has, or part of another file.
        place: Where they are, for messages.
        is_alone: False if the process may read other settings too.

    Raises:
        SettingsError: With one sentence that names the key, what was found and what is allowed.
    """
    for name in values:
        if name.startswith("_"):
            # pydantic-settings would interpret a keyword that begins with an underscore as an option of its own.
            raise SettingsError(f"{place}: {name} is not a setting; remove it.")
    _refuse_unknown_variables()
    try:
        return (Settings if is_alone else OneOfSeveral)(**values)
    except ValidationError as error:
        first, *further = (f"{place}: {found}" for found in sentences(error))
        raise SettingsError(first, further) from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"A settings file is required, but {file} does not exist; run telemetry-quality init or pass --config."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} must be readable text, but reading it failed: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} must be valid TOML, but it is not: {error}.") from None
    return values


def _refuse_unknown_variables() -> None:
    """Refuse misspelt variables, which would otherwise be ignored silently."""
    for name in sorted(os.environ):
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE:
            key, deeper, _ = name.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")
            if key.lower() not in Settings.model_fields or (deeper and key in {"STORE", "ANCHOR", "TRAINING_FOLDER"}):
                allowed = ", ".join(f"{ENVIRONMENT_PREFIX}{field.upper()}" for field in Settings.model_fields)
                raise SettingsError(f"The environment sets {name}, but only {allowed} and {CONFIG_VARIABLE} are known.")


def anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths resolved against ``folder``, wherever the process runs."""
    sources = {name: source.anchored(folder) for name, source in settings.sources.items()}
    anchor = settings.anchor
    if anchor is not None and "://" not in anchor:
        anchor = str(folder / anchor)
    training = settings.training_folder and str(folder / settings.training_folder)
    found = {
        "store": anchored_url(settings.store, folder),
        "anchor": anchor,
        "training_folder": training,
        "sources": sources,
    }
    return settings.model_copy(update=found)
