"""The daily work: read days, verify their samples, store both, and judge what was stored.

Dagster's assets, the command line and TelemetryHealthService all use DailyWork; there is no other way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property, partial
from time import sleep
from typing import TYPE_CHECKING

from telemetry_quality.core.accepting import Acceptances
from telemetry_quality.core.counting import counting_rules
from telemetry_quality.core.events import DayAggregates, DayScan, UnreadableDay
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.judging import evidence_of, judge, load_history, load_totals, usual_completeness
from telemetry_quality.core.marks import Gate
from telemetry_quality.core.policies import COMPLETE_PERCENT, SAMPLE_SIZE
from telemetry_quality.core.prefetch import prefetching
from telemetry_quality.core.sampling import count_verified, signals_seen_before, verify_sample
from telemetry_quality.core.scans import StoredScan
from telemetry_quality.core.snapshots import take_snapshot
from telemetry_quality.errors import RequestError, SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import EventSource, QualityStore
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

    Judged = tuple[TelemetryIntegritySnapshot, tuple[Verdict, ...]]
    Chunk = tuple[Collection[str] | None, Sequence[DayScan | UnreadableDay | StoredScan]]

log = logging.getLogger(__name__)

CHUNK_DAYS = 31
"""Days read from a source at once: enough to share a scan, few enough to bound RAM and show progress."""

CHUNK_HOURS = 1_000_000
"""Hours of all event names and versions read at once: a busy stream has tens of thousands a day.

If days are prefetched, twice as many are in RAM.
"""

FIRST_CHUNK_DAYS = 1
"""Days read before it is known how many hours of how many names a day has: no bound holds for several of the worst."""

SECOND_CHUNK_DAYS = 7
"""Days read at most before it is known of a week."""

RETRY_WAITS_SECONDS = (1.0, 5.0)
"""Pauses before each retry of an unavailable source; after the last retry the days are unreadable."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judged day as it is in the store now.

    Attributes:
        is_new: Whether this call appended the snapshot; False if the latest snapshot already said the same.
        mark: What somebody said about the day.
    """

    snapshot: TelemetryIntegritySnapshot
    verdicts: tuple[Verdict, ...]
    scan: StoredScan
    is_new: bool
    mark: MarkedDays | None = None


@dataclass(frozen=True)
class DailyWork:
    """Everything needed to read and judge the days of one source.

    Attributes:
        name: The source's name in the settings; the key of all its rows in the store.
        gate: Which of its days can be trusted.
        wait: Sleeps between retries; replaced in tests.
    """

    name: str
    source: EventSource
    store: QualityStore
    calendar: Calendar
    policy: Policy
    gate: Gate = Gate.HEALTHY
    wait: Callable[[float], None] = field(default=sleep, repr=False)

    @cached_property
    def counting_rules(self) -> str:
        """The rules by which days are counted now."""
        return counting_rules(self.source.schema, self.calendar.zone)

    def read(self, days: Sequence[date], now: datetime) -> Iterator[StoredScan]:
        """Read ``days`` from the source and store what changed; yields one scan per day, in order.

        An outage says nothing about days that were read before: while the source is unavailable, their scans
        stay current. Days that were never read become unreadable.

        Raises:
            RequestError: If a day is not complete at ``now`` or lies outside the calendar.
            SourceUnavailableError: If the source stays unavailable and all days asked for were read before.
            StoreError: If the store fails.
        """
        for stored, _ in self.read_with_aggregates(days, now):
            yield stored

    def read_missing(self, days: Sequence[date], now: datetime) -> list[date]:
        """Read those of ``days`` that were never read, and return them.

        Raises:
            RequestError: If a day is not complete at ``now`` or lies outside the calendar.
            StoreError: If the store fails.
        """
        known = self.store.latest_scans(self.name, days)
        missing = [day for day in days if day not in known]
        for _ in self.read(missing, now):
            pass
        return missing

    def read_with_aggregates(self, days: Sequence[date], now: datetime) -> Iterator[tuple[StoredScan, DayAggregates]]:
        """Each scan of ``read`` with its aggregates, so that callers that show them need not load them."""
        for day in days:
            self.calendar.require(day, now)
        with self.store.kept_open():
            yield from self._read(days, now)

    def _read(self, days: Sequence[date], now: datetime) -> Iterator[tuple[StoredScan, DayAggregates]]:
        first_seen = self.store.signals_first_seen(self.name)
        for catalogue, scans in self._chunks(days):
            for scan in scans:
                if isinstance(scan, StoredScan):
                    yield scan, self.store.aggregates(self.name, scan.day)
                    continue
                if isinstance(scan, UnreadableDay):
                    yield self.store.append_scan(self.name, scan, (), now), DayAggregates()
                    continue
                known = catalogue if catalogue is not None else signals_seen_before(scan.day, first_seen)
                schema = self.source.schema.without(scan.absent_roles)
                verdicts = verify_sample(scan.sample, schema, known)
                verified = count_verified(scan, schema, known)
                stored = self.store.append_scan(
                    self.name, scan, verdicts, now, verified, counting_rules=self.counting_rules
                )
                yield stored, scan.aggregates
                for name in scan.aggregates.signals():
                    first_seen[name] = min(first_seen.get(name, scan.day), scan.day)

    def judge(self, days: Sequence[date], now: datetime, run_id: str | None = None) -> Iterator[Judgement]:
        """Judge days that were read and store each snapshot with its verdicts and the Dagster run that computed it.

        Raises:
            RequestError: If a day has never been read.
            StoreError: If the store fails.
        """
        with self.store.kept_open():
            for start in range(0, len(days), CHUNK_DAYS):
                yield from self._judge_chunk(days[start : start + CHUNK_DAYS], now, run_id)

    def _judge_chunk(self, days: Sequence[date], now: datetime, run_id: str | None) -> Iterator[Judgement]:
        context = load_history(self.store, self.name, days, self.source.schema.dimensions)
        for day in days:
            if day not in context.scans:
                raise RequestError(
                    f"A day must be read before it is judged, but {day} of {self.name} never was; "
                    f"run telemetry-quality snapshot {day}."
                )
            with garbage_collection_paused():
                judgement = self._judge_day(day, context, now, run_id)
            yield judgement

    def _judge_day(self, day: date, context: HistoricalContext, now: datetime, run_id: str | None) -> Judgement:
        scan = context.scans[day][-1]
        evidence = evidence_of(day, context, self.policy, self.calendar, self.source.schema, now=now)
        verdicts = judge(evidence, context, self.policy, self.source.schema)
        snapshot = take_snapshot(
            source=self.name,
            day=day,
            figures=evidence.figures,
            verdicts=verdicts,
            policy=self.policy,
            scan_revision=scan.revision,
            scan_hash=scan.figures_hash,
            now=now,
            run_id=run_id,
        )
        stored, is_new = self.store.append_snapshot(snapshot, verdicts)
        said = verdicts if is_new else self._verdicts_of(stored)
        return Judgement(stored, said, scan, is_new, context.marks.get(day))

    def still_valid(self, day: date, names: Collection[str], now: datetime) -> Judgement | None:
        """The stored judgement of ``day``, if judging it again would say the same by the guardrails with these names.

        Judging by a few guardrails needs no segments and no root cause, which is most of the work. None if the day has
        to be read or judged first, or what is known about it has changed since.

        Raises:
            StoreError: If the store fails.
        """
        with self.store.kept_open(), garbage_collection_paused():
            scan = self.store.latest_scans(self.name, [day]).get(day)
            snapshot = next(iter(self.store.snapshots(self.name, day, day)), None)
            if scan is None or snapshot is None or snapshot.is_provisional or snapshot.scan_hash != scan.figures_hash:
                return None
            verdicts = self._verdicts_of(snapshot)
            context = load_totals(self.store, self.name, day)
            has_been_spoken_of = context.acceptances != Acceptances() or day in context.marks
            if self._is_outdated(snapshot, verdicts) or has_been_spoken_of:
                return None
            evidence = evidence_of(day, context, self.policy, self.calendar, self.source.schema, now=now)
            rules = [rule for rule in guardrails_of(self.source.schema) if rule.name in names]
            stored = {verdict.guardrail: verdict for verdict in verdicts}
            is_same = all(_says_the_same(rule.judge(evidence, self.policy), stored[rule.name]) for rule in rules)
            return Judgement(snapshot, verdicts, scan, is_new=False) if is_same else None

    def _verdicts_of(self, snapshot: TelemetryIntegritySnapshot) -> tuple[Verdict, ...]:
        """The verdicts of a stored snapshot."""
        revisions = self.store.verdicts(self.name, snapshot.day, snapshot.day).get(snapshot.day, {})
        return revisions.get(snapshot.revision or 0, ())

    def standing(self, days: Sequence[date], now: datetime, run_id: str | None = None) -> dict[date, Judged]:
        """The current snapshot and verdicts of each of ``days`` that has one, by today's policy and guardrails.

        A snapshot that was judged by another policy, or before a guardrail came to apply, is judged again
        without reading events.
        """
        stored = {snapshot.day: snapshot for snapshot in self.store.snapshots(self.name, min(days), max(days))}
        verdicts = self.store.verdicts(self.name, min(days), max(days))
        current = {
            day: (snapshot, verdicts.get(day, {}).get(snapshot.revision or 0, ()))
            for day, snapshot in stored.items()
            if day in days
        }
        outdated = [day for day in days if day in current and self._is_outdated(*current[day])]
        return current | {
            judgement.snapshot.day: (judgement.snapshot, judgement.verdicts)
            for judgement in self.judge(outdated, now, run_id)
        }

    def _is_outdated(self, snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict]) -> bool:
        names = {rule.name for rule in guardrails_of(self.source.schema)}
        return snapshot.policy != self.policy.text() or {verdict.guardrail for verdict in verdicts} != names

    def changed_days(self, days: Sequence[date], now: datetime) -> list[date]:
        """Which of ``days`` need another look.

        These are days that were never read, were unreadable, have another count now, were read by a process that ended
        before it judged them, or were provisional when judged and are complete by ``now``. A day that cannot be counted
        now but could be read before is left alone: its snapshot stays current.
        """
        if not days:
            return []
        counts = self.source.count_days([self.calendar.window(day) for day in days])
        scans = self.store.latest_scans(self.name, days)
        judged = {snapshot.day: snapshot for snapshot in self.store.snapshots(self.name, min(days), max(days))}
        return [
            day
            for day in days
            if _needs_another_look(scans.get(day), judged.get(day), counts[day])
            or (judged[day].is_provisional and self._is_complete(day, now))
        ]

    def _is_complete(self, day: date, now: datetime) -> bool:
        completeness = usual_completeness(day, load_history(self.store, self.name, [day]), self.calendar, now)
        return completeness is None or completeness >= self.policy[COMPLETE_PERCENT]

    def _chunks(self, days: Sequence[date]) -> Iterator[Chunk]:
        """The scans of all ``days``, in chunks that fit into RAM; the next chunk is read meanwhile."""
        done, chunk = 0, days[:FIRST_CHUNK_DAYS]
        with prefetching(self.source) as begin:
            pending = begin(partial(self._ask, chunk))
            while chunk:
                answers = self._answers(chunk, pending, days[done:])
                done += len(chunk)
                most = SECOND_CHUNK_DAYS if done == FIRST_CHUNK_DAYS else CHUNK_DAYS
                chunk = days[done : done + min(most, _days_at_once(answers[1]))]
                if chunk:
                    pending = begin(partial(self._ask, chunk))
                yield answers

    def _ask(self, days: Sequence[date]) -> Chunk:
        windows = [self.calendar.window(day) for day in days]
        catalogue = self.source.read_signals()
        # Collected before it is passed on: a retry must not repeat days that were already stored.
        return catalogue, list(self.source.scan_days(windows, self.policy[SAMPLE_SIZE]))

    def _answers(self, days: Sequence[date], ask: Callable[[], Chunk], to_come: Sequence[date]) -> Chunk:
        """The signal catalogue, and one scan per day; ``to_come`` are these days and all that follow."""
        for pause in (*RETRY_WAITS_SECONDS, None):
            try:
                return ask()
            except SourceUnavailableError as error:
                if pause is None or isinstance(error, SourceSilentError):
                    return None, self._answers_during_an_outage(days, to_come, error)
                log.warning("%s is unavailable (%s), trying again in %g s", self.name, error, pause)
                self.wait(pause)
                ask = partial(self._ask, days)
            except SourceError as error:
                return None, [_unreadable(day, error) for day in days]
        raise AssertionError("the last round always returns")

    def _answers_during_an_outage(
        self, days: Sequence[date], to_come: Sequence[date], error: SourceUnavailableError
    ) -> list[UnreadableDay | StoredScan]:
        scans = self.store.latest_scans(self.name, to_come)
        known = {day: scan for day, scan in scans.items() if scan.unreadable_reason_code is None}
        if len(known) == len(to_come):
            raise error
        return [known.get(day) or _unreadable(day, error) for day in days]


def _says_the_same(verdict: Verdict, stored: Verdict) -> bool:
    """Whether two verdicts differ at most in their root cause."""
    return all(
        getattr(verdict, name) == getattr(stored, name)
        for name in ("level", "outcome", "reason_code", "value", "threshold")
    )


def _days_at_once(scans: Sequence[DayScan | UnreadableDay | StoredScan]) -> int:
    """How many days like these fit into RAM at once."""
    hours = max((scan.aggregates.hours for scan in scans if isinstance(scan, DayScan)), default=0)
    return max(1, min(CHUNK_DAYS, CHUNK_HOURS // max(hours, 1)))


def _unreadable(day: date, error: SourceError) -> UnreadableDay:
    return UnreadableDay(day, error.reason_code, str(error))


def _needs_another_look(
    scan: StoredScan | None, judged: TelemetryIntegritySnapshot | None, count: int | UnreadableDay
) -> bool:
    if scan is None or judged is None or scan.unreadable_reason_code is not None:
        return True
    if scan.figures_hash != judged.scan_hash:
        return True
    return not isinstance(count, UnreadableDay) and count != scan.total_events
