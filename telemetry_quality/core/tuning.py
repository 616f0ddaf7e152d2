"""Tuning: what other thresholds would have said of the stored days, and of the same days with a known fault.

A proposal is all that comes of it: a guardrail that moves by itself is no guardrail. Nothing here reads events.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.events import EVENT_NAME, OTHER_VALUES, SERVICE_VERSION, Slice, SliceCounts
from telemetry_quality.core.guardrails import guardrails_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails import Guardrail
    from telemetry_quality.core.judging import Memory
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.snapshots import DayFigures

MINIMUM_DAYS = 60
"""Nothing is proposed from fewer judged days."""

SLICED = frozenset({"silence", "version_drift"})
"""Guardrails that look at every part of a day, which takes milliseconds: tried on MAXIMUM_SLICED_DAYS only."""

MAXIMUM_SLICED_DAYS = 119
LEAK_DAYS = 30
LEAK_STARTS = 24
LEAK_FACTOR = 0.98
SPOILED_RATIO = 0.1

MINIMUM_TRIES = 10
"""A catch rate from fewer tries is not held against another one."""

CLEARLY_POINTS = 5.0
"""How much more must be caught on average before a threshold that works is called into question."""

SETTINGS = {
    "error_rate": "error_rate_percent",
    "missing_version": "missing_version_percent",
    "volume": "volume_deviation_percent",
    "sample": "sample_success_percent",
    "duplicates": "duplicate_percent",
    "leak": "leak_percent",
    "version_drift": "version_drift_percent",
    "critical_fields": "critical_missing_percent",
    "arrival_lag": "late_percent",
    "timestamps": "misdated_percent",
}
"""The threshold of each guardrail that has one."""

MINIMA = frozenset({"sample_success_percent"})
"""Thresholds that fail below: the higher, the stricter."""

BOUNDS = {
    "error_rate_percent": (0.5, 50.0),
    "missing_version_percent": (0.1, 50.0),
    "volume_deviation_percent": (10.0, 200.0),
    "sample_success_percent": (80.0, 99.5),
    # A day delivered twice repeats half of its events.
    "duplicate_percent": (1.0, 40.0),
    # A loss of 2 % a day has taken 45 % after a month.
    "leak_percent": (5.0, 40.0),
    "version_drift_percent": (2.0, 50.0),
    "critical_missing_percent": (0.1, 50.0),
    "late_percent": (0.5, 50.0),
    "misdated_percent": (0.1, 50.0),
}
"""No threshold outside these is proposed: stricter ones alarm on noise, looser ones on nothing short of ruin."""

STEP_RATIO = 0.85
"""A threshold of at most this part of the next one is a step stricter; round ones all are."""

_MANTISSAS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


class Fault(StrEnum):
    """A known fault, put into a normal day; the values are the keys of JSON answers."""

    DROP_20 = "drop_20_percent"
    DROP_35 = "drop_35_percent"
    DROP_50 = "drop_50_percent"
    RISE_50 = "rise_50_percent"
    DOUBLED = "doubled"
    """Every event is delivered twice."""
    ZERO = "zero"
    LEAK = "leak_2_percent_a_day"
    """Each of LEAK_DAYS days loses 2 % of what the day before had left."""
    TAGS = "missing_tags"
    """One value of the first dimension, else one signal, sends no versions."""
    SPOILED = "spoiled_10_percent"
    """One in ten good events is bad: an error, without its critical fields, late, impossibly dated."""


FACTORS = {Fault.DROP_20: 0.80, Fault.DROP_35: 0.65, Fault.DROP_50: 0.50, Fault.RISE_50: 1.50}

CONCERNS = {
    **dict.fromkeys(FACTORS, frozenset({"volume"})),
    Fault.DOUBLED: frozenset({"volume", "duplicates"}),
    Fault.ZERO: frozenset({"volume", "activity"}),
    Fault.LEAK: frozenset({"leak"}),
    Fault.TAGS: frozenset({"missing_version", "version_drift"}),
    Fault.SPOILED: frozenset({"error_rate", "sample", "critical_fields", "arrival_lag", "timestamps"}),
}
"""The guardrails that should notice each fault; the others are not asked."""

KEPT_RATIOS = {
    **dict.fromkeys((Fault.DROP_50, Fault.DOUBLED, Fault.ZERO, Fault.TAGS, Fault.SPOILED), 0.95),
    Fault.LEAK: 0.5,
}
"""Of what today's threshold catches, the share that a looser one must still catch.

A gross fault must not be hidden to have quiet. A leak is the exception: its guardrail is the noisiest, and a
slower catch may be worth fewer alarms, but not losing most of them.
"""


def inject(fault: Fault, evidence: Evidence, schema: EventSchema) -> Evidence | None:
    """The evidence of the same day with ``fault``; None where the day has nothing that could break.

    LEAK takes more than a day, see ``leaking``. The sample is changed only by faults that concern its guardrail.
    """
    if not evidence.figures.total_events:
        return None
    if fault is Fault.TAGS:
        return _without_tags(evidence, schema)
    if fault is Fault.ZERO:
        return _emptied(evidence)
    if fault is Fault.DOUBLED:
        return _doubled(evidence)
    if fault is Fault.SPOILED:
        return _spoiled(evidence)
    return _scaled(evidence, FACTORS[fault])


def leaking(evidence: Evidence, start: date) -> Evidence:
    """The evidence of a day when 2 % more of the stream was lost on each day since ``start``."""

    def left(day: date, total: int) -> int:
        days = (day - start).days + 1
        return round(total * LEAK_FACTOR**days) if days > 0 else total

    totals = {day: left(day, total) for day, total in evidence.totals.items()}
    return replace(evidence, totals=totals, figures=_figures_with(evidence, total_events=totals[evidence.day]))


def _figures_with(evidence: Evidence, total_events: int, **changed: Any) -> DayFigures:
    """The figures of another volume, compared with what was expected of the day."""
    expected, low, high = evidence.expectation.events, evidence.expectation.low, evidence.expectation.high
    return replace(
        evidence.figures,
        total_events=total_events,
        volume_deviation_percent=100 * (total_events - expected) / expected if expected else None,
        is_volume_unusual=None if low is None or high is None else not low <= total_events <= high,
        **changed,
    )


def _scaled(evidence: Evidence, factor: float) -> Evidence:
    """A part of all events, the same part everywhere: shares stay as they were."""

    def times(count: int | None) -> int | None:
        return None if count is None else round(count * factor)

    its, day = evidence.figures, evidence.day
    total = round((its.total_events or 0) * factor)
    parts = {one: _part(counts, factor) for one, counts in evidence.slices.get(day, {}).items()}
    return replace(
        evidence,
        figures=_figures_with(
            evidence,
            total,
            error_events=times(its.error_events),
            missing_version_events=times(its.missing_version_events),
            compared_events=times(its.compared_events),
            repeated_events=times(its.repeated_events),
        ),
        totals={**evidence.totals, day: total},
        slices={**evidence.slices, day: {one: counts for one, counts in parts.items() if counts.events}},
        missing_critical={name: round(count * factor) for name, count in evidence.missing_critical.items()},
    )


def _part(counts: SliceCounts, factor: float) -> SliceCounts:
    return counts.scaled(factor)


def _doubled(evidence: Evidence) -> Evidence:
    """Every event twice: beyond the repetitions of before, one more of each event that was compared."""
    twice = _scaled(evidence, 2)
    compared, repeated = evidence.figures.compared_events, evidence.figures.repeated_events
    if not compared or repeated is None:
        return twice
    now = compared + repeated
    figures = replace(twice.figures, repeated_events=now, duplicate_percent=100 * now / (2 * compared))
    return replace(twice, figures=figures)


def _emptied(evidence: Evidence) -> Evidence:
    """A day of no events: it has counts, all of them zero, but no shares."""
    is_compared = evidence.figures.compared_events is not None
    return replace(
        evidence,
        figures=_figures_with(
            evidence,
            0,
            error_events=0,
            error_rate_percent=None,
            missing_version_events=0,
            missing_version_percent=None,
            sample_size=0,
            sample_passed=0,
            sampling_success_rate_percent=None,
            compared_events=0 if is_compared else None,
            repeated_events=0 if is_compared else None,
            duplicate_percent=None,
            critical_missing_percent=None,
            late_percent=None,
            misdated_percent=None,
        ),
        totals={**evidence.totals, evidence.day: 0},
        slices={**evidence.slices, evidence.day: {}},
        missing_critical=dict.fromkeys(evidence.missing_critical, 0),
    )


def _spoiled(evidence: Evidence) -> Evidence:
    """One in ten of the good events is bad in every way at once; each guardrail sees its own."""

    def count(bad: int | None, whole: int | None) -> int | None:
        return None if bad is None or whole is None else bad + round((whole - bad) * SPOILED_RATIO)

    def share(percent: float | None) -> float | None:
        return None if percent is None else percent + (100 - percent) * SPOILED_RATIO

    its = evidence.figures
    total, size = its.total_events or 0, its.sample_size or 0
    passed = size - (count(size - (its.sample_passed or 0), size) or 0)
    figures = replace(
        its,
        error_events=count(its.error_events, total),
        error_rate_percent=share(its.error_rate_percent),
        sample_passed=passed,
        sampling_success_rate_percent=100 * passed / size if size else None,
        critical_missing_percent=share(its.critical_missing_percent),
        late_percent=share(its.late_percent),
        misdated_percent=share(its.misdated_percent),
    )
    fields = {name: count(missing, total) or 0 for name, missing in evidence.missing_critical.items()}
    return replace(evidence, figures=figures, missing_critical=fields)


def _without_tags(evidence: Evidence, schema: EventSchema) -> Evidence | None:
    """One value's events lose their version; None where the stream cannot be told apart, or had none to lose."""
    parts = evidence.slices.get(evidence.day, {})
    dimension = schema.dimensions[0] if schema.dimensions else EVENT_NAME
    total = evidence.figures.total_events or 0
    value = _one_value(parts, dimension, total)
    if value is None:
        return None
    counts = parts[Slice(dimension, value)]
    newly = counts.events - counts.missing_version
    if newly <= 0:
        return None
    missing = (evidence.figures.missing_version_events or 0) + newly
    figures = replace(evidence.figures, missing_version_events=missing, missing_version_percent=100 * missing / total)
    changed = _untagged(parts, dimension, value, counts.events / total)
    return replace(evidence, figures=figures, slices={**evidence.slices, evidence.day: changed})


def _one_value(parts: Mapping[Slice, SliceCounts], dimension: str, total: int) -> str | None:
    """The busiest value that is less than half of the stream, else the second busiest."""
    events = {
        one.value: counts.events
        for one, counts in parts.items()
        if one.dimension == dimension and one.by is None and one.value not in {None, OTHER_VALUES}
    }
    busiest = sorted(events, key=lambda value: (-events[value], value or ""))
    return next((value for value in busiest if 2 * events[value] < total), busiest[1] if len(busiest) > 1 else None)


def _untagged(parts: Mapping[Slice, SliceCounts], dimension: str, value: str, share: float) -> dict[Slice, SliceCounts]:
    """The parts of a day on which the events of ``value`` carry no version.

    Which versions these had is known for a value of a dimension. For a signal it is not: it takes the same
    ``share`` of each.
    """
    if dimension == EVENT_NAME:
        taken = {
            one.value: _part(counts, share)
            for one, counts in parts.items()
            if one.dimension == SERVICE_VERSION and one.by is None and one.value is not None
        }
    else:
        taken = {
            one.by_value: counts
            for one, counts in parts.items()
            if one[:3] == (dimension, value, SERVICE_VERSION) and one.by_value is not None
        }
    changed = dict(parts)
    for version, lost in taken.items():
        _move(changed, Slice(SERVICE_VERSION, version), Slice(SERVICE_VERSION, None), lost)
        if dimension != EVENT_NAME:
            source, target = (Slice(dimension, value, SERVICE_VERSION, name) for name in (version, None))
            _move(changed, source, target, lost)
    for one, counts in list(changed.items()):
        if (one.dimension, one.value) == (dimension, value):
            changed[one] = counts._replace(missing_version=counts.events)
            signal = Slice(EVENT_NAME, one.by_value)
            if one.by == EVENT_NAME and signal in changed:
                its = changed[signal]
                changed[signal] = its._replace(
                    missing_version=its.missing_version + counts.events - counts.missing_version
                )
    return changed


def _move(parts: dict[Slice, SliceCounts], source: Slice, target: Slice, counts: SliceCounts) -> None:
    before, there = parts.get(source, counts), parts.get(target, counts.scaled(0))
    parts[source] = before.plus(counts.scaled(-1))
    if parts[source].events <= 0:
        del parts[source]
    parts[target] = there.plus(counts._replace(missing_version=counts.events))


@dataclass(frozen=True, slots=True)
class Try:
    """One fault on one day, for all thresholds at once, which are named by their position.

    Attributes:
        quiet: Where the day raises no alarm without the fault: elsewhere it says nothing of the fault.
        caught: Where it raises one with it.
    """

    quiet: Container[int]
    caught: Container[int]


@dataclass(frozen=True, slots=True)
class Catch:
    """How often a fault was noticed.

    Attributes:
        tried: Times it was put into days that were quiet before.
    """

    tried: int
    caught: int

    @property
    def percent(self) -> float | None:
        """The share caught; None where it was never tried."""
        return 100 * self.caught / self.tried if self.tried else None


@dataclass(frozen=True, slots=True)
class Score:
    """What one guardrail said at one threshold.

    Attributes:
        alarms: Days it failed on. They count as false: nobody confirmed an incident on them.
        catches: Of each fault that concerns it.
    """

    threshold: float | None
    judged_days: int
    unknown_days: int
    alarms: int
    catches: Mapping[Fault, Catch]

    @property
    def alarms_per_100_days(self) -> float | None:
        """False alarms per 100 judged days; None where no day was judged."""
        return 100 * self.alarms / self.judged_days if self.judged_days else None

    @property
    def catch_percent(self) -> float | None:
        """The mean over the faults that were tried."""
        known = [one.percent for one in self.catches.values() if one.percent is not None]
        return fmean(known) if known else None


@dataclass(frozen=True)
class Trial:
    """One guardrail at all thresholds that may be proposed and at today's.

    Attributes:
        setting: The name of its threshold, None for a guardrail without one.
        thresholds: The strictest first; ``(None,)`` without a threshold.
        today: The position of today's.
        failing: Per judged day, oldest first, how many thresholds, from the strictest on, it fails at.
        unknown_days: Days that could not be judged.
        tries: Per fault that concerns the guardrail.
    """

    guardrail: str
    setting: str | None
    thresholds: tuple[float | None, ...]
    today: int
    failing: tuple[int, ...]
    unknown_days: int
    tries: Mapping[Fault, tuple[Try, ...]] = field(repr=False)

    def at(self, position: int) -> Score:
        """What it said at one threshold."""
        catches = {
            fault: Catch(
                tried=sum(position in one.quiet for one in tries),
                caught=sum(position in one.quiet and position in one.caught for one in tries),
            )
            for fault, tries in self.tries.items()
        }
        return Score(
            self.thresholds[position],
            len(self.failing),
            self.unknown_days,
            _alarms(self.failing, position),
            catches,
        )


def _alarms(failing: Sequence[int], position: int) -> int:
    return sum(position < count for count in failing)


def stored_evidences(
    days: Iterable[date], memory: Memory, policy: Policy, calendar: Calendar, now: datetime
) -> Iterator[Evidence]:
    """The evidence of each of ``days`` that could be read and belongs to no confirmed incident.

    It is what judging the day today would look at: nothing younger than the day, but its latest reading.
    """
    for day in days:
        if day in memory.totals and day not in memory.left_out:
            yield evidence_of(day, memory, policy, calendar, now)


def back_test(
    evidences: Sequence[Evidence],
    policy: Policy,
    schema: EventSchema,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Trial, ...]:
    """Ask every guardrail of the source about days as they were and with faults, at all thresholds.

    Args:
        evidences: Readable days outside confirmed incidents, oldest first.
        policy: What is in force today; all but the thresholds stays as it is.
        schema: Says which guardrails there are, and by what the stream can be told apart.
        advance: Told the number of days after each guardrail.
    """
    trials = []
    for rule in guardrails_of(schema):
        trials.append(trial_of(rule, evidences, policy, schema))
        advance(len(evidences))
    return tuple(trials)


def whole_weeks(evidences: Sequence[Evidence], limit: int) -> Sequence[Evidence]:
    """At most ``limit`` days, evenly spread; whole weeks, since single days would favour some weekdays."""
    if len(evidences) <= limit:
        return evidences
    count, chosen = len(evidences) // 7, limit // 7
    starts = [7 * (week * count // chosen) for week in range(chosen)]
    return [one for start in starts for one in evidences[start : start + 7]]


def trial_of(rule: Guardrail, evidences: Sequence[Evidence], policy: Policy, schema: EventSchema) -> Trial:
    """What ``back_test`` asks of one guardrail; the slow ones are asked about some of the days only."""
    days = whole_weeks(evidences, MAXIMUM_SLICED_DAYS) if rule.name in SLICED else evidences
    setting = SETTINGS.get(rule.name)
    thresholds = candidates(setting, getattr(policy, setting)) if setting else (None,)
    policies = [_with(policy, setting, one) for one in thresholds]
    judged = {one.day: (one, count) for one in days if (count := _failing(rule, one, policies)) is not None}
    faults = [fault for fault, names in CONCERNS.items() if rule.name in names]
    return Trial(
        rule.name,
        setting,
        thresholds,
        thresholds.index(getattr(policy, setting)) if setting else 0,
        tuple(count for _, count in judged.values()),
        len(days) - len(judged),
        {
            fault: tuple(
                _leak_tries(rule, judged, policies)
                if fault is Fault.LEAK
                else _tries(fault, rule, judged, policies, schema)
            )
            for fault in faults
        },
    )


def _with(policy: Policy, setting: str | None, threshold: float | None) -> Policy:
    changed: dict[str, Any] = {setting: threshold} if setting else {}
    return replace(policy, **changed)


def _failing(rule: Guardrail, evidence: Evidence, policies: Sequence[Policy]) -> int | None:
    """At how many policies, from the strictest on, the day fails; None where it cannot be judged.

    A day that fails at one threshold fails at every stricter one, so a few questions answer for all.
    """
    first = rule.judge(evidence, policies[0]).outcome
    if first is Outcome.UNKNOWN:
        return None
    if first is Outcome.PASSED:
        return 0
    positions = range(len(policies))
    return bisect_left(
        positions, True, lo=1, key=lambda one: rule.judge(evidence, policies[one]).outcome is not Outcome.FAILED
    )


_Judged = Mapping["date", tuple["Evidence", int]]


def _tries(
    fault: Fault, rule: Guardrail, judged: _Judged, policies: Sequence[Policy], schema: EventSchema
) -> Iterator[Try]:
    for evidence, before in judged.values():
        broken = inject(fault, evidence, schema)
        if broken is not None:
            yield Try(range(before, len(policies)), range(_failing(rule, broken, policies) or 0))


def _leak_tries(rule: Guardrail, judged: _Judged, policies: Sequence[Policy]) -> Iterator[Try]:
    """Leaks that begin on days evenly spread; caught by a day that fails only since it leaks.

    Chance would catch most of them otherwise: a guardrail with 5 false alarms per 100 days raises one within
    30 days 78 times in 100.
    """
    for start in _leak_starts(list(judged)):
        caught: set[int] = set()
        for n in range(LEAK_DAYS):
            if (day := start + timedelta(days=n)) in judged:
                evidence, before = judged[day]
                caught.update(range(before, _failing(rule, leaking(evidence, start), policies) or 0))
        yield Try(range(len(policies)), caught)


def _leak_starts(days: Sequence[date]) -> Sequence[date]:
    possible = [day for day in days if day + timedelta(days=LEAK_DAYS - 1) <= days[-1]]
    count = min(len(possible), LEAK_STARTS)
    return [possible[n * len(possible) // count] for n in range(count)]


def candidates(setting: str, today: float) -> tuple[float, ...]:
    """The thresholds worth trying, the strictest first: round ones within the bounds, and today's.

    The first is a step stricter than the bounds allow and never proposed; see ``propose`` for its use.
    """
    low, high = BOUNDS[setting]
    if setting in MINIMA:
        low, high = 100 - high, 100 - low
    steps = [float(f"{mantissa * 10.0**power:.6g}") for power in range(-2, 3) for mantissa in _MANTISSAS]
    below = max(step for step in steps if step < low)
    chosen = [step for step in steps if below <= step <= high]
    if setting in MINIMA:
        chosen = [round(100 - step, 6) for step in chosen]
    return tuple(sorted({*chosen, today}, key=lambda one: -one if setting in MINIMA else one))


class Advice(StrEnum):
    """What tuning says of a threshold."""

    KEEP = "keep"
    TIGHTEN = "tighten"
    LOOSEN = "loosen"
    NO_THRESHOLD = "no_threshold"
    TOO_LITTLE_HISTORY = "too_little_history"
    NOTHING_FITS = "nothing_fits"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do about one threshold.

    Attributes:
        today: What the guardrail said at today's threshold.
        proposed: The same at the one to take instead, None where nothing is proposed.
        sentence: Why.
    """

    guardrail: str
    setting: str | None
    advice: Advice
    today: Score
    proposed: Score | None
    sentence: str


def propose(trial: Trial, target: float = 1.0) -> Proposal:
    """The threshold that catches most while raising at most ``target`` false alarms per 100 days.

    A year of days is little to choose from ten thresholds by, and a threshold that just fits the noisiest of them
    will not fit the next year. So a threshold is held to fit only if the next stricter one, about a fifth nearer
    to the noise, raises at most ``target`` in the earlier half of the days and in the later half, each alone.
    Today's was not chosen by these days: it fits if it raises at most ``target``.

    Today's stays where it fits, unless another that fits catches CLEARLY_POINTS more. None is proposed that would
    hide what today's catches, see KEPT_RATIOS, or that catches nothing as far as is known; if that leaves none that
    fits, the one with the fewest alarms, or the strictest that fits these days at least, is proposed where it
    halves them.
    """
    today = trial.at(trial.today)
    if trial.setting is None:
        return _nothing(trial, Advice.NO_THRESHOLD, "It has no threshold.")
    if today.judged_days < MINIMUM_DAYS:
        return _nothing(trial, Advice.TOO_LITTLE_HISTORY, _too_little(today))
    allowed = [one for one in _proposable(trial) if _is_useful(trial.at(one), today)]
    best = _best(trial, [one for one in allowed if _fits(trial, one, target)])
    if (today.alarms_per_100_days or 0) <= target:
        return _better(trial, best)
    return _quieter(trial, best, allowed, target)


def _better(trial: Trial, best: int | None) -> Proposal:
    """Today's threshold fits: only what catches clearly more takes its place."""
    if best is None or _caught(trial.at(best)) < _caught(trial.at(trial.today)) + CLEARLY_POINTS:
        return _nothing(trial, Advice.KEEP, "Today's fits, and nothing else that fits catches clearly more.")
    return _change(trial, best, "Today's fits; this one does too and catches clearly more.")


def _quieter(trial: Trial, best: int | None, allowed: Sequence[int], target: float) -> Proposal:
    """Today's threshold raises too many false alarms."""
    if best is not None:
        return _change(trial, best, "Today's raises too many false alarms; this one fits with a margin.")
    quietest = min(allowed, key=lambda one: (_excess(trial.at(one), target), one), default=trial.today)
    if 2 * trial.at(quietest).alarms <= trial.at(trial.today).alarms:
        return _change(
            trial,
            quietest,
            "Today's raises too many false alarms; this one fits, but without a margin."
            if not _excess(trial.at(quietest), target)
            else "None fits without hiding faults; this one raises at most half as many false alarms as today's.",
        )
    return _nothing(
        trial,
        Advice.NOTHING_FITS,
        "No other threshold raises far fewer false alarms and is known to catch what it should: look at the days "
        "themselves, and confirm those that were incidents.",
    )


def _proposable(trial: Trial) -> list[int]:
    low, high = BOUNDS[trial.setting or ""]
    return [
        position
        for position, one in enumerate(trial.thresholds)
        if position != trial.today and one is not None and low <= one <= high
    ]


def _fits(trial: Trial, position: int, target: float) -> bool:
    stricter = max((one for one in range(position) if _is_a_step(trial, one, position)), default=position)
    middle = len(trial.failing) // 2
    halves = trial.failing[:middle], trial.failing[middle:]
    return all(100 * _alarms(half, stricter) <= target * len(half) for half in halves)


def _is_a_step(trial: Trial, stricter: int, position: int) -> bool:
    """Whether two thresholds are a whole step apart; today's may lie anywhere between the round ones."""
    near, far = (_reach(trial.setting, trial.thresholds[one] or 0.0) for one in (stricter, position))
    return near <= STEP_RATIO * far


def _reach(setting: str | None, threshold: float) -> float:
    """How far from the best possible number a day may be."""
    return 100 - threshold if setting in MINIMA else threshold


def _is_useful(score: Score, today: Score) -> bool:
    """Whether it is known to catch something, and enough of what today's threshold catches."""
    if not score.catch_percent:
        return False
    for fault, ratio in KEPT_RATIOS.items():
        before, after = today.catches.get(fault), score.catches.get(fault)
        if before is None or after is None or before.tried < MINIMUM_TRIES or before.percent is None:
            continue
        if (after.percent or 0) < ratio * before.percent:
            return False
    return True


def _best(trial: Trial, positions: Sequence[int]) -> int | None:
    """Of those that catch most, give or take a point, the nearest to today's."""
    if not positions:
        return None
    most = max(_caught(trial.at(one)) for one in positions)
    good = [one for one in positions if _caught(trial.at(one)) >= most - 1]
    return min(good, key=lambda one: abs(one - trial.today))


def _excess(score: Score, target: float) -> float:
    return max((score.alarms_per_100_days or 0.0) - target, 0.0)


def _caught(score: Score) -> float:
    return score.catch_percent or 0.0


def _too_little(score: Score) -> str:
    if not score.judged_days:
        return f"It could not judge a single one of {score.unknown_days} days."
    return f"At least {MINIMUM_DAYS} judged days are required, but {score.judged_days} are known."


def _nothing(trial: Trial, advice: Advice, sentence: str) -> Proposal:
    return Proposal(trial.guardrail, trial.setting, advice, trial.at(trial.today), None, sentence)


def _change(trial: Trial, position: int, sentence: str) -> Proposal:
    advice = Advice.TIGHTEN if position < trial.today else Advice.LOOSEN
    return Proposal(trial.guardrail, trial.setting, advice, trial.at(trial.today), trial.at(position), sentence)
