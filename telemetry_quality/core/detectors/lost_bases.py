"""Lost bases: events stop saying what a guardrail judges by, such as whether they are an error or when they arrived.

Without it a day looks better than it is: no event that says nothing is an error, or late.
A stream that never said it is as usual.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import ceil, inf, log, log1p, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.detectors.windows import WINDOW_DAYS, WINDOW_MINIMUM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.shares import ShareCount

LEAST_LOSS_PERCENT = 10.0
"""How many percent of the usual share must be lost, as for the drift of versions."""
ACCEPTED_AFTER_DAYS = 21
"""A loss this old is the new normal: half of the window."""
STRAGGLERS_RATIO = 0.02
"""Up to this share of what is usual, all of it is lost: stragglers of the writers before still arrive."""
CHANCE = 1e-5
"""It is lost only if the usual share makes so few events less likely than this."""
PARTLY_KNOWN_DAYS = 7
"""Fewer earlier days do not show how much a share varies; whether all of it is lost shows from the first."""
MOST_RATIO = 0.5
"""While fewer than WINDOW_MINIMUM earlier days are known, only what most events say is missed: the weekdays of a rarer
thing are not known yet."""
SAME_WEEKDAY_MINIMUM = 2
"""Earlier days of the same weekday that must be known before they show what is usual on it."""
STEADY_DAYS = 4
"""With this many days of a weekday, one may be an exception; with fewer, none."""
NOISE_SIGMAS, OWN_SIGMAS = 5, 6
"""How many binomial standard deviations, and how many of its own sigmas, a share must have fallen."""
USUAL_QUANTILE = 0.9
"""What so many of the earlier days stay within is usual, whatever caused it."""


class Loss(NamedTuple):
    """A basis that most of the events of the day, or a part of them, have lost.

    Attributes:
        usual: The share of events that usually have it, 0 to 1.
        found: The share of the day's events that have it.
        events: The events of the day.
        since: The first day of the loss.
    """

    usual: float
    found: float
    events: int
    since: date

    @property
    def lost_percent(self) -> float:
        """How much of the usual share is lost."""
        return 100 * (1 - self.found / self.usual)


def lost_basis(day: date, counts: Mapping[date, ShareCount], *, is_partly: bool = True) -> Loss | None:
    """The loss of a basis on ``day``; None if as many events have it as usual, or if too little is known.

    Args:
        day: The day to be judged; later days are ignored.
        counts: How many events of each day have the basis; days that must not be learnt from are absent.
        is_partly: Whether the loss of a part counts too.
    """
    own = counts.get(day)
    if own is None or not own.whole:
        return None
    first = day - timedelta(days=WINDOW_DAYS)
    known = sorted((past, count) for past, count in counts.items() if first <= past < day and count.whole)
    history, since = _before_the_loss(day, own, known)
    if not history or (day - since).days >= ACCEPTED_AFTER_DAYS:
        return None
    usual = _usual(history, day)
    if not usual or _share(own) >= usual:
        return None
    if _log_chance(own, _expected_share(usual, history)) >= log(CHANCE):
        return None
    is_lost = _is_all_lost(day, own, usual, history) or (is_partly and _is_partly_lost(own, usual, history))
    return Loss(usual, _share(own), own.whole, since) if is_lost else None


_History = list[tuple["date", "ShareCount"]]


def _share(count: ShareCount) -> float:
    return count.part / count.whole


def _before_the_loss(day: date, own: ShareCount, known: _History) -> tuple[_History, date]:
    """The earlier days without those just before ``day`` that lost about as much, and the first of these."""
    history, since = list(known), day
    level = median([share for _, count in known if (share := _share(count))] or [0.0])
    limit = _share(own) + level * LEAST_LOSS_PERCENT / 100
    while history and _share(history[-1][1]) <= limit:
        since = history.pop()[0]
    return history, since


def _usual(history: _History, day: date) -> float:
    """The median share, or that of the same weekday if it is lower."""
    usual = median(_share(count) for _, count in history)
    same = [_share(count) for past, count in history if past.weekday() == day.weekday()]
    return min(usual, median(same)) if len(same) >= SAME_WEEKDAY_MINIMUM else usual


def _is_all_lost(day: date, own: ShareCount, usual: float, history: _History) -> bool:
    if own.part > STRAGGLERS_RATIO * usual * own.whole:
        return False
    if len(history) < WINDOW_MINIMUM and usual < MOST_RATIO:
        return False
    return _is_regular(day, history)


def _is_regular(day: date, history: _History) -> bool:
    """Whether the basis was there on nearly all earlier days, but for one stretch, or on nearly all of this weekday."""
    absent = [not count.part for _, count in history]
    stretches = sum(now and not before for before, now in pairwise([False, *absent]))
    if stretches <= 1 and 2 * sum(absent) < len(absent):
        return True
    same = [not count.part for past, count in history if past.weekday() == day.weekday()]
    return len(same) > SAME_WEEKDAY_MINIMUM and sum(same) <= (1 if len(same) >= STEADY_DAYS else 0)


def _expected_share(usual: float, history: _History) -> float:
    """The usual share, and less than all while few events are known; with the prior of Jeffreys (1946)."""
    part, whole = sum(count.part for _, count in history), sum(count.whole for _, count in history)
    return min(usual, (part + 0.5) / (whole + 1))


def _log_chance(own: ShareCount, share: float) -> float:
    """Log of an upper bound of the chance of so few: Chernoff's of the binomial, exact where there are none."""
    found, lacking = _share(own), 1 - _share(own)
    if found >= share:
        return 0.0
    divergence = lacking * (log(lacking) - log1p(-share)) + (found * log(found / share) if found else 0.0)
    return -own.whole * divergence


def _is_partly_lost(own: ShareCount, usual: float, history: _History) -> bool:
    if len(history) < PARTLY_KNOWN_DAYS:
        return False
    share = _expected_share(usual, history)
    noise = NOISE_SIGMAS * sqrt((1 - share) / (share * own.whole))
    ratios = sorted(_share(count) / usual for _, count in history)
    ratio = _share(own) / usual
    spread = OWN_SIGMAS * robust_sigma(ratios, median(ratios))
    # If the events that have it vanish, those without it have a larger share, but there are not more of them.
    lacking = sorted(count.whole - count.part for _, count in history)
    has_more = own.whole - own.part > _quantile(lacking)
    lowest = -_quantile(sorted(-earlier for earlier in ratios))
    return 1 - ratio > max(LEAST_LOSS_PERCENT / 100, noise, spread) and lowest - ratio > noise and has_more


def _quantile(ordered: Sequence[float]) -> float:
    """The value that USUAL_QUANTILE of the days do not exceed."""
    return ordered[ceil(USUAL_QUANTILE * len(ordered)) - 1] if ordered else inf
