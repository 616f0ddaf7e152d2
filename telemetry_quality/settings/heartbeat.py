"""The settings of heartbeats: ``[heartbeat]``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from telemetry_quality.connectors import Name, SettingsTable
from telemetry_quality.heartbeat import SOURCE_PLACE


class HeartbeatSettings(SettingsTable):
    """Where to tell that yesterday was judged."""

    url: Annotated[Name | None, Field(repr=False)] = None
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        try:
            parts = urlsplit((value or "https://none").replace(SOURCE_PLACE, "web"))
            is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError("must be an address such as https://hc-ping.com/KEY/telemetry-{source}")
        return value
