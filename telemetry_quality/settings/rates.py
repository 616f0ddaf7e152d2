"""The settings of a source's own rates: ``[sources.NAME.rates.RATE]``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from telemetry_quality.connectors import Name, SettingsTable
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.guardrails.verdicts import Level


class RateSettings(SettingsTable):
    """A share of the events and the limits beyond which a day fails; see Rate."""

    where: Name
    of: Name | None = None
    above_percent: Annotated[float, Field(ge=0, lt=100)] | None = None
    below_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    level: Level = Level.WARNING
    description: Name | None = None

    @model_validator(mode="after")
    def _has_limits_that_leave_something(self) -> Self:
        above, below = self.above_percent, self.below_percent
        if above is None and below is None:
            raise ValueError("must have above_percent or below_percent")
        if above is not None and below is not None and below > above:
            raise ValueError(f"below_percent must not be more than above_percent ({above:g}), but {below:g} was found")
        return self

    def rate(self, name: str) -> Rate:
        """The rate with this name."""
        return Rate(name, **{**self.model_dump(), "level": self.level.value})
