"""Event roles: which column plays which role, and the shares that users define."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

DEFAULT_MISSING_VERSIONS = (
    *("unknown", "unknown_service*", "(unknown)", "(not set)", "not set"),
    *("undefined", "null", "(null)", "none", "nil", "nan", "[object Object]", r"\N", "n/a", "#n/a", "na", "-1"),
    *("unspecified", "(devel)", "0.0.0", "v0.0.0", "0.0.0.0", "0+unknown", "0.0.0+unknown"),  # noqa: S104 - no address
    *("0.0.0-development", "0.0.0-semantically-released", "0.0.0-semantic-release", "0.0.0-placeholder"),
    *("<nil>", "<null>", "<na>", "${*}", "$(*)", "{{*}}", "@*@", "%*%", "__*__"),
)
"""What clients and build tools write where they know no version; docs/reference/settings.md names who writes which."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share that users define: the percentage of the events that match ``of`` for which ``where`` holds too.

    Both are boolean columns or expressions over the source's columns. What is null does not hold.

    Attributes:
        of: None for a share of all events.
        above_percent: A day fails strictly above it; None without an upper limit.
        below_percent: A day fails strictly below it; None without a lower limit.
        level: The level of a failure, a value of ``guardrails.verdicts.Level``.
        description: What the share means, for people.
    """

    name: str
    where: str
    of: str | None = None
    above_percent: float | None = None
    below_percent: float | None = None
    level: str = "WARNING"
    description: str | None = None

    @property
    def base_name(self) -> str | None:
        """The name of the count of events that match ``of``; None for a share of all events."""
        return None if self.of is None else f"{self.name}.of"

    def is_counted(self, names: Container[str]) -> bool:
        """Whether counts with these names belong to this rate: with ``of`` if it has one, or else without."""
        return self.name in names and (f"{self.name}.of" in names) == (self.of is not None)

    def found(self, counts: Mapping[str, int], events: int) -> tuple[int, int] | None:
        """The events that match, and the events that they are a share of; None if they were not counted.

        Args:
            counts: The counts of a day or of a segment, by name.
            events: All events of the same day or segment.
        """
        if not self.is_counted(counts):
            return None
        return counts[self.name], events if self.base_name is None else counts[self.base_name]

    def as_json(self, counts: Mapping[str, int], events: int) -> dict[str, Any]:
        """The numbers of ``found`` and the share, by name."""
        matching, base = self.found(counts, events) or (None, None)
        percent = 100 * matching / base if base and matching is not None else None
        return {"matching_events": matching, "base_events": base, "percent": percent}


OPTIONAL_ROLES = ("event_id", "service_version", "is_error", "observed_at")
"""Roles that a source may leave out by choice: what they are needed for is then not judged."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """What plays which role in a source's events: a column, or an expression over columns.

    An expression may reach into structs, maps and JSON, as ``properties.$lib_version`` does; what else is allowed is in
    ``sources/expressions.py``.

    Attributes:
        event_id: None if events have no id: then events whose roles are all equal count as duplicates.
        service_version: None if events have no version, by choice: then none is missing.
        is_error: Whether an event is an error: a boolean column or an expression. Null means unknown; None means that
            no event says so, by choice.
        critical_fields: Columns, expressions, or names of ``named``.
        dimensions: The same.
        named: The expression for each critical field and dimension that has a name of its own.
        hash_event_ids: Whether sampled ids are replaced by their SHA-256 before anything keeps or shows them.
        where: Which rows are events of this source: a condition; None for all. Rows for which it is null are not.
        missing_versions: Texts that stand for "no version", in upper or lower case; ``*`` matches any text. What holds
            neither a letter nor a digit (null, empty, blank, ``-``) is always missing.
        time_unit: Unit of times that are numbers since 1970: ``s``, ``ms``, ``us``, ``ns`` or ``auto``; of both roles
            or by role.
        time_format: How times are written as text, such as ``%d/%m/%Y %H:%M:%S``; of both roles or by role. None for
            the forms that need no setting, see ``core.time_forms``.
        allowed_lateness_minutes: An event observed later than this after it occurred counts as late.
        future_tolerance_minutes: An event observed more than this before it occurred is in the future.
        stale_after_days: An event observed later than this after it occurred is in the far past.
        rates: Shares of the day's events that are counted in addition to those that every source has.
    """

    event_id: str | None
    occurred_at: str
    event_name: str
    service_version: str | None
    is_error: str | None
    critical_fields: tuple[str, ...] = ()
    observed_at: str | None = None
    dimensions: tuple[str, ...] = ()
    missing_versions: tuple[str, ...] = DEFAULT_MISSING_VERSIONS
    time_unit: str | Mapping[str, str] | None = None
    time_format: str | Mapping[str, str] | None = None
    allowed_lateness_minutes: int = 60
    future_tolerance_minutes: int = 10
    stale_after_days: int = 7
    rates: tuple[Rate, ...] = ()
    where: str | None = None
    hash_event_ids: bool = False
    named: Mapping[str, str] = field(default_factory=dict)

    def expression_of(self, name: str) -> str:
        """What a critical field or dimension is read from; any other text is returned unchanged."""
        return self.named.get(name, name)

    def unit_of(self, role: str) -> str | None:
        """The unit of ``occurred_at`` or ``observed_at``, if it is a number."""
        return _of_role(self.time_unit, role)

    def format_of(self, role: str) -> str | None:
        """The format of ``occurred_at`` or ``observed_at``, if it is text of a form that has to be named."""
        return _of_role(self.time_format, role)

    @property
    def absent_roles(self) -> frozenset[str]:
        """The roles that nothing plays, by choice."""
        return frozenset(role for role in OPTIONAL_ROLES if getattr(self, role) is None)

    def without(self, roles: Collection[str]) -> EventSchema:
        """The same schema where nothing plays ``roles``, a part of OPTIONAL_ROLES."""
        absent: dict[str, Any] = dict.fromkeys(roles)
        return replace(self, **absent) if roles else self

    def format_for(self, text: str) -> str | None:
        """The format of the time that is read from ``text``."""
        return self.format_of("occurred_at" if text == self.occurred_at else "observed_at")

    @property
    def rate_counts(self) -> tuple[str, ...]:
        """What is counted for the rates: ``NAME``, then ``NAME.of`` unless the rate is a share of all events."""
        names = ((rate.name, rate.base_name) for rate in self.rates)
        return tuple(name for name in chain.from_iterable(names) if name is not None)

    def is_missing_version(self, version: str | None) -> bool:
        """Whether ``version`` does not say which release sent the event, although events have versions."""
        if self.service_version is None:
            return False
        text = (version or "").strip().casefold()
        if not any(map(str.isalnum, text)):
            return True
        return _any_of(self.missing_versions).fullmatch(text) is not None


def _of_role(setting: str | Mapping[str, str] | None, role: str) -> str | None:
    return setting if setting is None or isinstance(setting, str) else setting.get(role)


@lru_cache(maxsize=64)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Matches every text that one of ``patterns`` describes, and nothing if there are none."""
    several = (".*".join(map(re.escape, pattern.casefold().split("*"))) for pattern in patterns)
    return re.compile("|".join(several) or r"(?!)", re.DOTALL)
