"""Days are read while earlier days are stored, and no read outlives its caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, active_count, main_thread
from threading import current_thread as thread_of
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.daily import FIRST_CHUNK_DAYS
from telemetry_quality.core.prefetch import prefetching
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality_tests.builders import DAY, NOW, FakeSource, make_row, make_scan, make_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Thread

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import DayScan, UnreadableDay

SECONDS = 30
"""A time that nothing here takes unless it is broken."""

DAYS = [DAY + timedelta(days=n) for n in range(FIRST_CHUNK_DAYS + 3)]


@dataclass
class SlowSource(FakeSource):
    """A source whose reads wait until they are released or interrupted.

    Attributes:
        asked: Set when a read begins.
        readers: The thread of each read.
    """

    can_prefetch: bool = True
    may_go_on: Event = field(default_factory=Event)
    asked: Event = field(default_factory=Event)
    interrupts: int = 0
    readers: list[Thread] = field(default_factory=list)

    def interrupt(self) -> None:
        self.interrupts += 1
        if self.interrupts == 2:  # the first may come between two queries
            self.may_go_on.set()

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        self.readers.append(thread_of())
        if self.calls == 1:
            self.asked.set()
            assert self.may_go_on.wait(SECONDS)
        yield from super().scan_days(windows, sample_size)


def make_slow(**overrides: object) -> SlowSource:
    days = {day: make_scan(day, make_row(events=100 + n)) for n, day in enumerate(DAYS)}
    return SlowSource(days, **overrides)  # type: ignore[arg-type]


def test_the_next_days_are_read_while_the_current_ones_are_stored(tmp_path: Path) -> None:
    source = make_slow()
    scan = make_work(tmp_path, source).read(DAYS, NOW)
    found = [next(scan)]
    assert source.asked.wait(SECONDS), "the second read waits for the days of the first to be kept"
    source.may_go_on.set()
    found += scan
    assert [scan.total_events for scan in found] == [100 + n for n in range(len(DAYS))]
    assert main_thread() not in source.readers


def test_a_source_that_cannot_be_interrupted_is_read_when_its_days_are_due(tmp_path: Path) -> None:
    source = make_slow(can_prefetch=False)
    source.may_go_on.set()
    scan = make_work(tmp_path, source).read(DAYS, NOW)
    for _ in range(FIRST_CHUNK_DAYS):
        next(scan)
    assert not source.asked.is_set()
    assert len(list(scan)) == 3
    assert source.readers == [main_thread()] * 2


def test_a_read_that_nobody_waits_for_any_more_is_interrupted_until_it_ends(tmp_path: Path) -> None:
    source, threads = make_slow(), active_count()
    scan = make_work(tmp_path, source).read_with_aggregates(DAYS, NOW)
    next(scan)
    assert source.asked.wait(SECONDS)
    del scan
    assert source.interrupts >= 2
    assert active_count() == threads


def test_ctrl_c_during_a_prefetch_ends_it_too() -> None:
    source = make_slow(calls=1)

    def stop_while_it_reads() -> None:
        with prefetching(source) as begin:
            begin(lambda: list(source.scan_days([], 1)))
            assert source.asked.wait(SECONDS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_while_it_reads()
    assert source.interrupts >= 2


def test_nothing_is_interrupted_where_nothing_is_read() -> None:
    source = make_slow()
    with prefetching(source) as begin:
        assert begin(lambda: 7)() == 7
    assert source.interrupts == 0


@dataclass
class LaterLost(SlowSource):
    """Fails in later reads; see ``errors``."""

    errors: list[SourceError] = field(default_factory=list)

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        if self.calls and self.errors:
            raise self.errors.pop()
        return super().scan_days(windows, sample_size)


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([SourceUnavailableError("SOURCE_UNAVAILABLE", "Gone.")] * 2, None),
        ([SourceUnavailableError("SOURCE_UNAVAILABLE", "Gone.")] * 3, "SOURCE_UNAVAILABLE"),
        ([SourceError("COLUMN_MISSING", "There is no column event_id.")], "COLUMN_MISSING"),
    ],
)
def test_errors_of_prefetched_days_are_reported_for_these_days_only(
    tmp_path: Path, errors: list[SourceError], reason: str | None
) -> None:
    source = LaterLost(make_slow().days, errors=list(errors))
    source.may_go_on.set()
    found = list(make_work(tmp_path, source).read(DAYS, NOW))
    assert [scan.day for scan in found] == DAYS
    assert [scan.unreadable_reason_code for scan in found] == [None] * FIRST_CHUNK_DAYS + [reason] * 3
