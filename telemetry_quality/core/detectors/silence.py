"""Silence: the parts of a stream that were there every day and have stopped.

The total need not move: a platform with 3 % of the events can be gone for weeks inside a healthy stream. Versions
are not watched here, since each of them ends one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.calendar_effects import holiday_calendar
from telemetry_quality.core.detectors.windows import WINDOW_MINIMUM, Window
from telemetry_quality.core.events import EVENT_NAME, OTHER_VALUES, SERVICE_VERSION, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import SliceCounts

SILENT_RATIO = 0.02
"""Up to this part of what is usual counts as silent: stragglers of a stopped client still arrive."""
ACCEPTED_AFTER_DAYS = 21
"""A silence this old is the new normal: half of the window then holds no sign of the slice any more."""
CHANCE = 1e-5
"""A slice is silent only if its own history makes so few events less likely than this: with 300 slices at most
0.3 false alarms in 100 days."""
RATIOS_MINIMUM = 5
"""Fewer days that can be compared do not show that a part is regular."""
STEADY_DAYS = 4
"""So many days of a weekday may hold one exception, which may have been a silence; fewer may hold none."""
FADE_DAYS, FADE_RATIO = 4, 0.5
"""A part had faded where two of so many last days lay below this part of the usual."""
REST_RATIO = 0.02
"""Where the other events are fewer than this part of all, they cannot show what kind of day it is."""
QUIET_RATIO = 0.7
"""A day whose other events are fewer than this part of the usual is compared with the quietest weekday."""
BURSTS = 2
"""So many of the busiest days are left out of what a part varies: bursts say nothing about silence."""
FEW_DAYS_DOUBT = 10
"""Over the days known, the part by which what a part varies is widened, since few days show little."""
LEAST_VARIATION = 1e-3
"""What a part varies beyond chance at least, so that the bound is defined."""


class Silent(NamedTuple):
    """A part that is gone: what was expected of it on the day, what was found, and since when it has been so."""

    part: Slice
    expected: float
    found: int
    since: date
    has_faded: bool


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of one part before it fell silent.

    Attributes:
        usual: Median events per weekday on which it is regular; 0 where it is regularly absent.
        ratios: Its events as a part of that on each earlier day, freed of the whole stream's own dips.
    """

    usual: Mapping[int, float]
    ratios: Sequence[float]
    has_irregular_weekdays: bool


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """What is set of silence.

    Attributes:
        minimum_events: Parts of which fewer are expected are not watched.
        holidays: Country, or country and subdivision, whose holidays count; None for no holidays.
    """

    minimum_events: int
    holidays: str | None = None


def silent_segments(window: Window, settings: SilenceSettings, completeness_percent: float | None) -> list[Silent]:
    """Everything regular that is silent on the day, the most expected first; parts of it are not named again.

    A part is silent from its first day on until ACCEPTED_AFTER_DAYS later. What is expected of it shrinks with the
    others where the whole stream does.

    Args:
        window: The day and those before it, WINDOW_MINIMUM of them at least.
        settings: What is too small to be watched, and which holidays there are.
        completeness_percent: How much of the day has usually arrived; what may still arrive is not silent.
    """
    return _without_children(list(_silent_segments(window, settings, completeness_percent)))


def _silent_segments(window: Window, settings: SilenceSettings, completeness_percent: float | None) -> Iterator[Silent]:
    """Everything silent on the day; looks first at what the same weekday usually has, which is soon done."""
    today, weekday = window.slices[window.day], window.day.weekday()
    peers = [window.slices[past] for past in window.days if past.weekday() == weekday]
    to_come = window.weekday_totals.get(weekday, 0.0) * (1 - (completeness_percent or 100.0) / 100)
    other = _most_hidden_by_other(today)
    for part in set().union(*peers):
        if not _is_watched(part):
            continue
        found = today[part].events if part in today else 0
        most = max(peer[part].events for peer in peers if part in peer)
        if most < settings.minimum_events or found > SILENT_RATIO * most:
            continue
        silent = _silence(window, part, found, settings)
        # What may still arrive, or be hidden among the day's other values, is not silent.
        if (
            silent is not None
            and silent.expected > to_come
            and (found or other.get(part.dimension, 0) <= SILENT_RATIO * silent.expected)
        ):
            yield silent


def _is_watched(part: Slice) -> bool:
    return part.by in {None, EVENT_NAME} and part.dimension != SERVICE_VERSION and OTHER_VALUES not in part


def _most_hidden_by_other(today: Mapping[Slice, SliceCounts]) -> dict[str, int]:
    """Per dimension, how many events a value may have that is not listed: fewer than any value that is."""
    hidden = {part.dimension: today[part].events for part in today if part.value == OTHER_VALUES and part.by is None}
    for part, counts in today.items() if hidden else ():
        if part.by is None and part.dimension in hidden:
            hidden[part.dimension] = min(hidden[part.dimension], counts.events)
    return hidden


def _silence(window: Window, part: Slice, found: int, settings: SilenceSettings) -> Silent | None:
    """Whether ``part`` is silent on the day, judged by the days before it became so."""
    slices = window.slices
    counts = [(past, slices[past][part].events if part in slices[past] else 0) for past in window.days]
    # A young part is compared with its own days only.
    counts = counts[next(index for index, (_, count) in enumerate(counts) if count) :]
    stragglers = SILENT_RATIO * median(count for _, count in counts if count)
    end = len(counts)
    while counts[end - 1][1] <= stragglers:
        end -= 1
    if end < WINDOW_MINIMUM:
        return None
    past = _past_of(counts[:end], window)
    since = next((day for day, _ in counts[end:] if past.usual.get(day.weekday())), window.day)
    expected = _expected(window, past, found, settings)
    if expected < settings.minimum_events or found > SILENT_RATIO * expected or not _is_regular(past.ratios):
        return None
    is_accepted = (window.day - since).days >= ACCEPTED_AFTER_DAYS
    if is_accepted or _log_chance(found, expected, past.ratios) > log(CHANCE):
        return None
    recent = sorted([ratio for ratio in past.ratios if ratio > SILENT_RATIO][-FADE_DAYS:])
    # The second lowest: the stop may have begun in the course of the last day.
    return Silent(part, expected, found, since, has_faded=recent[1] < FADE_RATIO)


def _past_of(counts: Sequence[tuple[date, int]], window: Window) -> _Past:
    by_weekday: dict[int, list[int]] = {}
    for day, count in counts:
        by_weekday.setdefault(day.weekday(), []).append(count)
    usual = {weekday: float(median(values)) for weekday, values in by_weekday.items() if _is_steady(values)}
    ratios = []
    for day, count in counts:
        level = usual.get(day.weekday())
        scale = _scale(window, day, level, count) if level else 0.0
        if level and scale > SILENT_RATIO:
            ratios.append(count / level / scale)
    return _Past(usual, ratios, len(usual) < len(by_weekday))


def _is_steady(values: Sequence[int]) -> bool:
    """Whether a weekday always has events, or never; one exception in four weeks may have been a silence."""
    absent = sum(not value for value in values)
    allowed = 1 if len(values) >= STEADY_DAYS else 0
    return len(values) >= 2 and min(absent, len(values) - absent) <= allowed


def _expected(window: Window, past: _Past, found: int, settings: SilenceSettings) -> float:
    """Events to expect of the part, given what all others have on the day; 0 where it is not regular."""
    level = past.usual.get(window.day.weekday(), 0.0)
    scale = _scale(window, window.day, level, found)
    # On a weekday that resembles a Sunday, parts that rest on Sundays may rest.
    if scale < QUIET_RATIO or window.day in holiday_calendar(settings.holidays, window.day.year):
        level = 0.0 if past.has_irregular_weekdays else min(past.usual.values())
    return level * scale


def _scale(window: Window, day: date, level: float, count: int) -> float:
    """How many of its usual events the rest of the stream has on ``day``, 1 at most.

    The rest, since a part that is most of a stream takes the total with it.
    """
    total, whole = window.totals[day], window.weekday_totals[day.weekday()]
    others = whole - level
    return min(1.0, (total - count) / others if others > REST_RATIO * whole else total / whole)


def _is_regular(ratios: Sequence[float]) -> bool:
    """Whether the part was there on all but at most one stretch of its days."""
    absent = [ratio <= SILENT_RATIO for ratio in ratios]
    stretches = sum(now and not before for before, now in pairwise([False, *absent]))
    return len(ratios) >= RATIOS_MINIMUM and stretches <= 1


def _log_chance(found: int, expected: float, ratios: Sequence[float]) -> float:
    """Log of (an upper limit of) the chance of at most ``found`` events where ``expected`` are usual.

    Chernoff's bound of the negative binomial with mean m = ``expected`` and variance m + φm²; at 0 events it is
    exact: (1 + φm)^(-1/φ). φ is what the ratios vary beyond Poisson's 1/m, widened by FEW_DAYS_DOUBT/n;
    the BURSTS highest ratios are left out.
    """
    kept = sorted(ratios)[:-BURSTS] if len(ratios) >= WINDOW_MINIMUM else ratios
    variance = fmean((ratio - 1) ** 2 for ratio in kept) * (1 + FEW_DAYS_DOUBT / len(kept))
    phi = max(variance - 1 / expected, LEAST_VARIATION)
    k = 1 / phi
    chance = k * log((k + found) / (k + expected))
    if found:
        chance += found * log(expected * (k + found) / (found * (k + expected)))
    return chance


def _without_children(silent: Sequence[Silent]) -> list[Silent]:
    """Parents only, the most expected first: where a platform is silent, each of its signals is."""
    parts = {one.part for one in silent}
    top = [one for one in silent if not any(parent in parts for parent in _parents(one.part))]
    return sorted(top, key=lambda one: (-one.expected, one.part.order))


def _parents(part: Slice) -> tuple[Slice, ...]:
    if part.by is None:
        return ()
    return Slice(part.dimension, part.value), Slice(part.by, part.by_value)
