"""Emptiness: on which days a stream usually has no event at all.

A day is usually empty because of its weekday (a business stream rests at weekends), not because the days around it
were empty too: a week without any event is an outage and shows nothing.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count as count_from
from math import exp
from typing import TYPE_CHECKING

from telemetry_quality.core.days import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

WEEKS = 8
"""The same weekdays of so many weeks are looked at, as far as they are known."""

LATEST, LATEST_EMPTY = 4, 0.5
"""At least so much of the latest of them, and two of them, must have been empty."""

ALIVE_DAYS = 6
"""A day belongs to a living week if there were events on one of so many days before it, or none of them is known."""

EVERY_OTHER = 3
"""The days two, four and six weeks before show an event every other week, if those between them show the opposite."""

SAME_DAY_MONTHS, MONTHLY_SHARE = 3, 0.3
"""The same day of so many months before shows an event every month, if fewer than this share of all days have any."""

CHANCE = 0.005
"""Days without events in a row are ordinary as long as chance makes them likelier than this."""

SMALL, SMALL_DAYS, SMALL_EMPTY = 20.0, 56, 3
"""Where fewer than SMALL events are expected, the empty days among the last SMALL_DAYS, at least SMALL_EMPTY of them,
show how often chance empties a day."""


def is_empty_usual(day: date, history: Mapping[date, int], expected_events: float) -> bool:
    """Whether a day without events would be ordinary on ``day``.

    Args:
        day: The day to be judged; its own count and later ones are ignored.
        history: Events per known day.
        expected_events: The events to expect of the day.
    """
    if _has_empty_peers(day, history):
        return not _has_its_turn(day, history)
    chance = max(exp(-expected_events), _empty_share(day, history) if expected_events < SMALL else 0.0)
    return chance ** (1 + _empty_days_before(day, history)) > CHANCE


def rests(day: date, history: Mapping[date, int]) -> bool:
    """Whether the stream usually has no events on such a day, whatever chance empties.

    Args:
        day: The day that is asked about; its own count and later ones are ignored.
        history: Events per known day.
    """
    return _has_empty_peers(day, history) and not _has_its_turn(day, history)


def _has_empty_peers(day: date, history: Mapping[date, int]) -> bool:
    """Whether most of the latest days of the same weekday were empty, in weeks with events."""
    peers = [past for n in range(1, WEEKS + 1) if (past := day - timedelta(weeks=n)) in history]
    latest = [past for past in peers if _is_alive(past, history)][:LATEST]
    empty = sum(not history[past] for past in latest)
    return empty >= 2 and empty >= LATEST_EMPTY * len(latest)


def _has_its_turn(day: date, history: Mapping[date, int]) -> bool:
    return _has_every_other(day, history) or _has_every_month(day, history)


def _is_alive(day: date, history: Mapping[date, int]) -> bool:
    before = [history[past] for n in range(1, ALIVE_DAYS + 1) if (past := day - n * ONE_DAY) in history]
    return any(before) or not before


def _has_every_other(day: date, history: Mapping[date, int]) -> bool:
    """Whether the stream has events every other week on this weekday, and on ``day`` it is their turn."""
    even = [history.get(day - timedelta(weeks=2 * n)) for n in range(1, EVERY_OTHER + 1)]
    odd = [history.get(day - timedelta(weeks=2 * n - 1)) for n in range(1, EVERY_OTHER + 1)]
    return all(even) and all(count == 0 for count in odd)


def _has_every_month(day: date, history: Mapping[date, int]) -> bool:
    """Whether the stream had events on this day of each of the last months, and on few other days."""
    months = same_day_of_months(day, SAME_DAY_MONTHS)
    counts = [history[past] for n in range(1, SMALL_DAYS + 1) if (past := day - n * ONE_DAY) in history]
    return all(history.get(past) for past in months) and sum(map(bool, counts)) < MONTHLY_SHARE * len(counts)


def same_day_of_months(day: date, months: int) -> Iterator[date]:
    """The same day of the last ``months`` months before, the latest first; the last day where a month has fewer."""
    first = day.replace(day=1)
    for _ in range(months):
        last = first - ONE_DAY
        first = last.replace(day=1)
        yield first.replace(day=min(day.day, last.day))


def _empty_share(day: date, history: Mapping[date, int]) -> float:
    """Share of the last days that were empty, without whole dead weeks; 0 if they are too few to tell."""
    recent = [day - n * ONE_DAY for n in range(1, SMALL_DAYS + 1)]
    living = [past for past in recent if past in history and _is_alive(past, history)]
    empty = sum(not history[past] for past in living)
    return empty / len(living) if empty >= SMALL_EMPTY else 0.0


def _empty_days_before(day: date, history: Mapping[date, int]) -> int:
    """The days without events just before ``day``, unknown days among them not counted."""
    found = 0
    for n in count_from(1):
        past = day - n * ONE_DAY
        if n > SMALL_DAYS or history.get(past):
            return found
        found += past in history
    raise AssertionError("days never end")
