"""Judging: from the records in the store to the evidence of a day, its verdicts and their root causes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from math import floor
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.accepting import Acceptances, acceptances_of, as_accepted, as_special
from telemetry_quality.core.bases import bases_of
from telemetry_quality.core.counting import ARRIVALS, EVERYTHING, RATE, changed_rules, counts_rate
from telemetry_quality.core.days import clock_times
from telemetry_quality.core.detectors.expected_volume import HISTORY_DAYS, Expectation, ExpectationSettings, expect
from telemetry_quality.core.detectors.late_arrivals import ARRIVAL_DAYS
from telemetry_quality.core.detectors.lateness import completeness_curve, usual_completeness_percent
from telemetry_quality.core.detectors.small_counts import SMALL_DAY, USUAL_DAYS, is_empty_by_chance
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS, DayAggregates
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails.catalogue import guardrails_of, judge_day, with_extra_numbers
from telemetry_quality.core.guardrails.guardrail import AcceptedAs
from telemetry_quality.core.guardrails.verdicts import HISTORY_TOO_SHORT, Outcome
from telemetry_quality.core.hours import day_hours
from telemetry_quality.core.incidents import Action, confirmed_days, incidents_of
from telemetry_quality.core.marks import Mark, days_marked, marks_of
from telemetry_quality.core.metrics import Basis, figures_of
from telemetry_quality.core.policies import (
    BASELINE,
    COMPLETE_PERCENT,
    HOLIDAYS,
    INTERVAL_PERCENT,
    REST,
    REST_DAYS,
    WEEKDAYS,
    rest_dates,
)
from telemetry_quality.core.root_cause import (
    DayBreakdown,
    Measure,
    RateMeasure,
    explained,
    find_root_cause,
    reference_days,
    segment_within,
)
from telemetry_quality.core.shares import share_counts
from telemetry_quality.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.event_schema import EventSchema, Rate
    from telemetry_quality.core.events import Slice, SliceCounts
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.guardrails.verdicts import Contributor, Verdict
    from telemetry_quality.core.hours import DayHours
    from telemetry_quality.core.incidents import IncidentAction
    from telemetry_quality.core.marks import MarkedDays, Marks
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.shares import ShareCount

SMALL_SLICE = 5
"""Slices of earlier days with fewer events show nothing and are not loaded."""


@dataclass(frozen=True)
class HistoricalContext:
    """What the store knows about the days around those to be judged, loaded once for all of them.

    Attributes:
        scans: All revisions of each day's scan, the latest last.
        slices: The slices of all days, without small ones, by which a day is compared with earlier days.
        own_slices: All slices of the days to be judged: 4 events instead of 400 are not the same as none.
        left_out: Days of confirmed incidents, and bad and special days, which no day is compared with.
        acceptances: What people accepted as intended.
        marks: What people said about days.
        dimensions: The dimensions that the source has now; None for all that it ever had.
    """

    store: QualityStore
    source: str
    scans: Mapping[date, Sequence[StoredScan]]
    slices: Mapping[date, Mapping[Slice, SliceCounts]]
    own_slices: Mapping[date, Mapping[Slice, SliceCounts]]
    left_out: frozenset[date]
    acceptances: Acceptances = field(default_factory=Acceptances)
    marks: Mapping[date, MarkedDays] = field(default_factory=dict)
    dimensions: Collection[str] | None = None

    @cached_property
    def totals(self) -> dict[date, int]:
        """Events of each readable day."""
        latest = ((day, revisions[-1].total_events) for day, revisions in self.scans.items())
        return {day: total for day, total in latest if total is not None}

    @cached_property
    def late_percents(self) -> dict[date, float]:
        """Share of late events of each readable day with events."""
        latest = ((day, revisions[-1]) for day, revisions in self.scans.items())
        return {
            day: 100 * scan.late_events / scan.total_events
            for day, scan in latest
            if scan.total_events and scan.late_events is not None and scan.arrivals is not None
        }

    def before(self, day: date, days: int) -> list[date]:
        """The days among the last ``days`` days that ``day`` may be compared with, oldest first."""
        earlier, rules = (day - timedelta(days=n) for n in range(days, 0, -1)), self._rules(day)
        return [
            past
            for past in earlier
            if past in self.totals
            and past not in self.left_out
            and not EVERYTHING & changed_rules(self.scans[past][-1].counting_rules, rules)
        ]

    def rules_changed(self, past: date, day: date) -> frozenset[str]:
        """The names of the rules by which ``day`` was, or would be, counted otherwise than ``past``."""
        return changed_rules(self._rules(past), self._rules(day))

    def _rules(self, day: date) -> str | None:
        known = self.scans.get(day) or (self.scans[max(self.scans)] if self.scans else None)
        return None if known is None else known[-1].counting_rules

    def counted_otherwise(self, day: date) -> list[date]:
        """The days among the last WINDOW_DAYS that cannot be compared, because they were counted by other rules."""
        earlier = (day - timedelta(days=n) for n in range(WINDOW_DAYS, 0, -1))
        return [past for past in earlier if past in self.totals and EVERYTHING & self.rules_changed(past, day)]

    def totals_before(self, day: date) -> dict[date, int]:
        """Events of the days whose volume ``day`` may be compared with, oldest first."""
        return {past: self.totals[past] for past in self.before(day, HISTORY_DAYS)}

    def new_levels(self, day: date) -> frozenset[date]:
        """The days before ``day`` whose level somebody accepted as normal; nothing at all is no level."""
        accepted = (past for past in self.acceptances.before(day).level_days if past < day)
        return frozenset(past for past in accepted if past not in self.left_out and self.totals.get(past))

    def slices_before(self, day: date, acceptances: Acceptances) -> dict[date, Mapping[Slice, SliceCounts]]:
        """The slices that those of ``day`` are compared with, without segments that are learnt afresh."""
        days = (past for past in self.before(day, WINDOW_DAYS) if past in self.slices)
        return {past: self._without(past, acceptances.forgotten(past)) for past in days}

    def _without(self, past: date, forgotten: frozenset[frozenset[Any]]) -> Mapping[Slice, SliceCounts]:
        if not forgotten:
            return self.slices[past]
        if (past, forgotten) not in self._remembered:
            self._remembered[past, forgotten] = {
                segment: counts
                for segment, counts in self.slices[past].items()
                if not any(parts.issubset(segment.parts) for parts in forgotten)
            }
        return self._remembered[past, forgotten]

    @cached_property
    def _remembered(self) -> dict[tuple[date, frozenset[frozenset[Any]]], Mapping[Slice, SliceCounts]]:
        return {}

    @cached_property
    def _hours(self) -> dict[date, DayHours]:
        return {}

    def hours(self, days: Collection[date], calendar: Calendar) -> dict[date, DayHours]:
        """The hours of those days whose hours were counted, converted once for all days that are judged."""
        for day in days:
            if day not in self._hours and (totals := self.scans[day][-1].hours) is not None:
                self._hours[day] = day_hours(totals, day, calendar)
        return {day: self._hours[day] for day in days if day in self._hours}

    @cached_property
    def lacking(self) -> dict[date, dict[str, int]]:
        """Events of days, as others are compared with them, without a value of each dimension; see ``bases_of``."""
        return {}

    @cached_property
    def _breakdowns(self) -> dict[date, DayBreakdown]:
        return {}

    def breakdowns(self, days: Sequence[date]) -> list[DayBreakdown]:
        """The breakdowns of ``days``, loaded once, since consecutive bad days are compared with the same days."""
        if missing := [day for day in days if day not in self._breakdowns]:
            found = self.store.breakdowns(self.source, missing, self.dimensions)
            self._breakdowns.update((day, found.get(day) or DayBreakdown(day, DayAggregates())) for day in missing)
        return [self._breakdowns[day] for day in days]


def load_history(
    store: QualityStore, source: str, days: Sequence[date], dimensions: Collection[str] | None = None
) -> HistoricalContext:
    """Load what is needed to judge ``days``; the values of a dimension that a source no longer has are not silent."""
    first, last = min(days), max(days)
    window = first - timedelta(days=WINDOW_DAYS), first - timedelta(days=1)
    with garbage_collection_paused(), store.kept_open():
        own = store.slices(source, first, last, with_hours=False, dimensions=dimensions)
        before = store.slices(source, *window, SMALL_SLICE, with_hours=False, dimensions=dimensions)
        large = {
            day: {segment: counts for segment, counts in slices.items() if counts.events >= SMALL_SLICE}
            for day, slices in own.items()
        }
        scans, said = _scans(store, source, days), _said(store, source)
    return HistoricalContext(store, source, scans, before | large, own, *said, dimensions)


def load_totals(store: QualityStore, source: str, day: date) -> HistoricalContext:
    """Load what is needed to say how many events to expect on ``day``."""
    return HistoricalContext(store, source, _scans(store, source, [day]), {}, {}, *_said(store, source))


def _scans(store: QualityStore, source: str, days: Sequence[date]) -> dict[date, list[StoredScan]]:
    scans: dict[date, list[StoredScan]] = {}
    for scan in store.scans(source, min(days) - timedelta(days=HISTORY_DAYS), max(days)):
        scans.setdefault(scan.day, []).append(scan)
    return scans


def _said(store: QualityStore, source: str) -> tuple[frozenset[date], Acceptances, Marks]:
    """What people said about the source: the days that are left out, what they accepted, and what they marked."""
    actions, marks = store.incident_actions(source), marks_of(store.marked_days(source))
    confirmed = _confirmed(store, source, actions) - days_marked(marks, {Mark.ACCEPTED})
    return confirmed | days_marked(marks, {Mark.BAD, Mark.SPECIAL}), acceptances_of(actions), marks


def _confirmed(store: QualityStore, source: str, actions: Sequence[IncidentAction]) -> frozenset[date]:
    confirmations = [action for action in actions if action.action is Action.CONFIRM]
    if not confirmations:
        return frozenset()
    first, last = min(action.day for action in confirmations), max(action.last_seen for action in confirmations)
    return confirmed_days(incidents_of(store, source, first, last))


def usual_completeness(day: date, context: HistoricalContext, calendar: Calendar, now: datetime) -> float | None:
    """The share of ``day`` that has usually arrived by ``now``, in percent; None if it is not known."""
    hours = (now - calendar.window(day).end).total_seconds() / 3600
    if hours >= MAXIMUM_ARRIVAL_HOURS:
        return 100.0
    earlier = context.before(day, ARRIVAL_DAYS)
    ends = {past: calendar.window(past).end for past in earlier}
    curve = completeness_curve([scan for past in earlier for scan in context.scans[past]], ends)
    return None if curve is None else usual_completeness_percent(curve, hours)


def expectation_settings(policy: Policy) -> ExpectationSettings:
    """The settings of the policy that an expectation depends on."""
    return ExpectationSettings(
        policy[BASELINE],
        policy[INTERVAL_PERCENT],
        policy[HOLIDAYS],
        frozenset(WEEKDAYS.index(name) for name in policy[REST]),
        rest_dates(policy[REST_DAYS]),
    )


def expectation_of(day: date, context: HistoricalContext, policy: Policy) -> Expectation:
    """The volume to expect on a whole ``day``, which need not have been read."""
    history = context.totals_before(day)
    expectation = expect(day, history, expectation_settings(policy), context.new_levels(day))
    if expectation.events is None and is_empty_by_chance(day, history):
        return replace(expectation, is_empty_usual=True)
    return expectation


def evidence_of(
    day: date, context: HistoricalContext, policy: Policy, calendar: Calendar, schema: EventSchema, *, now: datetime
) -> Evidence:
    """All that guardrails may look at, none of it younger than the day."""
    scan = context.scans[day][-1]
    history = context.totals_before(day)
    completeness = usual_completeness(day, context, calendar, now)
    expectation = _arrived(expectation_of(day, context, policy), completeness, policy)
    slices = context.slices_before(day, context.acceptances.before(day))
    # A day without slices could not be read or has no events, which must not look like silence of all segments.
    own = {day: context.own_slices[day]} if day in context.own_slices else {}
    evidence = Evidence(
        day,
        figures_of(Basis(scan, expectation, completeness, policy)),
        expectation,
        totals=history if scan.total_events is None else history | {day: scan.total_events},
        slices=slices | own,
        hours=context.hours([*context.before(day, WINDOW_DAYS), day], calendar),
        missing_critical=scan.missing_critical or {},
        rate_counts=_rate_counts(scan, schema),
        cardinalities={
            past: found
            for past in (*context.before(day, WINDOW_DAYS), day)
            if (found := context.scans[past][-1].cardinality) is not None
        },
        late_percents={
            past: context.late_percents[past]
            for past in context.before(day, ARRIVAL_DAYS)
            if past in context.late_percents and not ARRIVALS & context.rules_changed(past, day)
        },
        small_shares=_small_shares(day, context, schema),
        bases=bases_of(day, context.before(day, WINDOW_DAYS), context, schema),
        new_levels=context.new_levels(day),
        new_rates=context.acceptances.before(day).new_rates(day),
        zone=calendar.zone,
    )
    return with_extra_numbers(evidence, guardrails_of(schema))


def _rate_counts(scan: StoredScan, schema: EventSchema) -> dict[str, int]:
    """The counts of the day for those rates that mean the same as when it was scanned."""
    same = {name for rate in _rates_of(scan, schema) for name in (rate.name, rate.base_name)}
    return {name: count for name, count in (scan.rate_counts or {}).items() if name in same}


def _rates_of(scan: StoredScan, schema: EventSchema) -> list[Rate]:
    return [rate for rate in schema.rates if counts_rate(scan.counting_rules, rate)]


def shares_of(scan: StoredScan, schema: EventSchema) -> dict[str, ShareCount]:
    """The counts behind each share of the day, without rates that meant something else when it was scanned."""
    return share_counts(scan, _rates_of(scan, schema))


def _small_shares(day: date, context: HistoricalContext, schema: EventSchema) -> dict[str, dict[date, ShareCount]]:
    """The counts of the shares that are of few events on ``day``, on the day and on the days before it."""
    small = {
        name: {day: count}
        for name, count in shares_of(context.scans[day][-1], schema).items()
        if count.whole < SMALL_DAY
    }
    for past in context.before(day, USUAL_DAYS) if small else ():
        counts = shares_of(context.scans[past][-1], schema)
        for name in small.keys() & counts.keys():
            small[name][past] = counts[name]
    return small


def judge(evidence: Evidence, context: HistoricalContext, policy: Policy, schema: EventSchema) -> tuple[Verdict, ...]:
    """One verdict per guardrail; failed verdicts name their root cause, and pass if somebody accepted it."""
    rules = {rule.name: rule for rule in guardrails_of(schema)}
    accepted = context.acceptances.before(evidence.day)
    verdicts = tuple(
        _accepted(verdict, rules[verdict.guardrail], evidence, context, policy)
        if accepted.actions
        else _explained(verdict, rules[verdict.guardrail], evidence, context)
        for verdict in judge_day(evidence, policy, schema)
    )
    if young := [verdict for verdict in verdicts if verdict.reason_code == HISTORY_TOO_SHORT]:
        why = _why_young(evidence.day, context)
        verdicts = tuple(
            replace(verdict, sentence=f"{verdict.sentence}{why}") if verdict in young else verdict
            for verdict in verdicts
        )
    marked = context.marks.get(evidence.day)
    if marked is None or marked.mark is not Mark.SPECIAL:
        return verdicts
    return tuple(
        as_special(verdict, marked) if rules[verdict.guardrail].needs_ordinary_days else verdict for verdict in verdicts
    )


def _why_young(day: date, context: HistoricalContext) -> str:
    """Whether earlier days cannot be compared because the settings have changed since."""
    days = context.counted_otherwise(day)
    if not days:
        return ""
    names = ", ".join(sorted(EVERYTHING & frozenset[str]().union(*(context.rules_changed(past, day) for past in days))))
    return f" Earlier days up to {days[-1]} are not compared: they were counted by other settings ({names})."


def _accepted(
    verdict: Verdict, rule: Guardrail, evidence: Evidence, context: HistoricalContext, policy: Policy
) -> Verdict:
    """The verdict on a day after an acceptance, explained, or passed if it finds only what was accepted."""
    accepted = context.acceptances.before(evidence.day)
    if verdict.outcome is Outcome.PASSED and rule.accepted_as in {AcceptedAs.SEGMENT, AcceptedAs.RATE}:
        has_segments = accepted.are_about_segments(rule, evidence.day)
        return _with_accepted_segments(verdict, rule, evidence, context, policy) if has_segments else verdict
    since = accepted.first_day(rule.name)
    if since is None or rule.accepted_as is AcceptedAs.LEVEL:
        found = accepted.applied(_explained(verdict, rule, evidence, context), rule, evidence.day)
        settling = accepted.settling_since(rule.name, evidence.day)
        if settling is None or found.outcome is not Outcome.FAILED:
            return found
        # The accepted days may have been odd ones: measured from the level before, this one may be no worse.
        otherwise = rule.judge(_before_acceptance(evidence, context, policy, settling), policy)
        return accepted.settled(_explained(otherwise, rule, evidence, context, settling), evidence.day) or found
    # Accepted days say nothing about what changed: compared with them, it may seem to lie in any segment.
    found = accepted.applied(_explained(verdict, rule, evidence, context, since), rule, evidence.day)
    if found.outcome is not Outcome.FAILED or rule.measure_of(verdict) is None:
        return found
    return _explained(verdict, rule, evidence, context)


def _before_acceptance(evidence: Evidence, context: HistoricalContext, policy: Policy, since: date) -> Evidence:
    """The evidence by the level before ``since``, when somebody accepted another one."""
    day, completeness = evidence.day, evidence.figures.completeness_percent
    before = {past: total for past, total in context.totals_before(day).items() if past < since}
    levels = [past for past in context.new_levels(day) if past < since]
    usual = expect(day, before, expectation_settings(policy), levels)
    expectation = _arrived(usual, completeness, policy)
    figures = figures_of(Basis(context.scans[day][-1], expectation, completeness, policy))
    figures = replace(figures, extra_numbers=evidence.figures.extra_numbers)
    return replace(evidence, figures=figures, expectation=expectation, new_levels=frozenset())


def _with_accepted_segments(
    verdict: Verdict, rule: Guardrail, evidence: Evidence, context: HistoricalContext, policy: Policy
) -> Verdict:
    """A verdict that passes because segments are learnt afresh, and would fail otherwise, says who accepted that."""
    day = evidence.day
    own = {day: evidence.slices[day]} if day in evidence.slices else {}
    everything = replace(evidence, slices=context.slices_before(day, Acceptances()) | own, new_rates={})
    otherwise = rule.judge(everything, policy)
    action = context.acceptances.before(day).of_segments(otherwise, day)
    if otherwise.outcome is not Outcome.FAILED or action is None:
        return verdict
    return as_accepted(otherwise, action)


def _explained(
    verdict: Verdict, rule: Guardrail, evidence: Evidence, context: HistoricalContext, until: date | None = None
) -> Verdict:
    """The verdict with its root cause if it failed, compared with earlier days, or with those before ``until``."""
    measure, within = rule.measure_of(verdict), rule.measure_within
    if verdict.outcome is not Outcome.FAILED or (measure is None and within is None):
        return verdict
    earlier = context.before(evidence.day, WINDOW_DAYS)
    if until is not None:
        earlier = [past for past in earlier if past < until]
    if within is not None:
        return _with_segment(verdict, within, context, reference_days(evidence.day, earlier), evidence.day)
    return verdict if measure is None else _with_root_cause(verdict, measure, evidence, context, earlier)


def _with_segment(
    verdict: Verdict, measure: Measure, context: HistoricalContext, reference: Sequence[date], day: date
) -> Verdict:
    """The verdict with the segment that holds what is wrong in its foremost hours, if a single one does."""
    first, *others = verdict.contributors
    if first.segment.hours is None:
        return verdict
    own, *earlier = context.breakdowns([day, *reference])
    held = segment_within(first.segment.hours, measure, own, earlier)
    if held is None:
        return verdict
    segment = replace(first.segment, parts=(held.part,))
    sentence = f"{verdict.sentence} {held.share_percent:.0f} % of them are {segment}."
    contributor = replace(first, segment=segment, expected=held.expected, found=held.found)
    return replace(verdict, sentence=sentence, contributors=(contributor, *others))


def _with_root_cause(
    verdict: Verdict,
    measure: Measure | RateMeasure,
    evidence: Evidence,
    context: HistoricalContext,
    earlier: Sequence[date],
) -> Verdict:
    if isinstance(measure, RateMeasure):
        earlier = [
            past
            for past in earlier
            if measure.is_counted(context.scans[past][-1].rate_counts or ())
            and f"{RATE}{measure.rate}" not in context.rules_changed(past, evidence.day)
        ]
    if evidence.new_levels and measure is Measure.EVENTS:
        # Days of the level before would name what was accepted.
        earlier = [past for past in earlier if past >= max(evidence.new_levels)] or earlier
    reference = reference_days(evidence.day, earlier)
    day, *past = context.breakdowns([evidence.day, *reference])
    contributors = find_root_cause(measure, day, past, evidence.figures.expected_events)
    if not contributors:
        return verdict
    return explained(verdict, [_by_the_clock(contributor, evidence) for contributor in contributors], measure)


def _by_the_clock(contributor: Contributor, evidence: Evidence) -> Contributor:
    segment = contributor.segment
    if segment.hours is None or evidence.zone is None:
        return contributor
    return replace(contributor, segment=replace(segment, clock=clock_times(evidence.day, segment.hours, evidence.zone)))


def _arrived(expectation: Expectation, completeness: float | None, policy: Policy) -> Expectation:
    """What of the expected events has usually arrived by now."""
    if completeness is None or completeness >= policy[COMPLETE_PERCENT]:
        return expectation
    # Whole percents: otherwise every look at a provisional day would be a new revision.
    return _scaled(expectation, floor(completeness) / 100)


def _scaled(expectation: Expectation, ratio: float) -> Expectation:
    def scaled(value: float | None) -> float | None:
        return None if value is None else value * ratio

    return replace(
        expectation,
        events=scaled(expectation.events),
        low=scaled(expectation.low),
        high=scaled(expectation.high),
    )
