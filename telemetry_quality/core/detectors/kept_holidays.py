"""Kept holidays: which country's holidays a stream keeps, learnt from its own days where no calendar was set."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from math import exp, log
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import HOLIDAY, calendar_effects

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry_quality.core.calendar_effects import CalendarEffect

COUNTRIES = ("US", "GB", "DE", "FR", "JP", "BR", "CA", "IT", "ES", "AU", "KR", "CN", "MX", "NL")
"""The calendars that are tried, of large economies whose holidays are known for any year."""

NONE_SHARE, FIRST_SHARE = 0.5, 0.15
"""Prior probability that a stream keeps no holidays, and that it keeps those of the first country; the others share the
rest. A day that is a holiday in several of them is thus possible from the start, one of a single smaller country only
after another holiday of that country was quiet."""

NO_COUNTRY = ""

KEPT_QUIET, KEPT_ORDINARY = 0.6, 0.4
"""How likely a holiday that the stream keeps is a quiet day, and an ordinary one."""

OTHER_QUIET, OTHER_ORDINARY = 0.03, 0.97
"""The same for any other day."""

POSSIBLE = 0.05
"""Probability from which on a day may be a holiday of the stream."""

NEAR_SHARE = 0.3
"""How likely a day near a holiday is quiet, relative to the holiday itself."""

LEAST_LOG = -12.0
"""Smallest log weight of a calendar, so that one odd year does not rule it out for ever."""


@lru_cache(maxsize=8)
def _effects_in(year: int) -> Mapping[date, Mapping[str, CalendarEffect]]:
    """The calendar effects of the year's days, by country."""
    found: defaultdict[date, dict[str, CalendarEffect]] = defaultdict(dict)
    for country in COUNTRIES:
        for day, effect in calendar_effects(country, year).items():
            if day.year == year:
                found[day][country] = effect
    return dict(found)


class KeptHolidays:
    """How likely each country's holidays are the stream's own (Bayes' rule over the days seen)."""

    def __init__(self) -> None:
        other = (1 - NONE_SHARE - FIRST_SHARE) / (len(COUNTRIES) - 1)
        self.logs = dict.fromkeys(COUNTRIES, log(other)) | {COUNTRIES[0]: log(FIRST_SHARE), NO_COUNTRY: log(NONE_SHARE)}

    def possible(self, day: date) -> CalendarEffect | None:
        """The likeliest reason why the day may be a holiday of this stream; None if that is unlikely."""
        effects = _effects_in(day.year).get(day, {})
        if not effects:
            return None
        total = sum(exp(weight) for weight in self.logs.values())
        shares = {
            country: exp(self.logs[country]) / total * (1.0 if effect.kind == HOLIDAY else NEAR_SHARE)
            for country, effect in effects.items()
        }
        return effects[max(shares, key=lambda country: shares[country])] if sum(shares.values()) > POSSIBLE else None

    def learn(self, day: date, *, is_quiet: bool) -> None:
        """Learn whether a day that is a holiday somewhere was far quieter than an ordinary day."""
        effects = _effects_in(day.year).get(day, {})
        if not effects or not any(effect.kind == HOLIDAY for effect in effects.values()):
            return
        for country in self.logs:
            is_kept = country in effects and effects[country].kind == HOLIDAY
            quiet, ordinary = (KEPT_QUIET, KEPT_ORDINARY) if is_kept else (OTHER_QUIET, OTHER_ORDINARY)
            self.logs[country] += log(quiet if is_quiet else ordinary)
        best = max(self.logs.values())
        self.logs = {country: max(weight - best, LEAST_LOG) for country, weight in self.logs.items()}
