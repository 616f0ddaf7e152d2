"""Settings: ``telemetry.toml`` and ``TELEMETRY_QUALITY_…`` become one frozen value, or one clear sentence.

Nothing outside this room reads the environment, and nothing is read when it is imported. An environment
variable wins over the file: ``TELEMETRY_QUALITY_STORE`` for ``store``, and with double underscores for deeper
keys, ``TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__ERROR_RATE_PERCENT``.
"""

from telemetry_quality.settings.dashboard import DashboardSettings, OidcSettings
from telemetry_quality.settings.guardrails import GuardrailSettings
from telemetry_quality.settings.loading import CONFIG_VARIABLE, DEFAULT_FILE, load_settings
from telemetry_quality.settings.models import ENVIRONMENT_PREFIX, Settings
from telemetry_quality.settings.presets import PRESETS
from telemetry_quality.settings.sources import RoleSettings, SignalSettings, SourceSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "ENVIRONMENT_PREFIX",
    "PRESETS",
    "DashboardSettings",
    "GuardrailSettings",
    "OidcSettings",
    "RoleSettings",
    "Settings",
    "SignalSettings",
    "SourceSettings",
    "load_settings",
]
