"""How assets, jobs, schedules and sensors are named, so that they collide with nothing else in a deployment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.errors import SettingsError
from telemetry_quality.settings.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = str | Sequence[str] | dg.AssetKey
"""``flights/events`` as Dagster's user interface writes it, a list, or a key."""

RESOURCE = "telemetry"
"""The key of the resource, after the prefix of names."""


def key_of(key: Key) -> dg.AssetKey:
    """The asset key that somebody wrote."""
    return dg.AssetKey.from_user_string(key) if isinstance(key, str) else dg.AssetKey.from_coercible(key)


def prefix_of(key: Key) -> tuple[str, ...]:
    """The prefix of keys that somebody wrote; empty for an empty text."""
    return tuple(part for part in key_of(key).path if part)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all that is built from one settings file.

    Attributes:
        name_prefix: Begins the names of ops, jobs, schedules and sensors, which are global in a code location.
        key_prefix: Begins the keys of assets.
        group_name: The group of all assets; None for a group per source, of its name
            with underscores instead of hyphens.
        resource_key: The key of the resource; None for ``telemetry`` after the prefix of names.
        events_keys: The assets that hold the events of sources, where other code defines them.

    Raises:
        SettingsError: If the prefix of names has other characters than Dagster allows.
    """

    name_prefix: str = ""
    key_prefix: tuple[str, ...] = ()
    group_name: str | None = None
    resource_key: str | None = None
    events_keys: Mapping[str, dg.AssetKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w*", self.name_prefix, re.ASCII):
            raise SettingsError(
                f"name_prefix requires letters, digits and underscores, but {self.name_prefix!r} was found; "
                "use a prefix such as web_."
            )

    @property
    def resource(self) -> str:
        """The key of the resource."""
        return self.resource_key or self.named(RESOURCE)

    def named(self, name: str) -> str:
        """The name of what belongs to no single source, such as a sensor."""
        return f"{self.name_prefix}{name}"

    def of(self, source: str) -> SourceNames:
        """The names of what belongs to a source."""
        return SourceNames(source, self)


@dataclass(frozen=True, slots=True)
class SourceNames:
    """The names of all that is built for one source."""

    source: str
    names: Names

    @property
    def group(self) -> str:
        """The group of the assets."""
        return self.names.group_name or plain_name(self.source)

    @property
    def resource(self) -> str:
        """The key of the resource."""
        return self.names.resource

    @property
    def events(self) -> dg.AssetKey:
        """The key of the telemetry itself."""
        return self.names.events_keys.get(self.source) or self._key("events")

    @property
    def aggregates(self) -> dg.AssetKey:
        """The key of the counts."""
        return self._key("event_aggregates")

    @property
    def sample(self) -> dg.AssetKey:
        """The key of the sample."""
        return self._key("event_sample")

    @property
    def snapshot(self) -> dg.AssetKey:
        """The key of the integrity snapshot."""
        return self._key("integrity_snapshot")

    @property
    def training(self) -> dg.AssetKey:
        """The key of the training days."""
        return self._key("training_days")

    @property
    def expected_volume(self) -> dg.AssetKey:
        """The key of the forecast."""
        return self._key("expected_volume")

    @property
    def current_day(self) -> dg.AssetKey:
        """The key of the running day."""
        return self._key("current_day")

    @property
    def materialized(self) -> tuple[dg.AssetKey, ...]:
        """The keys of all assets that runs materialize."""
        return self.aggregates, self.sample, self.snapshot

    @property
    def materialize_day(self) -> str:
        """The name of the job that reads and judges a day."""
        return self.named("materialize_day")

    @property
    def recheck_day(self) -> str:
        """The name of the job that checks a day again."""
        return self.named("recheck_day")

    def named(self, name: str) -> str:
        """The name of an op, a job or a schedule."""
        return self.names.named(f"{plain_name(self.source)}_{name}")

    def _key(self, name: str) -> dg.AssetKey:
        return dg.AssetKey([*self.names.key_prefix, self.source, name])
