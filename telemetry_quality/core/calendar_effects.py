"""Calendar effects: public holidays and the days near them, by country; each stream shows what it does on them."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOLIDAY, NEAR, BETWEEN = "holiday", "near a holiday", "between the years"


class CalendarEffect(NamedTuple):
    """Why a day is not ordinary, and a name that comes back every year."""

    kind: str
    name: str


def is_holiday_country(region: str) -> bool:
    """Whether the ``holidays`` library has calendars for the country of ``region``."""
    from holidays.registry import EntityLoader  # noqa: PLC0415 - late: only policies with a calendar need it

    return region.partition("-")[0] in set(EntityLoader.get_country_codes())


@lru_cache(maxsize=16)
def holiday_calendar(region: str | None, year: int) -> frozenset[date]:
    """Public holidays of ``region`` (``US`` or ``US-NY``) in ``year`` and the year before.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    return frozenset(_named_holidays(region, year - 1, year))


def _named_holidays(region: str | None, first_year: int, last_year: int) -> dict[date, str]:
    if region is None:
        return {}
    import holidays  # noqa: PLC0415 - imported late, since only policies with a calendar need it

    country, _, subdivision = region.partition("-")
    years = range(first_year, last_year + 1)
    try:
        known = holidays.country_holidays(country, subdiv=subdivision or None, years=years)
    except NotImplementedError:
        raise SettingsError(
            f"holidays requires a country or country-subdivision code that the holidays library knows, "
            f"such as US or US-NY, but {region!r} was found; correct it or remove the setting."
        ) from None
    return {day: name.removesuffix(" (observed)") for day, name in known.items()}


@lru_cache(maxsize=16)
def calendar_effects(region: str | None, year: int) -> Mapping[date, CalendarEffect]:
    """Holidays of ``region`` and the days they affect, from two years before ``year`` to the year after.

    Near a holiday are the Friday after a Thursday holiday, the Monday before a Tuesday holiday, and, if Christmas is a
    holiday, 24, 26 and 31 December; between the years are 27 to 30 December.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    named = _named_holidays(region, year - 2, year + 1)
    effects = {day: CalendarEffect(HOLIDAY, name) for day, name in named.items()}
    for day, name in sorted(named.items(), key=itemgetter(0)):
        for near, why in _bent_by(day, name):
            effects.setdefault(near, why)
    return effects


def _bent_by(holiday: date, name: str) -> list[tuple[date, CalendarEffect]]:
    if (holiday.month, holiday.day) == (12, 25):
        near = [(date(holiday.year, 12, n), CalendarEffect(NEAR, f"{n} December")) for n in (24, 26, 31)]
        return near + [(date(holiday.year, 12, n), CalendarEffect(BETWEEN, "Christmas week")) for n in range(27, 31)]
    if holiday.weekday() == 3:
        return [(holiday + ONE_DAY, CalendarEffect(NEAR, f"day after {name}"))]
    if holiday.weekday() == 1:
        return [(holiday - ONE_DAY, CalendarEffect(NEAR, f"day before {name}"))]
    return []
