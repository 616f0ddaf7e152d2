"""Version drift: shares that move to no version, or back to an old one, in the stream or in a segment.

A release moves events to a version that is new here, or newer than the one they leave; that is never drift,
however fast it goes. A fault moves events to no version at all, or to a version that has been known for weeks.
"""

from __future__ import annotations

import re
from math import ceil, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.detectors.version_shares import WHOLE, Point, Scope, VersionShares, missing_by_scope
from telemetry_quality.core.detectors.windows import WINDOW_MINIMUM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

MISSING_ACCEPTED_AFTER_DAYS = 21
"""Versions missing for this long are the new normal: half of the window."""
OLD_ACCEPTED_AFTER_DAYS = 7
"""A fallback this old is the new normal: by then it must be intended."""
YOUNG_DAYS = 21
"""A version first seen this recently may still be on its way to everybody."""
NOISE_SIGMAS = 5
"""How many binomial standard deviations a share must have moved."""
OWN_SIGMAS = 6
"""How many of its own sigmas a missing share must have moved."""
USUAL_QUANTILE = 0.9
"""Missing shares up to this quantile of the earlier days are usual, whatever caused them."""
SAME_WEEKDAY_MINIMUM = 3
"""Earlier days of the same weekday that must be known before they show what is usual on it."""
WEEK_DAYS = 7
"""A version's share is compared with the last week's."""
AFTER_RELEASE_DAYS = 2
"""… but only with so many days if a young version loses: before its release the old version had all events."""
FORTNIGHT_DAYS = 14
"""… and also with the same weekday two weeks before."""
JUMP_RATIO = 2
"""How many times its usual jump a version's share must have moved."""
MOVED_RATIO = 0.5
"""Share of the moved events by which the version must have grown, and which every other dimension must confirm."""
COLLAPSE_RATIO = 0.5
"""A version has lost its events to another version if less than this ratio of its share is left."""
EXPLAINED_RATIO, EVERYWHERE_RATIO = 0.8, 0.95
"""A dimension's values are named instead of the whole stream if they explain so much of the move, unless they hold
so much of all events."""


class Shift(NamedTuple):
    """A share (0 to 1) that moved from ``loser`` to ``version``, which is None for events without a version."""

    scope: Scope
    version: str | None
    usual: float
    found: float
    events: int
    since: date
    loser: str | None = None

    @property
    def points(self) -> float:
        """How far the share moved, in percentage points."""
        return 100 * (self.found - self.usual)

    @property
    def excess_events(self) -> float:
        """Events of the day beyond the usual share."""
        return self.events * (self.found - self.usual)


def version_shifts(shares: VersionShares) -> list[Shift]:
    """Each share that moved farther than its history explains, in its clearest scope; lost versions first."""
    return _most_significant(list(_shifts(shares)))


def _shifts(drift: VersionShares) -> Iterator[Shift]:
    """Every move in every scope."""
    day = drift.window.day
    versions = drift.versions(day)
    for scope in {WHOLE: None, **dict.fromkeys(missing_by_scope(drift.window.slices[day])), **dict.fromkeys(versions)}:
        events, missing = drift.events(scope, day), drift.missing(scope, day)
        if events < drift.minimum_events:
            continue
        if missing.without_errors > drift.points * events and (lost := _lost_versions(drift, scope)):
            yield lost
        if events - missing.events < drift.minimum_events:
            continue
        for version, count in versions.get(scope, {}).items():
            share = count / (events - missing.events)
            if share * drift.arrived <= drift.points or not _may_have_jumped(drift, scope, version):
                continue
            if fallen := _fallback(drift, scope, version):
                yield fallen


def _lost_versions(drift: VersionShares, scope: Scope) -> Shift | None:
    """The shift of a scope in which far more events than usual carry no version; None if there is none."""
    *earlier, today = drift.missing_points(scope)
    found = today.share * drift.arrived
    limit = median(point.share for point in (*earlier, today)) + drift.points
    history = list(earlier)
    since = today.day
    while history and history[-1].share > limit:
        since = history.pop().day
    if len(history) < WINDOW_MINIMUM or (today.day - since).days >= MISSING_ACCEPTED_AFTER_DAYS:
        return None
    usual = _usual_missing(history, today.day)
    noise = sqrt(max(usual, 1 / today.whole) * (1 - usual) / today.whole)
    shares = sorted(point.share for point in history)
    own = robust_sigma(shares, median(shares))
    margin = max(drift.points, NOISE_SIGMAS * noise, OWN_SIGMAS * own)
    highest = shares[ceil(USUAL_QUANTILE * len(shares)) - 1]
    # If other events vanish, those without a version have a larger share, but there are not more of them.
    counts = sorted(point.part for point in history)
    has_more = today.part > counts[ceil(USUAL_QUANTILE * len(counts)) - 1]
    if found - usual > margin and found - highest > NOISE_SIGMAS * noise and has_more:
        return Shift(scope, None, usual, today.share, today.whole, since)
    return None


def _usual_missing(history: Sequence[Point], day: date) -> float:
    """The median share, or the same weekday's median share if that is higher."""
    same = [point.share for point in history if point.day.weekday() == day.weekday()]
    usual = median(point.share for point in history)
    return max(usual, median(same)) if len(same) >= SAME_WEEKDAY_MINIMUM else usual


def _may_have_jumped(drift: VersionShares, scope: Scope, version: str) -> bool:
    """A quick look at the last days, so that only few versions of few scopes need a closer one."""
    before: Point | None = None
    for day in (*drift.window.days[-OLD_ACCEPTED_AFTER_DAYS - 1 :], drift.window.day):
        tagged = drift.events(scope, day) - drift.missing(scope, day).events
        if tagged < drift.minimum_events:
            continue
        counts = drift.window.slices[day].get(scope.version(version))
        events = 0 if counts is None else counts.events
        now = Point(day, events, tagged, events)
        if before and now.share - before.share > max(drift.points, NOISE_SIGMAS * _noise(now, before)):
            return True
        before = now
    return False


def _noise(now: Point, before: Point) -> float:
    """The binomial standard deviation of the difference between two estimates of the same share."""
    middle = (now.share + before.highest_share) / 2
    return sqrt(middle * (1 - middle) * (1 / now.whole + 1 / before.whole))


def _fallback(drift: VersionShares, scope: Scope, version: str) -> Shift | None:
    """The sudden move of events to a ``version`` neither young here nor newer than the one they left; None if none."""
    points = drift.version_points(scope, version)
    if not points or points[-1].day != drift.window.day:
        return None
    today, start = points[-1], len(points) - 1
    while start and points[start - 1].share >= today.share - drift.points:
        start -= 1
    since = points[start]
    is_accepted = (today.day - since.day).days >= OLD_ACCEPTED_AFTER_DAYS
    if start < WINDOW_MINIMUM or is_accepted or _is_young(points, start):
        return None
    loser = _taken_from(drift, scope, version, (points[start - 1].day, since.day))
    if loser is None:
        return None
    # After a rollback the old version has only the share it had before its release; compare with the last days.
    reference = _reference(
        points, start, AFTER_RELEASE_DAYS if _is_young_on(drift, scope, loser, since.day) else WEEK_DAYS
    )
    moved = since.share * (drift.arrived if since is today else 1.0) - reference.highest_share
    if moved <= drift.points or not _is_beyond_history(points, start, reference, moved):
        return None
    if not _is_confirmed(drift, scope, version, (reference.day, since.day), moved * since.whole):
        return None
    return Shift(scope, version, reference.highest_share, today.share, today.whole, since.day, loser)


def _is_young(points: Sequence[Point], start: int) -> bool:
    """Whether the version appeared in the scope on the day itself or shortly before; unknown age counts as old."""
    first = next((index for index, point in enumerate(points) if point.part), 0)
    return first > 0 and (points[start].day - points[first].day).days <= YOUNG_DAYS


def _reference(points: Sequence[Point], start: int, days: int) -> Point:
    """The highest share among the last ``days`` days and, if they are a week, the day two weeks before."""
    candidates = list(points[start - days : start])
    if days >= WEEK_DAYS:
        candidates += [point for point in points[:start] if (points[start].day - point.day).days == FORTNIGHT_DAYS]
    return max(candidates, key=lambda point: point.highest_share)


def _is_beyond_history(points: Sequence[Point], start: int, reference: Point, moved: float) -> bool:
    """Whether the move exceeds chance and twice the usual jump, and comes from more events, not from fewer others.

    The usual jump is the second highest so far, since the highest may have been a fault itself.
    """
    since = points[start]
    jumps = sorted(
        points[at].share - max(point.share for point in points[at - WEEK_DAYS : at]) for at in range(WEEK_DAYS, start)
    )
    has_more = since.part - reference.most >= MOVED_RATIO * moved * since.whole
    return has_more and moved > NOISE_SIGMAS * _noise(since, reference) and moved > JUMP_RATIO * jumps[-2]


def _is_confirmed(drift: VersionShares, scope: Scope, version: str, days: tuple[date, date], excess: float) -> bool:
    """Whether every other dimension finds most of the ``excess`` events of ``version`` as well.

    If a country has more Android events than usual, Android's versions have a larger share of it although no
    event changed its version; within each platform the shares are unchanged. And if one platform releases what
    another platform has had for long, a country sees an old version rise where the platform sees a release.
    """
    before, after = days
    wholes: dict[str, list[Scope]] = {}
    for other_scope in drift.versions(after):
        if other_scope.dimension is not None and other_scope.dimension != scope.dimension:
            wholes.setdefault(other_scope.dimension, []).append(other_scope)
    return all(
        sum(_excess(drift, other_scope, version, before, after) for other_scope in scopes) >= MOVED_RATIO * excess
        for scopes in wholes.values()
    )


def _excess(drift: VersionShares, scope: Scope, version: str, before: date, after: date) -> float:
    """Events of ``version`` beyond the share it had before; 0 if it is being released."""
    old, new = _shares(drift, scope, before), _shares(drift, scope, after)
    rise = new.get(version, 0.0) - old.get(version, 0.0)
    loser = min(old, key=lambda name: (new.get(name, 0.0) - old[name], name), default=None)
    if loser is None or (rise > 0 and (is_newer(version, loser) or _is_young_on(drift, scope, version, after))):
        return 0.0
    return rise * (drift.events(scope, after) - drift.missing(scope, after).events)


def _taken_from(drift: VersionShares, scope: Scope, version: str, days: tuple[date, date]) -> str | None:
    """The version that ``version`` replaced between two days; None if that is not a fault.

    It is not a fault if another version gained more, if the loser kept half of its share (a change in who is active
    costs it no more than that), or if ``version`` is the newer one.
    """
    before, after = (_shares(drift, scope, day) for day in days)
    rises = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in sorted({*before, *after})}
    if not rises or max(rises, key=rises.__getitem__) != version:
        return None
    loser = min(rises, key=rises.__getitem__)
    has_collapsed = after.get(loser, 0.0) < COLLAPSE_RATIO * before.get(loser, 0.0)
    return loser if has_collapsed and not is_newer(version, loser) else None


def _shares(drift: VersionShares, scope: Scope, day: date) -> dict[str, float]:
    tagged = drift.events(scope, day) - drift.missing(scope, day).events
    versions = drift.versions(day).get(scope, {})
    return {version: events / tagged for version, events in versions.items()} if tagged > 0 else {}


def _is_young_on(drift: VersionShares, scope: Scope, version: str, day: date) -> bool:
    points = [point for point in drift.version_points(scope, version) if point.day <= day]
    return bool(points) and _is_young(points, len(points) - 1)


_NUMBERED = re.compile(r"(\D*)(\d+(?:[._-]\d+)*)(?:[-+ (].*)?")


def is_newer(version: str, other: str) -> bool:
    """Whether ``version`` is newer by its number than ``other``: ``2.10.0`` than ``2.9``; other texts have no order."""
    left, right = _NUMBERED.fullmatch(version), _NUMBERED.fullmatch(other)
    if left is None or right is None or left[1] != right[1]:
        return False
    numbers = [[int(number) for number in re.findall(r"\d+", match[2])] for match in (left, right)]
    return numbers[0] > numbers[1]


def _most_significant(shifts: Sequence[Shift]) -> list[Shift]:
    """Each move once, in the scope that shows it most clearly; lost versions first."""
    versions = sorted({shift.version for shift in shifts}, key=lambda version: (version is not None, version or ""))
    chosen = [_clearest([shift for shift in shifts if shift.version == version]) for version in versions]
    return [shift for group in chosen for shift in group]


def _clearest(shifts: Sequence[Shift]) -> list[Shift]:
    """The values of the dimension that shows a move most clearly, or the whole stream if it shows as much."""
    parts = [shift for shift in shifts if shift.scope != WHOLE]
    if not parts:
        return list(shifts)
    best = max(parts, key=lambda shift: (shift.points * shift.excess_events, shift.scope.order)).scope.dimension
    chosen = sorted((s for s in parts if s.scope.dimension == best), key=lambda s: (-s.excess_events, s.scope.order))
    whole = next((shift for shift in shifts if shift.scope == WHOLE), None)
    if whole is None:
        return chosen
    explains_it = sum(shift.excess_events for shift in chosen) >= EXPLAINED_RATIO * whole.excess_events
    is_everywhere = sum(shift.events for shift in chosen) > EVERYWHERE_RATIO * whole.events
    return chosen if explains_it and not is_everywhere else [whole]
