"""Settings: ``telemetry.toml`` and ``TELEMETRY_QUALITY_…`` become one frozen value or one clear error sentence.

Nothing outside this package reads the environment, and importing it reads nothing. An environment variable
overrides the file: ``TELEMETRY_QUALITY_STORE`` sets ``store``, and double underscores separate nested keys, as in
``TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__ERROR_RATE_PERCENT``.
"""

from telemetry_quality.settings.alerts import AlertSettings
from telemetry_quality.settings.dashboard import DashboardSettings, OidcSettings
from telemetry_quality.settings.guardrails import GuardrailSettings
from telemetry_quality.settings.heartbeat import HeartbeatSettings
from telemetry_quality.settings.loading import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    anchored,
    check_settings,
    load_settings,
    settings_file,
)
from telemetry_quality.settings.models import ENVIRONMENT_PREFIX, Settings
from telemetry_quality.settings.monitoring import OpenLineageSettings, OtlpSettings
from telemetry_quality.settings.presets import PRESETS, Preset
from telemetry_quality.settings.sources import RoleSettings, SignalSettings, SourceSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "ENVIRONMENT_PREFIX",
    "PRESETS",
    "AlertSettings",
    "DashboardSettings",
    "GuardrailSettings",
    "HeartbeatSettings",
    "OidcSettings",
    "OpenLineageSettings",
    "OtlpSettings",
    "Preset",
    "RoleSettings",
    "Settings",
    "SignalSettings",
    "SourceSettings",
    "anchored",
    "check_settings",
    "load_settings",
    "settings_file",
]
