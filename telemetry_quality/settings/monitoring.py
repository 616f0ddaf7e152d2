"""The settings of what other systems are sent: ``[otlp]`` and ``[openlineage]``."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from telemetry_quality.addresses import is_web_address
from telemetry_quality.connectors import Name, SettingsTable

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _as_table(value: Any) -> Any:
    """Headers as OTEL_EXPORTER_OTLP_HEADERS has them: ``api-key=abc,x-tenant=web``."""
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): text.strip() for name, _, text in parts}


class OtlpSettings(SettingsTable):
    """Where to push the metrics."""

    endpoint: Annotated[Name | None, Field(repr=False)] = None
    headers: Annotated[dict[str, str], BeforeValidator(_as_table), Field(repr=False)] = Field(default_factory=dict)
    interval_seconds: Annotated[int, Field(ge=30, le=24 * 60 * 60)] = 60
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 10.0

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not (is_web_address(value) and urlsplit(value).username is None):
            raise ValueError("must be an address such as https://collector.example.org:4318, with keys in headers")
        return value

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not (_HEADER.fullmatch(name) and text.isprintable() and text.isascii()):
                raise ValueError('must be names and values of HTTP headers, such as { api-key = "…" }')
        return value


class OpenLineageSettings(SettingsTable):
    """Under which namespace the judging of days appears in OpenLineage."""

    namespace: Name | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
