"""Version drift: events that lose their version or fall back to an old one, in the stream or in a part of it.

A release moves events to a version that is new here, or newer than the one they leave; that is never a drift,
however fast it goes. A fault moves them to no version at all, or to one that has been known for weeks.
"""

from __future__ import annotations

import re
from math import ceil, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import OTHER_VALUES, SERVICE_VERSION, Slice
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    NO_EVENTS,
    Cause,
    Level,
    Outcome,
    Place,
    Verdict,
)
from telemetry_quality.core.guardrails.windows import SLICES_NOT_COUNTED, WINDOW_MINIMUM, Window, window_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import SliceCounts
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "version_drift"
LEVEL = Level.WARNING
DESCRIPTION = "No part of the stream suddenly loses its versions or falls back to an old one; releases are no drift."

MISSING_ACCEPTED_AFTER_DAYS = 21
"""Versions missing for this long are the new normal: half of the window."""
OLD_ACCEPTED_AFTER_DAYS = 7
"""A fallback this old is the new normal: by then somebody meant it."""
YOUNG_DAYS = 21
"""A version first seen this recently may still be on its way to everybody."""
NOISE_SPREADS = 5
"""How many binomial standard deviations a share must have moved."""
OWN_SPREADS = 6
"""How many of its own spreads (1.4826 × MAD) a missing share must have moved."""
USUAL_QUANTILE = 0.9
"""Missing shares up to this quantile of the earlier days are usual, whatever made them so."""
CAUSES_SHOWN = 3


class _Scope(NamedTuple):
    """All events, or those of one dimension's value."""

    dimension: str | None = None
    value: str | None = None

    def version(self, version: str | None) -> Slice:
        if self.dimension is None:
            return Slice(SERVICE_VERSION, version)
        return Slice(self.dimension, self.value, SERVICE_VERSION, version)

    @property
    def slice(self) -> Slice:
        """The slice of a dimension's value; the whole has none."""
        return Slice(self.dimension or "", self.value)

    @property
    def parts(self) -> tuple[tuple[str, str | None], ...]:
        return () if self.dimension is None else ((self.dimension, self.value),)

    @property
    def order(self) -> tuple[str, ...]:
        """A total order, null before empty."""
        return self.slice.order


WHOLE = _Scope()


class _Point(NamedTuple):
    """One day of one share: ``part`` of ``whole`` events; ``most`` where slices as small may have been left out."""

    day: date
    part: int
    whole: int
    most: int

    @property
    def share(self) -> float:
        return self.part / self.whole

    @property
    def highest_share(self) -> float:
        return min(self.most / self.whole, 1.0)


class _Missing(NamedTuple):
    """Events without a version, and those of them that are no errors."""

    events: int
    without_errors: int


_NONE_MISSING = _Missing(0, 0)


class _Shift(NamedTuple):
    """A share (0 to 1) that moved to ``version``, None for no version, from ``loser``."""

    scope: _Scope
    version: str | None
    usual: float
    found: float
    events: int
    since: date
    loser: str | None = None

    @property
    def points(self) -> float:
        return 100 * (self.found - self.usual)

    @property
    def excess_events(self) -> float:
        return self.events * (self.found - self.usual)


class _Drift:
    """The question put to one window, and what it has looked up so far.

    Args:
        window: The day and those before it.
        policy: Its ``version_drift_percent`` is the least move; scopes with fewer than ``minimum_events`` on a day
            say nothing on it.
        completeness_percent: How much of the day has usually arrived; the rest might all be of other versions.
    """

    def __init__(self, window: Window, policy: Policy, completeness_percent: float | None) -> None:
        self.window = window
        self.points = policy.version_drift_percent / 100
        self.minimum_events = max(policy.minimum_events, 1)
        self.arrived = (completeness_percent or 100.0) / 100
        self._left_out: dict[date, int] = {}
        self._missing: dict[date, dict[_Scope, _Missing]] = {}
        self._points: dict[_Scope, list[_Point]] = {}
        self._versions: dict[date, dict[_Scope, dict[str, int]]] = {}

    def events(self, scope: _Scope, day: date) -> int:
        """All events of the scope on ``day``."""
        if scope == WHOLE:
            return self.window.totals[day]
        counts = self.window.slices[day].get(scope.slice)
        return 0 if counts is None else counts.events

    def missing(self, scope: _Scope, day: date) -> _Missing:
        """The events of the scope without a version on ``day``."""
        if day not in self._missing:
            self._missing[day] = _missing_by_scope(self.window.slices[day])
        known = self._missing[day].get(scope)
        if known is None:
            # The slice of its events without a version may have been too small to be kept.
            counts = None if scope == WHOLE else self.window.slices[day].get(scope.slice)
            known = _NONE_MISSING if counts is None else _Missing(counts.missing_version, counts.missing_version)
            self._missing[day][scope] = known
        return known

    def left_out(self, day: date) -> int:
        """Most events that a slice of ``day`` can have which is not there."""
        if day not in self._left_out:
            smallest = min((counts.events for counts in self.window.slices[day].values()), default=1)
            self._left_out[day] = max(smallest - 1, 0)
        return self._left_out[day]

    def versions(self, day: date) -> Mapping[_Scope, Mapping[str, int]]:
        """The events of each named version, per scope."""
        if day not in self._versions:
            self._versions[day] = _versions_by_scope(self.window.slices[day])
        return self._versions[day]

    def missing_points(self, scope: _Scope) -> Sequence[_Point]:
        """The share without a version on every day that has enough events, the day judged last.

        Errors are left out: what fails early has often not learnt its version yet, and the error rate judges it.
        """
        if scope not in self._points:
            self._points[scope] = [
                self._missing_point(scope, day, events)
                for day in (*self.window.days, self.window.day)
                if (events := self.events(scope, day)) >= self.minimum_events
            ]
        return self._points[scope]

    def _missing_point(self, scope: _Scope, day: date, whole: int) -> _Point:
        missing = self.missing(scope, day).without_errors
        return _Point(day, missing, whole, missing)

    def version_points(self, scope: _Scope, version: str) -> list[_Point]:
        """The share of ``version`` among the events that have one, but for days that lost many of theirs."""
        missing = self.missing_points(scope)
        limit = median(point.share for point in missing) + self.points
        return [
            self._version_point(scope.version(version), point.day, tagged)
            for point in missing
            if (tagged := point.whole - self.missing(scope, point.day).events) >= self.minimum_events
            and point.share <= limit
        ]

    def _version_point(self, part: Slice, day: date, whole: int) -> _Point:
        counts = self.window.slices[day].get(part)
        if counts is None:
            return _Point(day, 0, whole, self.left_out(day))
        return _Point(day, counts.events, whole, counts.events)


def _scope_of(part: Slice) -> _Scope | None:
    """The scope whose versions ``part`` counts, if it does."""
    if part.dimension == SERVICE_VERSION:
        return WHOLE
    is_version = part.by == SERVICE_VERSION and part.value != OTHER_VALUES
    return _Scope(part.dimension, part.value) if is_version else None


def _missing_by_scope(slices: Mapping[Slice, SliceCounts]) -> dict[_Scope, _Missing]:
    found: dict[_Scope, _Missing] = {}
    for part, (_, errors, missing, _) in slices.items():
        if missing and (scope := _scope_of(part)) is not None:
            known = found.get(scope, _NONE_MISSING)
            found[scope] = _Missing(known.events + missing, known.without_errors + max(missing - errors, 0))
    return found


def _versions_by_scope(slices: Mapping[Slice, SliceCounts]) -> dict[_Scope, dict[str, int]]:
    found: dict[_Scope, dict[str, int]] = {}
    for part, counts in slices.items():
        scope = None if counts.missing_version else _scope_of(part)
        version = part.value if part.by is None else part.by_value
        if scope is not None and version is not None and version != OTHER_VALUES:
            found.setdefault(scope, {})[version] = counts.events
    return found


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails where a share moved by more than ``version_drift_percent`` points and more than its history explains.

    Judged among all events and within each dimension's values; shares of versions are of the events that have one.
    """
    window = window_of(evidence)
    if not evidence.figures.total_events:
        return _unknown(policy, NO_EVENTS, "Version drift cannot be judged: there are no events.")
    if not window.slices.get(window.day):
        return _unknown(policy, SLICES_NOT_COUNTED, "Version drift cannot be judged: versions were not counted.")
    if window.known_from is not None:
        sentence = (
            "Version drift cannot be judged yet: too few earlier days are known; "
            f"if no day is missing, it will be from {window.known_from}."
        )
        return _unknown(policy, HISTORY_TOO_SHORT, sentence)
    drift = _Drift(window, policy, evidence.figures.completeness_percent)
    shifts = list(_shifts(drift))
    if shifts:
        return _failed(_most_telling(shifts), policy, window.day)
    sentence = f"No version's share moved by more than {policy.version_drift_percent:g} points, but for releases."
    threshold = policy.version_drift_percent
    return Verdict(NAME, LEVEL, Outcome.PASSED, "VERSIONS_STEADY", None, threshold, sentence)


def _shifts(drift: _Drift) -> Iterator[_Shift]:
    """Every move of every scope."""
    day = drift.window.day
    versions = drift.versions(day)
    for scope in {WHOLE: None, **dict.fromkeys(_missing_by_scope(drift.window.slices[day])), **dict.fromkeys(versions)}:
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


def _lost_versions(drift: _Drift, scope: _Scope) -> _Shift | None:
    """Whether far more events than usual carry no version, and since when."""
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
    own = 1.4826 * median(abs(share - median(shares)) for share in shares)
    margin = max(drift.points, NOISE_SPREADS * noise, OWN_SPREADS * own)
    highest = shares[ceil(USUAL_QUANTILE * len(shares)) - 1]
    # Where other events vanish, those without a version have a larger share, but are not more.
    counts = sorted(point.part for point in history)
    has_more = today.part > counts[ceil(USUAL_QUANTILE * len(counts)) - 1]
    if found - usual > margin and found - highest > NOISE_SPREADS * noise and has_more:
        return _Shift(scope, None, usual, today.share, today.whole, since)
    return None


def _usual_missing(history: Sequence[_Point], day: date) -> float:
    """The median share, or that of the same weekday where it is higher."""
    same = [point.share for point in history if point.day.weekday() == day.weekday()]
    usual = median(point.share for point in history)
    return max(usual, median(same)) if len(same) >= 3 else usual


def _may_have_jumped(drift: _Drift, scope: _Scope, version: str) -> bool:
    """A quick look at the last days: only few versions of few scopes get a second one."""
    before: _Point | None = None
    for day in (*drift.window.days[-OLD_ACCEPTED_AFTER_DAYS - 1 :], drift.window.day):
        tagged = drift.events(scope, day) - drift.missing(scope, day).events
        if tagged < drift.minimum_events:
            continue
        counts = drift.window.slices[day].get(scope.version(version))
        events = 0 if counts is None else counts.events
        now = _Point(day, events, tagged, events)
        if before and now.share - before.share > max(drift.points, NOISE_SPREADS * _noise(now, before)):
            return True
        before = now
    return False


def _noise(now: _Point, before: _Point) -> float:
    """The binomial standard deviation of the difference of two shares that are really the same."""
    middle = (now.share + before.highest_share) / 2
    return sqrt(middle * (1 - middle) * (1 / now.whole + 1 / before.whole))


def _fallback(drift: _Drift, scope: _Scope, version: str) -> _Shift | None:
    """Whether events suddenly moved to ``version`` although it is neither young here nor newer than what they left."""
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
    # When a release is taken back, the old version has only what it had before; compare with the last days.
    reference = _reference(points, start, 2 if _is_young_on(drift, scope, loser, since.day) else 7)
    moved = since.share * (drift.arrived if since is today else 1.0) - reference.highest_share
    if moved <= drift.points or not _is_beyond_history(points, start, reference, moved):
        return None
    if not _is_confirmed(drift, scope, version, (reference.day, since.day), moved * since.whole):
        return None
    return _Shift(scope, version, reference.highest_share, today.share, today.whole, since.day, loser)


def _is_young(points: Sequence[_Point], start: int) -> bool:
    """Whether the version appeared in the scope shortly before, or on the very day; unknown age is old age."""
    first = next((index for index, point in enumerate(points) if point.part), 0)
    return first > 0 and (points[start].day - points[first].day).days <= YOUNG_DAYS


def _reference(points: Sequence[_Point], start: int, days: int) -> _Point:
    """The day of the highest share among the last ``days`` and, if a week counts, two weeks before."""
    candidates = list(points[start - days : start])
    if days >= 7:
        candidates += [point for point in points[:start] if (points[start].day - point.day).days == 14]
    return max(candidates, key=lambda point: point.highest_share)


def _is_beyond_history(points: Sequence[_Point], start: int, reference: _Point, moved: float) -> bool:
    """More than chance, more than twice the usual jumps, and more events rather than fewer others.

    The usual jump is the second highest so far: one may have been a fault itself.
    """
    since = points[start]
    jumps = sorted(points[at].share - max(point.share for point in points[at - 7 : at]) for at in range(7, start))
    has_more = since.part - reference.most >= moved * since.whole / 2
    return has_more and moved > NOISE_SPREADS * _noise(since, reference) and moved > 2 * jumps[-2]


def _is_confirmed(drift: _Drift, scope: _Scope, version: str, days: tuple[date, date], excess: float) -> bool:
    """Whether every other dimension finds most of the ``excess`` events of ``version`` as well.

    Where a country has more Android events than usual, Android's versions have a larger share of it although no
    event changed its version; within each platform the shares are then as they were. And where one platform
    releases what another has had for long, a country sees an old version rise, and the platform a release.
    """
    before, after = days
    wholes: dict[str, list[_Scope]] = {}
    for each in drift.versions(after):
        if each.dimension is not None and each.dimension != scope.dimension:
            wholes.setdefault(each.dimension, []).append(each)
    return all(
        sum(_excess(drift, each, version, before, after) for each in scopes) >= excess / 2 for scopes in wholes.values()
    )


def _excess(drift: _Drift, scope: _Scope, version: str, before: date, after: date) -> float:
    """Events of ``version`` beyond the share it had before; none where it is being released."""
    old, new = _shares(drift, scope, before), _shares(drift, scope, after)
    rise = new.get(version, 0.0) - old.get(version, 0.0)
    loser = min(old, key=lambda each: (new.get(each, 0.0) - old[each], each), default=None)
    if loser is None or (rise > 0 and (is_newer(version, loser) or _is_young_on(drift, scope, version, after))):
        return 0.0
    return rise * (drift.events(scope, after) - drift.missing(scope, after).events)


def _taken_from(drift: _Drift, scope: _Scope, version: str, days: tuple[date, date]) -> str | None:
    """The version that ``version`` took the place of between two days; None where that is no fault.

    It is none where another version gained more, where the loser kept half of its share (a change of who is active
    does not do more to it), or where ``version`` is the newer one.
    """
    before, after = (_shares(drift, scope, day) for day in days)
    rises = {each: after.get(each, 0.0) - before.get(each, 0.0) for each in sorted({*before, *after})}
    if not rises or max(rises, key=rises.__getitem__) != version:
        return None
    loser = min(rises, key=rises.__getitem__)
    has_collapsed = after.get(loser, 0.0) < before.get(loser, 0.0) / 2
    return loser if has_collapsed and not is_newer(version, loser) else None


def _shares(drift: _Drift, scope: _Scope, day: date) -> dict[str, float]:
    tagged = drift.events(scope, day) - drift.missing(scope, day).events
    versions = drift.versions(day).get(scope, {})
    return {version: events / tagged for version, events in versions.items()} if tagged > 0 else {}


def _is_young_on(drift: _Drift, scope: _Scope, version: str, day: date) -> bool:
    points = [point for point in drift.version_points(scope, version) if point.day <= day]
    return bool(points) and _is_young(points, len(points) - 1)


_NUMBERED = re.compile(r"(\D*)(\d+(?:[._-]\d+)*)(?:[-+ (].*)?")


def is_newer(version: str, other: str) -> bool:
    """Whether ``version`` says it is later than ``other``: ``2.10.0`` after ``2.9``; other texts have no order."""
    one, two = _NUMBERED.fullmatch(version), _NUMBERED.fullmatch(other)
    if one is None or two is None or one[1] != two[1]:
        return False
    numbers = [[int(number) for number in re.findall(r"\d+", match[2])] for match in (one, two)]
    return numbers[0] > numbers[1]


def _most_telling(shifts: Sequence[_Shift]) -> list[_Shift]:
    """Each move once, where it shows most clearly, lost versions first."""
    versions = sorted({shift.version for shift in shifts}, key=lambda version: (version is not None, version or ""))
    chosen = [_clearest([shift for shift in shifts if shift.version == version]) for version in versions]
    return [shift for group in chosen for shift in group]


def _clearest(shifts: Sequence[_Shift]) -> list[_Shift]:
    """One move: the values of the dimension that tells most, or the whole stream where they tell no more than it."""
    parts = [shift for shift in shifts if shift.scope != WHOLE]
    if not parts:
        return list(shifts)
    best = max(parts, key=lambda shift: (shift.points * shift.excess_events, shift.scope.order)).scope.dimension
    chosen = sorted((s for s in parts if s.scope.dimension == best), key=lambda s: (-s.excess_events, s.scope.order))
    whole = next((shift for shift in shifts if shift.scope == WHOLE), None)
    if whole is None:
        return chosen
    explains_it = sum(shift.excess_events for shift in chosen) >= 0.8 * whole.excess_events
    is_everywhere = sum(shift.events for shift in chosen) > 0.95 * whole.events
    return chosen if explains_it and not is_everywhere else [whole]


def _failed(shifts: Sequence[_Shift], policy: Policy, day: date) -> Verdict:
    causes = tuple(
        Cause(
            Place((*shift.scope.parts, (SERVICE_VERSION, shift.version))),
            100 * shift.usual,
            100 * shift.found,
            since=shift.since if shift.since < day else None,
        )
        for shift in shifts
    )
    code = "VERSIONS_LOST" if shifts[0].version is None else "VERSION_FELL_BACK"
    facts = [_fact(shift, day) for shift in shifts[:CAUSES_SHOWN]]
    rest = len(shifts) - CAUSES_SHOWN
    sentence = "; ".join(facts) + (f"; and {rest} more." if rest > 0 else ".")
    value = max(shift.points for shift in shifts)
    return Verdict(NAME, LEVEL, Outcome.FAILED, code, value, policy.version_drift_percent, sentence, causes)


def _fact(shift: _Shift, day: date) -> str:
    where = f"{Place(shift.scope.parts)}: " if shift.scope.parts else ""
    since = f" since {shift.since}" if shift.since < day else ""
    if shift.version is None:
        return (
            f"{where}{100 * shift.found:.1f} % of {shift.events:,} events carry no version{since}, "
            f"{100 * shift.usual:.1f} % is usual"
        )
    return (
        f"{where}version {shift.version} has {100 * shift.found:.1f} % of the events with a version{since}, "
        f"{100 * shift.usual:.1f} % before; they came from {shift.loser}, and {shift.version} is no new release"
    )


def _unknown(policy: Policy, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, policy.version_drift_percent, sentence)
