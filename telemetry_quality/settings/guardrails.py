"""The settings of guardrails: ``[sources.NAME.guardrails]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator

from telemetry_quality.connectors import SettingsTable
from telemetry_quality.core.policies import BASELINES, VOLUME_RULES
from telemetry_quality.core.special_days import is_holiday_country

if TYPE_CHECKING:
    from collections.abc import Sequence

Percent = Annotated[float, Field(ge=0, le=100)]


class GuardrailSettings(SettingsTable):
    """When a day fails; see Policy."""

    error_rate_percent: Percent = 5.0
    missing_version_percent: Percent = 1.0
    volume_deviation_percent: Annotated[float, Field(ge=0)] = 30.0
    volume_rule: str = "both"
    volume_far_percent: Annotated[float, Field(ge=0, lt=100)] = 40.0
    interval_percent: Annotated[float, Field(ge=50, lt=100)] = 99.0
    minimum_events: Annotated[int, Field(ge=0)] = 20
    baseline: str = "weekday"
    holidays: str | None = None
    sample_success_percent: Percent = 99.0
    sample_size: Annotated[int, Field(ge=1, le=100_000)] = 100
    duplicate_percent: Percent = 10.0
    leak_percent: Percent = 15.0
    leak_spreads: Annotated[float, Field(ge=0)] = 2.75
    version_drift_percent: Percent = 10.0
    critical_missing_percent: Percent = 1.0
    late_percent: Percent = 5.0
    complete_percent: Percent = 99.0
    misdated_percent: Percent = 1.0

    @field_validator("baseline")
    @classmethod
    def _is_a_baseline(cls, value: str) -> str:
        return _one_of(value, BASELINES)

    @field_validator("volume_rule")
    @classmethod
    def _is_a_rule(cls, value: str) -> str:
        return _one_of(value, VOLUME_RULES)

    @field_validator("holidays")
    @classmethod
    def _has_a_calendar(cls, value: str | None) -> str | None:
        # Only the country: the library loads every calendar to know subdivisions, and this runs at each import of
        # the code location. ``telemetry-quality check`` and the first use look at the rest.
        if value is not None and not (re.fullmatch(r"[A-Z]+(-\w+)?", value) and is_holiday_country(value)):
            raise ValueError("must be a country or country-subdivision code such as US or US-NY")
        return value


def _one_of(value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return value
