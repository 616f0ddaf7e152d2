"""Hours: runs of hours that are far below the same hours of the same weekdays, given the rest of the day.

How far is judged by the run's own history: hours that vary much, by weather or in bursts, must be emptier than hours
that are the same every day. A day that is down evenly has no missing hours; that is for ``expected_volume``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from math import exp, log, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.windows import WINDOW_MINIMUM
from telemetry_quality.core.hours import ALL_HOURS, HOURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

LONGEST_RUN = 12
"""The longest run that is looked for; if the hours beside it are far below too, they are part of it."""
PEERS_MINIMUM = 4
"""With fewer days of the same weekday, all working days or all weekend days are peers of a day."""
FAR_RATIO = 0.3
"""Up to this share of the expected events, a run is far below."""
LEAST_EXPECTED = 9.0
"""A run in which fewer events are expected may be empty by chance."""
LARGEST_SHARE = 0.85
"""A run that usually holds a larger share of the day leaves too little to compare it with."""
LEAST_REST = 0.1
"""With at most this share of the usual events in the other hours, the whole day is out."""
SIMILAR_VOLUME = 0.2
"""A day may resemble another weekday, as holidays do, if that has at least this share of the events."""
CHANCE = 2e-3
"""The chance of a false alarm on a day whose hours vary as they did before."""
LOOKS_PER_RUN = 4
"""Runs overlap: a day is looked at about as often as it holds such runs side by side, times this."""
LEAST_VARIATION = 0.06
"""Smallest standard deviation, in logs, of a run beyond chance."""
FEW_DAYS_DOUBT = 10
"""The variance of a run is widened by this over the number of known days, since few days show little."""
ODD_DAYS = 40
"""Of so many days, two may have had an outage in the run, which says nothing about how much it varies."""
LOWEST_DAYS, LOWEST_SIGMAS = 2, 3.0
"""Each day has a lowest run at some time of the day. LOWEST_DAYS of these may have been outages; in six weeks, the
next one lies about LOWEST_SIGMAS standard deviations below what was expected."""
FIT_RATIO = 1.5
"""Another weekday may fit the other hours of the day this much worse than its own, and is still a likeness."""
COMPARED_EXPECTED, COMPARED_HOURS = 8.0, 4
"""An hour with so many expected events, and so many of these hours, show how well the usual profile fits the day."""
SQUARE_PER_MEDIAN = 2.2
"""Variance over the median of the squares, for normally distributed values."""
MOST_CANDIDATES, MOST_RUNS = 12, 3
REST_HOURS = 6
"""On a running day, at least so many hours before a run show how busy the day is. Further back it was another time of
the day, and of the weather."""
RUNNING_FAR_RATIO, RUNNING_CHANCE = 0.35, 5e-2
"""FAR_RATIO and CHANCE of a running day: of a run known only up to its end, less is known than of one in the past."""
RUNNING_LOWEST_SIGMAS = 5.0
"""LOWEST_SIGMAS of a running day: lower, rain would hide outages; higher, rain would be one."""
LASTING_RATIO = 0.6
"""Of a running day, the last hour of a run holds at most this share of its events; with more, the run was over."""


class MissingHours(NamedTuple):
    """A run of hours that is far below.

    Attributes:
        first: Its first hour, in whole hours since the day began.
        last: Its last hour, likewise.
        expected: Events to expect in the run, given the rest of the day.
        found: Events in the run.
        missing_percent: The missing events, in percent of the events to expect on the whole day.
    """

    first: int
    last: int
    expected: float
    found: int
    missing_percent: float


def missing_hours(
    day: date,
    counts: Sequence[int],
    earlier: Mapping[date, Sequence[float | None]],
    clock: Sequence[int] = ALL_HOURS,
    *,
    begins_at: int | None = None,
) -> list[MissingHours] | None:
    """The runs of hours that are far below, the most missing events first; None if too few earlier days are known.

    Args:
        day: The day to be judged.
        counts: Its events in each hour since it began: 23, 24 or 25 numbers.
        earlier: The counts of earlier days per hour of the clock, as ``hours.ClockCounts`` describes them; empty days,
            the day itself and later days are ignored.
        clock: The hour of the clock of each of ``counts``.
        begins_at: Of a running day, whose ``counts`` are those of the last 24 hours, the position of its first hour:
            only a run within the day that ends with the last hour is looked for. None for a day that is over.
    """
    past = _Past({known: hours for known, hours in earlier.items() if known < day and any(hours)})
    if len(past.counts) < WINDOW_MINIMUM or len(past.peers(day.weekday())) < PEERS_MINIMUM:
        return None
    found: list[MissingHours] = []
    today = _Today(day, counts, clock, past, begins_at)
    while len(found) < (MOST_RUNS if begins_at is None else 1) and (run := today.missing_run()) is not None:
        found.append(run)
        today = today.without(run)
    return sorted(found, key=lambda run: run.found - run.expected)


class _Sums(NamedTuple):
    """Sums up to each hour, from 0 to the whole day: what was counted, and what is usual on that weekday.

    Attributes:
        begins: The first hour of the part of the day that shows how busy it is.
        ends: The hour after this part; -1 for the end of the day.
    """

    counted: Sequence[float]
    usual: Sequence[float]
    begins: int = 0
    ends: int = -1

    @property
    def usual_in_part(self) -> float:
        """What is usual in the part that shows how busy the day is."""
        return self.usual[self.ends] - self.usual[self.begins]

    def up_to(self, first: int, last: int) -> _Sums:
        """The same as known when the run from ``first`` to ``last`` ends: the hours before it show how busy the day is.

        These are at least REST_HOURS, and as many as usually hold as many events as the run.
        """
        begins, enough = max(0, first - REST_HOURS), self.usual[last + 1] - self.usual[first]
        while begins and self.usual[first] - self.usual[begins] < enough:
            begins -= 1
        return _Sums(self.counted, self.usual, begins, last + 1)


class _Run(NamedTuple):
    """A run on a day: expected given the rest of the day, and found."""

    expected: float
    found: float
    scale: float

    @property
    def log_ratio(self) -> float:
        """The log of found over expected; half an event more, because either may be zero."""
        return log((self.found + 0.5) / (self.expected + 0.5))


def _run(sums: _Sums, first: int, last: int) -> _Run | None:
    """The hours ``first`` to ``last``; None if the other hours cannot show how busy the day is."""
    usual, found = sums.usual[last + 1] - sums.usual[first], sums.counted[last + 1] - sums.counted[first]
    whole = sums.usual_in_part
    if whole <= 0 or usual > LARGEST_SHARE * whole:
        return None
    scale = (sums.counted[sums.ends] - sums.counted[sums.begins] - found) / (whole - usual)
    return _Run(usual * scale, found, scale) if scale > LEAST_REST else None


@dataclass(frozen=True)
class _Past:
    """The days before the judged day."""

    counts: Mapping[date, Sequence[float | None]]
    _profiles: dict[int, list[float]] = field(default_factory=dict)
    _sums: list[_Sums] = field(default_factory=list)

    def peers(self, weekday: int) -> list[date]:
        """The days of that weekday; while they are few, all working days or all weekend days."""
        same = [past for past in self.counts if past.weekday() == weekday]
        if len(same) >= PEERS_MINIMUM:
            return same
        return [past for past in self.counts if (past.weekday() < 5) == (weekday < 5)]

    def profile(self, weekday: int) -> list[float]:
        """The median events per hour of the clock."""
        if weekday not in self._profiles:
            peers = [self.counts[past] for past in self.peers(weekday)]
            known = ([count for counts in peers if (count := counts[hour]) is not None] for hour in range(HOURS))
            self._profiles[weekday] = [float(median(counts)) if counts else 0.0 for counts in known]
        return self._profiles[weekday]

    @property
    def sums(self) -> list[_Sums]:
        """Of each day; an hour that a day did not have counts as usual."""
        if not self._sums:
            for day, counts in self.counts.items():
                usual = self.profile(day.weekday())
                known = [normal if count is None else count for count, normal in zip(counts, usual, strict=True)]
                self._sums.append(_Sums((0.0, *accumulate(known)), (0.0, *accumulate(usual))))
        return self._sums

    def variance(self, first: int, last: int, begins: int | None = None) -> float | None:
        """How much the log of this run varies from day to day beyond chance; None if too few days show it.

        Args:
            first: The first hour of the run by the clock.
            last: The last hour.
            begins: The first hour of those that show how busy a running day is; None for a day that is over.
        """
        days = self.sums if begins is None else (_Sums(*sums[:2], begins, last + 1) for sums in self.sums)
        runs = [run for sums in days if (run := _run(sums, first, last)) is not None and run.expected >= 1]
        if len(runs) < WINDOW_MINIMUM - PEERS_MINIMUM:
            return None
        body = sorted(runs, key=lambda run: run.log_ratio)[1 + len(runs) // ODD_DAYS : -1]
        mean_square = sum(run.log_ratio**2 for run in body) / len(body) * (1 + FEW_DAYS_DOUBT / len(body))
        by_chance = sum(1 / (run.expected + 0.5) for run in body) / len(body)
        return max(mean_square - by_chance, LEAST_VARIATION**2)

    def variance_of_lowest(self, length: int, share: float, *, is_running: bool = False) -> float:
        """The same from the lowest run of this length on each day, at any time: bad weather keeps no hours.

        Args:
            length: Hours of the runs.
            share: The least share of the day that a run usually holds.
            is_running: Whether the runs are judged by the hours before them.
        """
        lowest = sorted(
            (low for sums in self.sums if (low := _lowest(sums, length, share, is_running=is_running)) is not None),
            key=lambda run: run.log_ratio,
        )
        if len(lowest) <= LOWEST_DAYS:
            return 0.0
        run = lowest[LOWEST_DAYS]
        sigmas = RUNNING_LOWEST_SIGMAS if is_running else LOWEST_SIGMAS
        return max(0.0, (run.log_ratio / sigmas) ** 2 - 1 / (run.expected + 0.5))


def _lowest(sums: _Sums, length: int, share: float, *, is_running: bool) -> _Run | None:
    least = share * sums.usual[-1]
    spans = ((first, first + length - 1) for first in range(REST_HOURS if is_running else 0, HOURS - length + 1))
    runs = [
        run
        for first, last in spans
        if sums.usual[last + 1] - sums.usual[first] >= least
        and (run := _run(sums.up_to(first, last) if is_running else sums, first, last)) is not None
    ]
    return min(runs, key=lambda run: run.log_ratio, default=None)


@dataclass(frozen=True)
class _Today:
    """The judged day; hours of runs that were found before are blank: zero in counts and profiles."""

    day: date
    counts: Sequence[float]
    clock: Sequence[int]
    past: _Past
    begins_at: int | None = None
    blank: frozenset[int] = frozenset()

    def without(self, run: MissingHours) -> _Today:
        """The same day without these hours."""
        blank = self.blank | frozenset(range(run.first, run.last + 1))
        counts = [0 if position in blank else count for position, count in enumerate(self.counts)]
        return _Today(self.day, counts, self.clock, self.past, self.begins_at, blank)

    def _sums(self, weekday: int) -> _Sums:
        """The day against the profile of a weekday."""
        profile = self.past.profile(weekday)
        usual = [0.0 if position in self.blank else profile[hour] for position, hour in enumerate(self.clock)]
        return _Sums((0.0, *accumulate(self.counts)), (0.0, *accumulate(usual)))

    def _shapes(self) -> list[_Sums]:
        """The day against its own weekday, then against all others that it may resemble."""
        own = self._sums(self.day.weekday())
        others = (self._sums(weekday) for weekday in range(7) if weekday != self.day.weekday())
        return [own, *(sums for sums in others if sums.usual[-1] >= SIMILAR_VOLUME * own.usual[-1])]

    def missing_run(self) -> MissingHours | None:
        """The most surprising run that is far below against every weekday and beyond its own history."""
        own = self._sums(self.day.weekday())
        candidates = sorted(self._candidates(own), reverse=True)[:MOST_CANDIDATES]
        shapes = self._shapes() if candidates else []
        for _, first, last in candidates:
            least = self._least([self._part(shape, first, last) for shape in shapes], first, last)
            if self._is_far_below(least) and self._is_beyond_history(least, first, last, own):
                return self._described(own, first, last)
        return None

    def _part(self, sums: _Sums, first: int, last: int) -> _Sums:
        """The sums with the part of the day that shows what to expect in the run."""
        return sums if self.begins_at is None else sums.up_to(first, last)

    def _least(self, shapes: Sequence[_Sums], first: int, last: int) -> _Run:
        """The run against the weekday that expects least of it, among those that fit the other hours."""
        runs = [(run, sums) for sums in shapes if (run := _run(sums, first, last)) is not None]
        (own, own_sums), *others = runs
        others_expected = own.scale * own_sums.usual_in_part - own.expected
        hours = len(self._compared(own_sums))
        worst = max(FIT_RATIO * self._dispersion(own, own_sums, first, last), hours / others_expected)
        fitting = [run for run, sums in others if self._dispersion(run, sums, first, last) <= worst]
        return min([own, *fitting], key=lambda run: run.expected)

    def _dispersion(self, run: _Run, sums: _Sums, first: int, last: int) -> float:
        """How far the other hours are from a weekday's profile beyond chance: an estimate of variance over mean²."""
        excess = squares = 0.0
        for position in self._compared(sums):
            if not first <= position <= last:
                expected = run.scale * (sums.usual[position + 1] - sums.usual[position])
                excess += (self.counts[position] - expected) ** 2 - expected
                squares += expected**2
        return excess / squares if squares else 0.0

    def _compared(self, sums: _Sums) -> range:
        """The positions of the part of the day that shows how busy it is."""
        return range(len(self.counts))[sums.begins : sums.ends if sums.ends >= 0 else None]

    def _candidates(self, own: _Sums) -> Iterator[tuple[float, int, int]]:
        """The runs that are far below, with how surprising they are by chance alone."""
        for first, last in self._spans():
            run = _run(self._part(own, first, last), first, last)
            if run is not None and self._is_far_below(run) and self._is_lasting(own, run.scale):
                yield _surprise(run.found, run.expected), first, last

    @property
    def _far_ratio(self) -> float:
        return FAR_RATIO if self.begins_at is None else RUNNING_FAR_RATIO

    def _is_far_below(self, run: _Run) -> bool:
        return _is_far_below(run, self._far_ratio)

    def _is_lasting(self, own: _Sums, scale: float) -> bool:
        """Whether a run that ends with the last hour of a running day may go on."""
        usual = own.usual[-1] - own.usual[-2]
        return self.begins_at is None or self.counts[-1] <= LASTING_RATIO * scale * usual

    def _spans(self) -> Iterator[tuple[int, int]]:
        """The first and the last hour of each run that is looked at."""
        hours = len(self.counts)
        if self.begins_at is not None:
            yield from (
                (first, hours - 1) for first in range(max(self.begins_at, hours - LONGEST_RUN, REST_HOURS), hours)
            )
            return
        for first in range(hours):
            yield from ((first, last) for last in range(first, min(first + LONGEST_RUN, hours)))

    def _is_beyond_history(self, run: _Run, first: int, last: int, own: _Sums) -> bool:
        """Whether the run's history makes so few events less likely than CHANCE, with all runs looked at."""
        if self.begins_at is not None:
            return self._is_beyond_history_before(run, first, last, own)
        variance = self.past.variance(self.clock[first], self.clock[last])
        if variance is None:
            return False
        share = 0.5 * (own.usual[last + 1] - own.usual[first]) / own.usual[-1]
        lowest = self.past.variance_of_lowest(min(last - first + 1, HOURS), share)
        sigma = sqrt(max(variance, lowest, self._misfit(own, first, last)))
        return _least_cost(run, sigma, len(self.past.counts)) > log(_looks(own, first, last) / CHANCE)

    def _is_beyond_history_before(self, run: _Run, first: int, last: int, own: _Sums) -> bool:
        """The same of a running day, by the hours before the run: how much these vary is part of its history."""
        begins = self.clock[own.up_to(first, last).begins]
        variance = self.past.variance(self.clock[first], self.clock[last], begins)
        least, days = log(_looks(own, first, last) / RUNNING_CHANCE), len(self.past.counts)
        if variance is None or _least_cost(run, sqrt(variance), days) <= least:
            return False
        share = 0.5 * (own.usual[last + 1] - own.usual[first]) / own.usual[-1]
        lowest = self.past.variance_of_lowest(last - first + 1, share, is_running=True)
        return lowest <= variance or _least_cost(run, sqrt(lowest), days) > least

    def _misfit(self, own: _Sums, first: int, last: int) -> float:
        """The variance, in logs, of the other hours of the day: on a holiday the usual profile fits badly."""
        run, squares = _run(own, first, last), []
        scale = run.scale if run is not None else 0.0
        for position, count in enumerate(self.counts):
            expected = scale * (own.usual[position + 1] - own.usual[position])
            if not first <= position <= last and expected >= COMPARED_EXPECTED:
                squares.append(log((count + 0.5) / (expected + 0.5)) ** 2 - 1 / expected)
        return SQUARE_PER_MEDIAN * max(0.0, median(squares)) if len(squares) >= COMPARED_HOURS else 0.0

    def _extended(self, own: _Sums, first: int, last: int, scale: float) -> tuple[int, int]:
        """The run with the hours beside it that are far below too."""

        def is_low(position: int) -> bool:
            if not (self.begins_at or 0) <= position < len(self.counts):
                return False
            usual = own.usual[position + 1] - own.usual[position]
            return usual > 0 and self.counts[position] <= self._far_ratio * scale * usual

        while is_low(last + 1):
            last += 1
        while is_low(first - 1):
            first -= 1
        return first, last

    def _described(self, own: _Sums, first: int, last: int) -> MissingHours | None:
        """The run as it is reported, together with the low hours beside it unless that leaves no rest."""
        run = _run(self._part(own, first, last), first, last)
        if run is None:
            return None
        wide = self._extended(own, first, last, run.scale)
        if (extended := _run(self._part(own, *wide), *wide)) is not None:
            (first, last), run = wide, extended
        profile = self.past.profile(self.day.weekday())
        whole = run.scale * sum(profile[hour] for hour in self.clock)
        missing = 100 * (run.expected - run.found) / whole
        return MissingHours(first, last, run.expected, round(run.found), missing)


def _is_far_below(run: _Run, far_ratio: float = FAR_RATIO) -> bool:
    return run.expected >= LEAST_EXPECTED and run.found <= far_ratio * run.expected


def _looks(own: _Sums, first: int, last: int) -> float:
    """How often a day is looked at for a run of this size."""
    return LOOKS_PER_RUN * own.usual[-1] / (own.usual[last + 1] - own.usual[first])


def _surprise(found: float, expected: float) -> float:
    """Chernoff's bound: minus the log of the chance of at most ``found`` events by a Poisson law."""
    return expected - found + (found * log(found / expected) if found else 0.0)


def _least_cost(run: _Run, sigma: float, days: int) -> float:
    """Minus the log of the chance of at most so few events, by the likeliest way in which that can happen.

    The level of the run falls by some factor, whose log has Student's distribution with as many degrees of freedom as
    there are days, and the events then fall short by chance. The sum of both is smallest in between; it is convex
    enough for a search by the golden section.
    """

    def cost(fall: float) -> float:
        level = run.expected * exp(-fall)
        by_chance = _surprise(run.found, level) if level > run.found else 0.0
        return (days + 1) / 2 * log(1 + (fall / sigma) ** 2 / days) + by_chance

    low, high = 0.0, log(run.expected / max(run.found, 0.05))
    for _ in range(25):
        step = 0.618 * (high - low)
        if cost(high - step) < cost(low + step):
            high = low + step
        else:
            low = high - step
    return cost((low + high) / 2)
