"""Silence: segments of a stream that were there every day and have stopped.

The total need not move: a platform with 3 % of the events can be gone for weeks inside a healthy stream. Versions
are not watched here, since every version ends some day.
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
"""Up to this share of the usual events counts as silent: stragglers of a stopped client still arrive."""
ACCEPTED_AFTER_DAYS = 21
"""A silence this old is the new normal: half of the window then shows no sign of the segment."""
CHANCE = 1e-5
"""A segment is silent only if its own history makes so few events less likely than this: with 300 segments, at most
0.3 false alarms in 100 days."""
RATIOS_MINIMUM = 5
"""Fewer days that can be compared do not show that a segment is regular."""
STEADY_DAYS = 4
"""With this many days of a weekday, one may be an exception, which may have been a silence; with fewer, none."""
FADE_DAYS, FADE_RATIO = 4, 0.5
"""A segment had faded if two of its last FADE_DAYS days lay below this share of the usual events."""
REST_RATIO = 0.02
"""If all other events are less than this share of the stream, they cannot show what kind of day it is."""
QUIET_RATIO = 0.7
"""A day whose other events are less than this share of the usual is compared with the quietest weekday."""
BURSTS = 2
"""How many of the busiest days the variation of a segment leaves out: bursts say nothing about silence."""
FEW_DAYS_DOUBT = 10
"""The variation of a segment is widened by this over the number of known days, since few days show little."""
LEAST_VARIATION = 1e-3
"""Smallest variation of a segment beyond chance, so that the bound is defined."""


class Silent(NamedTuple):
    """A segment that is silent: what was expected of it on the day, what was found, and since when it is silent."""

    segment: Slice
    expected: float
    found: int
    since: date
    has_faded: bool


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known about a segment before it fell silent.

    Attributes:
        usual: Median events per weekday on which it is regular; 0 if it is regularly absent.
        ratios: Its events over that on each earlier day, corrected for dips of the whole stream.
    """

    usual: Mapping[int, float]
    ratios: Sequence[float]
    has_irregular_weekdays: bool


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """The settings of silence.

    Attributes:
        minimum_events: Segments with fewer expected events are not watched.
        holidays: Country, or country and subdivision, whose holidays count; None for no holidays.
    """

    minimum_events: int
    holidays: str | None = None


def silent_segments(window: Window, settings: SilenceSettings, completeness_percent: float | None) -> list[Silent]:
    """The regular segments that are silent on the day, the most expected first, without segments inside them.

    A segment is silent from its first silent day until ACCEPTED_AFTER_DAYS later. What is expected of it shrinks with
    the other events if the whole stream shrinks.

    Args:
        window: The day and at least WINDOW_MINIMUM days before it.
        settings: What is too small to be watched, and which holidays count.
        completeness_percent: How much of the day has usually arrived; what may still arrive is not silent.
    """
    return _without_children(list(_silent_segments(window, settings, completeness_percent)))


def _silent_segments(window: Window, settings: SilenceSettings, completeness_percent: float | None) -> Iterator[Silent]:
    """All silent segments; what the same weekday usually has is looked at first, because that is quick."""
    today, weekday = window.slices[window.day], window.day.weekday()
    peers = [window.slices[past] for past in window.days if past.weekday() == weekday]
    to_come = window.weekday_totals.get(weekday, 0.0) * (1 - (completeness_percent or 100.0) / 100)
    other = _most_hidden_by_other(today)
    for segment in set().union(*peers):
        if not is_watched(segment):
            continue
        found = today[segment].events if segment in today else 0
        most = max(peer[segment].events for peer in peers if segment in peer)
        if most < settings.minimum_events or found > SILENT_RATIO * most:
            continue
        silent = _silence(window, segment, found, settings)
        # What may still arrive, or be hidden among the day's other values, is not silent.
        if (
            silent is not None
            and silent.expected > to_come
            and (found or other.get(segment.dimension, 0) <= SILENT_RATIO * silent.expected)
        ):
            yield silent


def is_watched(segment: Slice) -> bool:
    """Whether the segment is a signal, a dimension value, or a signal within one."""
    return segment.by in {None, EVENT_NAME} and segment.dimension != SERVICE_VERSION and OTHER_VALUES not in segment


def _most_hidden_by_other(today: Mapping[Slice, SliceCounts]) -> dict[str, int]:
    """Per dimension, the most events that an unlisted value may have: at most as many as any listed value."""
    hidden = {
        segment.dimension: today[segment].events
        for segment in today
        if segment.value == OTHER_VALUES and segment.by is None
    }
    for segment, counts in today.items() if hidden else ():
        if segment.by is None and segment.dimension in hidden:
            hidden[segment.dimension] = min(hidden[segment.dimension], counts.events)
    return hidden


def _silence(window: Window, segment: Slice, found: int, settings: SilenceSettings) -> Silent | None:
    """The silence of ``segment`` on the day, judged by the days before it began; None if it is not silent."""
    slices = window.slices
    counts = [(past, slices[past][segment].events if segment in slices[past] else 0) for past in window.days]
    # A young segment is compared with its own days only.
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
    return Silent(segment, expected, found, since, has_faded=recent[1] < FADE_RATIO)


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
    """Whether a weekday always or never has events; one exception in four weeks may have been a silence."""
    absent = sum(not value for value in values)
    allowed = 1 if len(values) >= STEADY_DAYS else 0
    return len(values) >= 2 and min(absent, len(values) - absent) <= allowed


def _expected(window: Window, past: _Past, found: int, settings: SilenceSettings) -> float:
    """Events to expect of the segment, given all other events of the day; 0 if it is not regular."""
    level = past.usual.get(window.day.weekday(), 0.0)
    scale = _scale(window, window.day, level, found)
    # On a weekday that resembles a Sunday, segments that rest on Sundays may rest.
    if scale < QUIET_RATIO or window.day in holiday_calendar(settings.holidays, window.day.year):
        level = 0.0 if past.has_irregular_weekdays else min(past.usual.values())
    return level * scale


def _scale(window: Window, day: date, level: float, count: int) -> float:
    """The share of its usual events that the rest of the stream has on ``day``, 1 at most.

    The total would not do, since a segment that is most of a stream takes the total with it.
    """
    total, whole = window.totals[day], window.weekday_totals[day.weekday()]
    rest = whole - level
    return min(1.0, (total - count) / rest if rest > REST_RATIO * whole else total / whole)


def _is_regular(ratios: Sequence[float]) -> bool:
    """Whether the segment was there on all its days except for at most one stretch."""
    absent = [ratio <= SILENT_RATIO for ratio in ratios]
    stretches = sum(now and not before for before, now in pairwise([False, *absent]))
    return len(ratios) >= RATIOS_MINIMUM and stretches <= 1


def _log_chance(found: int, expected: float, ratios: Sequence[float]) -> float:
    """Log of an upper bound of the chance of at most ``found`` events if ``expected`` are usual.

    Chernoff's bound of the negative binomial with mean m = ``expected`` and variance m + φm²; at 0 events it is
    exact: (1 + φm)^(-1/φ). φ is how much the ratios vary beyond Poisson's 1/m, widened by FEW_DAYS_DOUBT/n;
    the BURSTS highest ratios are left out.
    """
    ordinary = sorted(ratios)[:-BURSTS] if len(ratios) >= WINDOW_MINIMUM else ratios
    variance = fmean((ratio - 1) ** 2 for ratio in ordinary) * (1 + FEW_DAYS_DOUBT / len(ordinary))
    phi = max(variance - 1 / expected, LEAST_VARIATION)
    k = 1 / phi
    chance = k * log((k + found) / (k + expected))
    if found:
        chance += found * log(expected * (k + found) / (found * (k + expected)))
    return chance


def _without_children(silent: Sequence[Silent]) -> list[Silent]:
    """Parents only, the most expected first: if a platform is silent, so is each of its signals."""
    segments = {silence.segment for silence in silent}
    top = [silence for silence in silent if not any(parent in segments for parent in silence.segment.parents)]
    return sorted(top, key=lambda silence: (-silence.expected, silence.segment.order))
