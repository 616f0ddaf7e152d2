"""Small counts: whether chance explains a share of very few events, given the stream's usual share.

One error among three events is 33 %, which says little about a stream that usually has 2 %.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.distributions import binomial_tail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry_quality.core.shares import ShareCount

SMALL_DAY = 100
"""Chance is considered only on days with fewer events: above that, a threshold of whole percents is what it says."""

USUAL_WEEKS, WEEK_DAYS = 8, 7
USUAL_DAYS = USUAL_WEEKS * WEEK_DAYS
"""How far back the usual share is looked for."""

KNOWN_DAYS, KNOWN_EVENTS = 4, 12
"""Earlier days with events, and events on them, from which on the usual share is known.

That is little, and the prior of ``percent`` says so. From here on three bad events of three fail where at most one
earlier event was bad; asking for 100 events would leave a stream of three a day without an answer for five weeks, in
which chance alone fails two days.
"""

LEVEL = 0.002
"""A count passes if the usual share reaches it on more than so many days.

Simulated with 2 % errors among three events a day, 97 of 100 streams have at most one failed day in the first 120,
and hardly any has one after the first week. At 0.01 it were 93 of 100.
"""

ODD_WEEK = 0.001
"""A week with a count that the other weeks reach this rarely was an incident and is no part of what is usual."""

LEAST_WEEKS = 3
"""Weeks that must be known before one of them can be told to be odd."""


EMPTY_LEVEL, EMPTY_DAYS = 0.005, 14
"""Days without events in a row are no surprise if chance empties so many days that often, by the last EMPTY_DAYS days
that are known before them."""


class UsualShare(NamedTuple):
    """How many events of the last USUAL_DAYS days count, without odd weeks."""

    part: int
    whole: int

    @property
    def ratio(self) -> float:
        """The usual share, 0 to 1; with the prior of Jeffreys (1946), since none among 20 does not mean never."""
        return (self.part + 0.5) / (self.whole + 1)


def usual_share(day: date, counts: Mapping[date, ShareCount]) -> UsualShare | None:
    """The usual share as known before ``day``; None if too little is known.

    Args:
        day: The day to be judged; its own counts and later ones are ignored.
        counts: How many events of each day count; days that must not be learnt from are absent.
    """
    known = {past: count for past, count in counts.items() if day - timedelta(USUAL_DAYS) <= past < day and count.whole}
    if len(known) < KNOWN_DAYS or sum(count.whole for count in known.values()) < KNOWN_EVENTS:
        return None
    weeks: dict[int, UsualShare] = {}
    for past, (part, whole) in known.items():
        number = ((day - past).days - 1) // WEEK_DAYS
        weeks[number] = _plus(weeks.get(number, UsualShare(0, 0)), part, whole)
    return _without_odd_weeks(list(weeks.values()))


def _without_odd_weeks(weeks: list[UsualShare]) -> UsualShare:
    """The sum of the weeks; from the oddest on, those that the others do not explain are left out."""
    total = UsualShare(sum(week.part for week in weeks), sum(week.whole for week in weeks))
    while len(weeks) >= LEAST_WEEKS:
        rarity, oddest = min(
            (chance_of(week, _plus(total, -week.part, -week.whole)), position) for position, week in enumerate(weeks)
        )
        if rarity >= ODD_WEEK:
            break
        week = weeks.pop(oddest)
        total = _plus(total, -week.part, -week.whole)
    return total


def _plus(share: UsualShare, part: int, whole: int) -> UsualShare:
    return UsualShare(share.part + part, share.whole + whole)


def chance_of(count: ShareCount | UsualShare, usual: UsualShare) -> float:
    """The probability of so many or more, by the one-sided exact binomial test."""
    return binomial_tail(count.part, count.whole, usual.ratio)


def is_explained(count: ShareCount, usual: UsualShare) -> bool:
    """Whether chance explains the count."""
    return chance_of(count, usual) >= LEVEL


def is_empty_by_chance(day: date, totals: Mapping[date, int]) -> bool:
    """Whether so few events were seen before that ``day``, and empty days just before it, may be empty by chance.

    For the first days of a stream, of which no weekday is known yet. The probability is that of a Poisson count whose
    mean is known only from x events in n days: with Jeffreys' prior, none in m days has (n / (n + m)) ** (x + 1/2).

    Args:
        day: The day to be judged; its own count and later ones are ignored.
        totals: Events per readable day.
    """
    earlier = [totals[past] for n in range(1, EMPTY_DAYS + 1) if (past := day - timedelta(n)) in totals]
    run = next((position for position, total in enumerate(earlier) if total), len(earlier))
    known, events = len(earlier) - run, sum(earlier)
    if known < KNOWN_DAYS:
        return False
    return bool((known / (known + run + 1)) ** (events + 0.5) > EMPTY_LEVEL)
