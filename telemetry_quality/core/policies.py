"""The settings of the judgement, each declared once, and the policy: their values when a day is judged.

A guardrail declares its threshold and settings in its own file; this file declares shared settings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from telemetry_quality.core.calendar_effects import is_holiday_country
from telemetry_quality.core.days import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A setting of the judgement, under ``[sources.NAME.guardrails]``.

    Attributes:
        name: The key; ends in the unit.
        default: The value if nothing is set; its type is the type of the setting.
        description: What the setting means, for the docs.
        minimum: The lowest value allowed; None for no limit.
        maximum: The highest value allowed; None for no limit.
        is_below_maximum: Whether ``maximum`` itself is not allowed.
        complaint: Returns what is wrong with a value, as in "must be one of a, b"; None if nothing is.
    """

    name: str
    default: T
    description: str
    minimum: float | None = None
    maximum: float | None = None
    is_below_maximum: bool = False
    complaint: Callable[[T], str | None] = lambda _: None


class Direction(StrEnum):
    """Which side of a threshold fails."""

    ABOVE = "above"
    BELOW = "below"
    EITHER = "either"
    """Too far from what is expected, up or down."""


@dataclass(frozen=True, slots=True)
class Threshold(Setting[float]):
    """A setting that a guardrail compares its number with; strictly beyond it, the day fails.

    Attributes:
        fails: Which side fails.
        proposed: The lowest and the highest value that tuning may propose: stricter values alarm on noise, looser
            values only on disasters.
    """

    fails: Direction = Direction.ABOVE
    proposed: tuple[float, float] = (0.1, 50.0)


def percent_threshold(
    name: str, default: float, description: str, proposed: tuple[float, float], fails: Direction = Direction.ABOVE
) -> Threshold:
    """A threshold of a share, 0 to 100 %."""
    return Threshold(name, default, description, 0, 100, fails=fails, proposed=proposed)


def one_of(*choices: str) -> Callable[[str], str | None]:
    """The complaint about a value that is not among ``choices``."""
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def _holidays_complaint(value: str | None) -> str | None:
    # Only the country: the library loads every calendar to know subdivisions, and this runs at each import of the
    # code location. ``telemetry-quality check`` and the first use check the rest.
    if value is None or (re.fullmatch(r"[A-Z]+(-\w+)?", value) and is_holiday_country(value)):
        return None
    return "must be a country or country-subdivision code such as US or US-NY"


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""How ``rest`` names the weekdays, in the order of ``date.weekday``."""

LONGEST_REST_DAYS = 400
"""How many days a range in ``rest_days`` may have: more is a mistyped year."""


def _rest_complaint(value: tuple[str, ...]) -> str | None:
    return None if set(value) <= set(WEEKDAYS) else f"must hold only {', '.join(WEEKDAYS)}"


@lru_cache(maxsize=16)
def rest_dates(rest_days: tuple[str, ...]) -> frozenset[date]:
    """The dates of the setting ``rest_days``.

    Raises:
        ValueError: If an entry is neither a date nor a range ``FIRST...LAST`` of at most LONGEST_REST_DAYS.
    """
    days: set[date] = set()
    for entry in rest_days:
        first_text, _, last_text = entry.partition("...")
        first = date.fromisoformat(first_text)
        last = date.fromisoformat(last_text) if last_text else first
        if not 0 <= (last - first).days < LONGEST_REST_DAYS:
            raise ValueError(f"{entry} is not a range of days")
        days.update(first + n * ONE_DAY for n in range((last - first).days + 1))
    return frozenset(days)


def _rest_days_complaint(value: tuple[str, ...]) -> str | None:
    try:
        rest_dates(value)
    except ValueError:
        return "must hold only dates such as 2025-12-24, or ranges of dates such as 2025-07-28...2025-08-10"
    return None


BASELINES = ("weekday", "trailing_mean")

BASELINE = Setting(
    "baseline",
    "weekday",
    "how the expected volume is found: `weekday` ([how](detection.md)) or `trailing_mean` (of 7 days)",
    complaint=one_of(*BASELINES),
)
HOLIDAYS: Setting[str | None] = Setting(
    "holidays",
    None,
    "country or country-subdivision whose public holidays the stream keeps, such as `US` or `US-NY`",
    complaint=_holidays_complaint,
)
INTERVAL_PERCENT = Setting(
    "interval_percent", 99.0, "how many normal days lie within the interval", 50, 100, is_below_maximum=True
)
MINIMUM_EVENTS = Setting(
    "minimum_events",
    20,
    "where fewer are expected, the volume is judged by the sum of several days, and neither silence nor the volume of "
    "a segment is judged",
    0,
)
NOTHING: tuple[str, ...] = ()

REST = Setting(
    "rest",
    NOTHING,
    'weekdays on which the stream may rest, such as `["sat", "sun"]`: fewer events than usual, or none, pass',
    complaint=_rest_complaint,
)
REST_DAYS = Setting(
    "rest_days",
    NOTHING,
    'dates on which it may rest, known beforehand, such as `["2025-07-28...2025-08-10"]`; they are not learnt from',
    complaint=_rest_days_complaint,
)
COMPLETE_PERCENT = Setting(
    "complete_percent", 99.0, "a day is provisional until this share of its events has usually arrived", 0, 100
)
SAMPLE_SIZE = Setting("sample_size", 100, "events drawn from each day", 1, 100_000)

SHARED: tuple[Setting[Any], ...] = (
    BASELINE,
    HOLIDAYS,
    INTERVAL_PERCENT,
    MINIMUM_EVENTS,
    REST,
    REST_DAYS,
    COMPLETE_PERCENT,
    SAMPLE_SIZE,
)
"""Settings that several guardrails share."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The values in force when a day is judged, by the name of their setting; immutable and comparable.

    ``core.guardrails.catalogue`` makes policies that hold every setting.
    """

    values: Mapping[str, Any]

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value of ``setting``.

        Raises:
            KeyError: If the policy was made without it.
        """
        value: T = self.values[setting.name]
        return value

    def changed(self, setting: Setting[T], value: T) -> Policy:
        """The same policy with another value for one setting."""
        return Policy({**self.values, setting.name: value})

    def text(self) -> str:
        """Canonical JSON: two policies are equal exactly when their texts are."""
        return json.dumps(self.values, sort_keys=True, separators=(",", ":"))


def is_day_of_rest(day: date, policy: Policy) -> bool:
    """Whether the settings say that the stream may rest on ``day``."""
    return WEEKDAYS[day.weekday()] in policy[REST] or day in rest_dates(policy[REST_DAYS])
