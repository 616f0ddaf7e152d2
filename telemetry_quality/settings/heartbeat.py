"""The settings of heartbeats: ``[heartbeat]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from telemetry_quality.addresses import is_web_address
from telemetry_quality.connectors import Name, SettingsTable
from telemetry_quality.heartbeat import SOURCE_PLACE


class HeartbeatSettings(SettingsTable):
    """Where to tell that yesterday was judged."""

    url: Annotated[Name | None, Field(repr=False)] = None
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not is_web_address(value.replace(SOURCE_PLACE, "web")):
            raise ValueError("must be an address such as https://hc-ping.com/KEY/telemetry-{source}")
        return value
