"""Slow leaks: a loss of a few percent a day, which any baseline that follows the stream comes to expect."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from math import exp, log, sqrt
from statistics import median
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.detectors.expected_volume import HISTORY_DAYS
from telemetry_quality.core.detectors.ramp import is_ramp
from telemetry_quality.core.detectors.robust import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

RECENT_DAYS, RECENT_MINIMUM = 8, 5
"""How many of the last ordinary days are judged by their median fall, and how few of them are enough."""
RECENT_REACH_DAYS = 28
"""Greatest age of the oldest of them."""
REFERENCE_DAYS = (21, 28, 35, 42, 49)
REFERENCE_MINIMUM = 2
"""The days before each day that it is compared with, and how many of them must be known."""
SETTLED_DAYS = 28
"""Smallest age of the days that give the spread: a leak must not widen the spread it is judged by."""

FIRST_SPREAD, FIRST_SPREAD_DAYS = 0.08, 30
SMALLEST_SPREAD = 0.03
"""Spread of the falls before any is known, the days of evidence this prior is worth, and the smallest spread."""
BODY_QUANTILE, BODY_SIGMAS = 0.8, 1.28
"""Four of five earlier falls and rises are smaller than the spread times BODY_SIGMAS, as with a normal distribution."""
LARGEST_FALL = 0.5
"""Falls of the log count are clipped here: larger ones were steps, seasons and outages, or the stream is so restless
that a wider spread would hide any leak."""
NOISE_DAYS = 120
NOISE_SHARE = 0.6
"""The latest settled days whose changes from day to day show the noise, and its least share of the spread: a median of
eight days has 0.44 of a single one's noise, and a fall that is no larger than that proves nothing."""
MEDIAN_SPREAD = 0.6
"""Spread of a median of eight counts less a median of a few others, relative to that of a single Poisson count."""
FAR_FALL, FAR_SIGMAS = 0.7, 3
OUTAGE_MINIMUM, OUTAGE_DAYS = 3, 21
"""So many days in a row that lie farther than FAR_FALL from their references, in logs, and than FAR_SIGMAS of a Poisson
count, and are back near them within OUTAGE_DAYS, were an outage; fewer hardly move a median."""
LAST_YEAR_DAYS = 364
LAST_YEAR_SHARE = 0.8
"""The share of the same weekday's fall a year before that counts as seasonal."""

LATEST_DAYS = 4
OWN_SHARE = 0.5
"""A leak goes on: the last LATEST_DAYS are no better than the RECENT_DAYS, and the day shows OWN_SHARE of the fall."""
GROWTH_DAYS, GROWTH_SHARE = 7, 0.15
"""How much of the fall came within the last GROWTH_DAYS, at least."""
GROWTH_REACH_DAYS = 7
"""How much older the fall may be that stands for the one of GROWTH_DAYS before."""
SHAPE_DAYS, SHAPE_MINIMUM = 42, 12
"""The days on which a step and a ramp are compared, and how many of them must be known."""


@dataclass(frozen=True, slots=True)
class LeakEvidence:
    """How the recent days compare with those a few weeks before.

    Attributes:
        drop_percent: How far the recent level lies below the older reference; negative if it lies above.
        scale: The drop in sigmas.
        is_slow: Whether the level came down little by little and still does. A step, a loss that has come to its end
            and a few bad days are not slow losses.
        since: About when the loss began.
        reference_events: Events a day that the reference suggests for the recent days.
        recent_events: Events a day on the recent days.
    """

    drop_percent: float
    scale: float
    is_slow: bool
    since: date
    reference_events: float
    recent_events: float


@dataclass(frozen=True, slots=True)
class RestSettings:
    """The days that a stream's level does not show on.

    Attributes:
        holidays: Country, or country and subdivision, whose calendar effects count; None for no holidays.
        weekdays: Weekdays, as ``date.weekday`` counts them, on which the stream rests.
        dates: Dates on which it rests.
    """

    holidays: str | None = None
    weekdays: Collection[int] = ()
    dates: Collection[date] = ()

    def is_ordinary(self, day: date) -> bool:
        """Whether ``day`` is neither a day of rest nor a holiday or near one.

        Raises:
            SettingsError: If the ``holidays`` library does not know the region.
        """
        return (
            day.weekday() not in self.weekdays
            and day not in self.dates
            and day not in calendar_effects(self.holidays, day.year)
        )


def leak(
    day: date, history: Mapping[date, int], rest: RestSettings, new_levels: Collection[date] = ()
) -> LeakEvidence | None:
    """How far the last ordinary days lie below those three to seven weeks before; None if too few are known.

    Each ordinary day is compared with the median of the same weekday in the reference weeks; the median of the
    last RECENT_DAYS comparisons is the fall (in logs). Its spread comes from the BODY_QUANTILE of the stream's earlier
    falls and rises, with a prior, so that a summer, an outage or a new level hardly widens it. Most of the fall on
    the same days of last year is seasonal and not a leak. What tells a leak from other falls is its shape: see
    ``_is_slow``. Holidays, days of rest and empty days neither teach nor are judged. docs/explanation/detection.md
    has figures.

    Args:
        day: The day to be judged; ``history`` holds its own count too, and later days there are ignored.
        history: Events per readable day.
        rest: The days that are not ordinary.
        new_levels: Days from which on somebody accepted another level as normal; nothing is compared across them.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    path = _compare(day, history, rest, sorted(new.toordinal() for new in new_levels if new <= day))
    singles, falls, logs = path.singles, path.falls, path.logs
    today = day.toordinal()
    recent = list(falls)[-RECENT_DAYS:]
    if not recent or recent[-1] != today or recent[0] < today - RECENT_REACH_DAYS:
        return None
    level = median(logs[past] for past in recent)
    fall = falls[today] - LAST_YEAR_SHARE * max(falls.get(today - LAST_YEAR_DAYS, 0.0), 0.0)
    settled = today - SETTLED_DAYS
    spread = max(
        _spread([past_fall for past, past_fall in falls.items() if past <= settled]),
        _noise([single for past, single in singles.items() if past <= settled]),
        MEDIAN_SPREAD * exp(-level / 2),
    )
    return LeakEvidence(
        drop_percent=100 * (1 - exp(-fall)),
        scale=fall / spread,
        is_slow=_is_slow(singles, falls),
        since=date.fromordinal(_since(falls, spread)),
        reference_events=exp(level + fall),
        recent_events=exp(level),
    )


@dataclass(slots=True)
class _Compared:
    """By ordinal day: how far each ordinary day lies below its references, the medians of these, and the log counts.

    Positive means lower.
    """

    singles: dict[int, float]
    falls: dict[int, float]
    logs: dict[int, float]
    latest: list[float] = field(default_factory=list)

    def add(self, day: int, single: float) -> None:
        self.singles[day] = single
        self.latest = [*self.latest[1 - RECENT_DAYS :], single]
        if len(self.latest) >= RECENT_MINIMUM:
            self.falls[day] = median(self.latest)

    def start_afresh(self) -> None:
        self.latest = []

    def forget(self, outage: Sequence[int]) -> None:
        """Leave out the days of an outage, which has ended: they are no reference, and show no fall."""
        for day in outage:
            del self.logs[day], self.singles[day]
            self.falls.pop(day, None)
        self.latest = list(self.singles.values())[-RECENT_DAYS:] if self.latest else []


def _compare(day: date, history: Mapping[date, int], rest: RestSettings, new_levels: Sequence[int]) -> _Compared:
    start = day - timedelta(days=HISTORY_DAYS)
    known = [past for past in sorted(history) if start <= past <= day and rest.is_ordinary(past)]
    logs = {past.toordinal(): log(history[past]) for past in known if history[past]}
    empty = {past.toordinal() for past in known if not history[past]}
    path = _Compared({}, {}, logs)
    far: list[int] = []
    level = 0
    for past, value in list(logs.items()):
        if (since := bisect_right(new_levels, past)) != level:
            level, far = since, []
            path.start_afresh()
        oldest = new_levels[level - 1] if level else 0
        weeks = [earlier for n in REFERENCE_DAYS if (earlier := past - n) >= oldest]
        references = [logs[earlier] for earlier in weeks if earlier in logs]
        is_usually_empty = empty and sum(earlier in empty for earlier in weeks) > len(references)
        if len(references) < REFERENCE_MINIMUM or is_usually_empty:
            continue
        reference = median(references)
        single = reference - value
        if far and abs(single) < FAR_FALL / 2:
            if len(far) >= OUTAGE_MINIMUM and past - far[0] <= OUTAGE_DAYS:
                path.forget(far)
            far = []
        elif abs(single) > max(FAR_FALL, FAR_SIGMAS * exp(-reference / 2)):
            far.append(past)
        path.add(past, single)
    return path


def _spread(settled: Sequence[float]) -> float:
    sizes = sorted(abs(fall) for fall in settled)
    body = min(sizes[int(BODY_QUANTILE * (len(sizes) - 1))], LARGEST_FALL) / BODY_SIGMAS if sizes else 0.0
    squares = len(sizes) * body**2 + FIRST_SPREAD_DAYS * FIRST_SPREAD**2
    return max(sqrt(squares / (len(sizes) + FIRST_SPREAD_DAYS)), SMALLEST_SPREAD)


def _noise(settled: Sequence[float]) -> float:
    """How much of the spread the stream's noise from day to day makes inevitable, however few falls are known."""
    latest = settled[-NOISE_DAYS:]
    if len(latest) < RECENT_DAYS:
        return 0.0
    changes = [later - earlier for earlier, later in pairwise(latest)]
    return NOISE_SHARE * robust_sigma(changes, 0.0) / sqrt(2)


def _is_slow(singles: dict[int, float], falls: dict[int, float]) -> bool:
    """Whether the fall came little by little and goes on, which noise, steps and what follows an outage do not."""
    today, fall = next(reversed(falls.items()))
    latest = list(singles.values())[-LATEST_DAYS:]
    if fall <= 0 or median(latest) < fall or latest[-1] < OWN_SHARE * fall:
        return False
    before = _fall_before(today - GROWTH_DAYS, falls)
    if before is None or fall - before < GROWTH_SHARE * fall:
        return False
    shape = [single for past, single in singles.items() if past > today - SHAPE_DAYS]
    return len(shape) >= SHAPE_MINIMUM and is_ramp(shape)


def _fall_before(day: int, falls: Mapping[int, float]) -> float | None:
    """The fall of the latest day not after ``day``; None if that is too old."""
    ages = range(GROWTH_REACH_DAYS + 1)
    return next((falls[day - age] for age in ages if day - age in falls), None)


def _since(falls: dict[int, float], spread: float) -> int:
    """The start of the last unbroken series of days more than one spread low, moved back by half a median's window."""
    began = last = next(reversed(falls))
    for past in reversed(falls):
        if falls[past] <= spread and past != last:
            break
        began = past
    return began - RECENT_DAYS // 2
