"""The store appends revisions, reads back exactly what was written, and says in one sentence what is wrong."""

from __future__ import annotations

import sqlite3
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from telemetry_quality.core.alerts import Settlement
from telemetry_quality.core.dispatch import LEASE
from telemetry_quality.core.events import (
    Arrivals,
    DayAggregates,
    DayScan,
    Duplicates,
    Slice,
    SliceCounts,
    UnreadableDay,
)
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.marks import Mark
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.ports import JudgedDay
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import SCHEMA_REVISION, integrity_snapshot
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan, make_snapshot, row_order, spread
from telemetry_quality_tests.storage.examples import (
    ACCEPTED_FAILURES,
    ARRIVALS,
    CONTRIBUTORS,
    DUPLICATES,
    SLICES,
    VERDICTS,
    make_action,
    make_alert,
    make_full_scan,
    make_mark,
    run,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.events import AggregateRow

LATER = NOW + timedelta(hours=1)
NEXT_DAY = DAY + timedelta(days=1)
UNREADABLE = UnreadableDay(DAY, "FILE_BROKEN", "Every file must be readable, but one — “x.parquet” — is not.")
SAMPLE = (SampleVerdict("s1"), SampleVerdict(None, ("MISSING_EVENT_ID", "MISSING_CRITICAL_FIELD:user_id")))
ODD_TEXTS = ['it\'s "odd"; DROP TABLE alert; --', "🛰️\n\t\x00", "x" * 10_000, "", " ", "e\u0301"]


@pytest.fixture
def store(store_url: str) -> SqlQualityStore:
    return SqlQualityStore(store_url)


def count(url: str, table: str) -> int:
    ((found,),) = run(url, f"SELECT count(*) FROM {table}")
    return int(found)


def test_the_same_scan_twice_adds_nothing(store_url: str, store: SqlQualityStore) -> None:
    first = store.append_scan("web", make_scan(), SAMPLE, NOW)
    second = store.append_scan("web", make_scan(), SAMPLE, LATER)
    assert (first.revision, first.is_new) == (1, True)
    assert second == replace(first, is_new=False)
    assert [count(store_url, table) for table in ("day_scan", "event_aggregate", "event_sample")] == [1, 1, 2]


def test_the_same_events_in_a_later_version_of_the_table_add_nothing(store: SqlQualityStore) -> None:
    first = store.append_scan("web", replace(make_scan(), source_version="6"), SAMPLE, NOW)
    second = store.append_scan("web", replace(make_scan(), source_version="7"), SAMPLE, LATER)
    other = store.append_scan("web", replace(make_scan(), source_version="8"), SAMPLE[:1], LATER)
    assert (first.source_version, second) == ("6", replace(first, is_new=False))
    assert (other.revision, other.source_version) == (2, "8")
    assert store.latest_scans("web", [DAY])[DAY].source_version == "8"


@pytest.mark.parametrize(
    "changed",
    [
        {"hour": 13},
        {"event_name": "other"},
        {"event_name": None},
        {"event_name": ""},
        {"service_version": None},
        {"events": 101},
        {"errors": 1},
        {"error_unknown_events": 1},
        {"missing_version": 1},
        {"late_events": 1},
    ],
    ids=str,
)
def test_any_other_number_of_a_day_adds_one_revision(store: SqlQualityStore, changed: dict[str, Any]) -> None:
    store.append_scan("web", make_scan(), SAMPLE, NOW)
    stored = store.append_scan("web", make_scan(DAY, make_row(**changed)), SAMPLE, LATER)
    assert (stored.revision, stored.is_new) == (2, True)


@pytest.mark.parametrize(
    "sample",
    [(), SAMPLE[:1], SAMPLE[::-1], (SAMPLE[0], SampleVerdict(None, ("MISSING_EVENT_ID",))), (SAMPLE[0], SAMPLE[0])],
)
def test_any_other_sample_adds_one_revision(store: SqlQualityStore, sample: tuple[SampleVerdict, ...]) -> None:
    store.append_scan("web", make_scan(), SAMPLE, NOW)
    assert store.append_scan("web", make_scan(), sample, LATER).revision == 2


def test_a_day_that_becomes_unreadable_and_comes_back_adds_one_revision_each_time(store: SqlQualityStore) -> None:
    scans: list[DayScan | UnreadableDay] = [
        make_scan(),
        UNREADABLE,
        UNREADABLE,
        make_scan(),
        make_scan(),
    ]
    stored = [store.append_scan("web", scan, (), NOW) for scan in scans]
    assert [(scan.revision, scan.is_new) for scan in stored] == [
        (1, True),
        (2, True),
        (2, False),
        (3, True),
        (3, False),
    ]
    assert stored[0].figures_hash == stored[3].figures_hash != stored[1].figures_hash


def test_another_reason_for_being_unreadable_adds_one_revision(store: SqlQualityStore) -> None:
    store.append_scan("web", UNREADABLE, (), NOW)
    assert store.append_scan("web", replace(UNREADABLE, reason_code="NO_FILES"), (), NOW).revision == 2


def test_an_empty_day_an_unreadable_day_and_a_day_never_read_are_three_answers(store: SqlQualityStore) -> None:
    empty = store.append_scan("web", DayScan(DAY, DayAggregates()), (), NOW)
    unreadable = store.append_scan("web", replace(UNREADABLE, day=NEXT_DAY), (), NOW)
    assert (empty.total_events, empty.unreadable_reason_code) == (0, None)
    assert (unreadable.total_events, unreadable.unreadable_reason_code) == (None, "FILE_BROKEN")
    assert unreadable.error_events is unreadable.sample_size is unreadable.late_events is None
    assert store.latest_scans("web", [DAY, NEXT_DAY, DATE_NEVER_READ]).keys() == {DAY, NEXT_DAY}
    assert empty.figures_hash != unreadable.figures_hash


DATE_NEVER_READ = date(2026, 1, 1)


def test_a_scan_is_read_back_exactly(store: SqlQualityStore) -> None:
    rows = [
        make_row(hour=n, event_name=name, service_version=version, missing_critical=(n, 2**40), events=2**40)
        for n, (name, version) in enumerate([*zip(ODD_TEXTS, ODD_TEXTS[::-1], strict=True), (None, "1"), ("a", None)])
    ]
    aggregates = DayAggregates(tuple(sorted(rows, key=row_order)), ("user_id", 'it\'s "odd"'))
    stored = store.append_scan("web", DayScan(DAY, aggregates), SAMPLE, NOW)
    assert store.aggregates("web", DAY) == aggregates
    assert store.latest_scans("web", [DAY]) == {DAY: replace(stored, is_new=False)}
    assert (stored.total_events, stored.sample_size, stored.sample_passed) == (8 * 2**40, 2, 1)
    assert store.verify().findings == ()


def test_counts_by_hour_are_read_back_exactly(store_url: str, store: SqlQualityStore) -> None:
    aggregates = DayAggregates(SPREAD_ROWS, FIELDS)
    stored = store.append_scan("web", DayScan(DAY, aggregates), SAMPLE, NOW)
    assert store.aggregates("web", DAY) == aggregates
    assert stored.missing_critical == {"user_id": 3, 'it\'s "odd"': 2**40}
    assert count(store_url, "event_aggregate") == len(SPREAD_ROWS)
    assert not store.append_scan("web", DayScan(DAY, aggregates), SAMPLE, LATER).is_new
    assert store.verify().findings == ()


FIELDS = ("user_id", 'it\'s "odd"')
SPREAD_ROWS = (
    spread(
        make_row(hour=0, errors=1, missing_critical=(3, 0)),
        make_row(hour=7, error_unknown_events=2, missing_critical=(0, 0)),
        make_row(hour=24, late_events=4, missing_critical=(0, 2**40)),
        critical_fields=FIELDS,
    ),
    make_row(hour=23, event_name=None, service_version="it's 🛰️", missing_critical=(0, 0)),
    spread(
        make_row(hour=3, service_version=None, missing_version=100, missing_critical=(0, 0)),
        make_row(hour=4, service_version=None, missing_version=100, missing_critical=(0, 0)),
    ),
)


@pytest.mark.parametrize(
    "moved",
    [
        spread(make_row(hour=1), make_row(hour=5)),
        spread(make_row(hour=1, events=99), make_row(hour=4, events=101)),
        spread(make_row(hour=1, events=60), make_row(hour=2, events=40), make_row(hour=4)),
    ],
)
def test_events_of_another_hour_are_another_revision(store: SqlQualityStore, moved: AggregateRow) -> None:
    both = spread(make_row(hour=1), make_row(hour=4))
    assert store.append_scan("web", make_scan(DAY, both), (), NOW).revision == 1
    assert store.append_scan("web", make_scan(DAY, moved), (), NOW).revision == 2


def test_a_store_that_is_kept_open_connects_once_and_keeps_everything_at_once(
    store_url: str, store: SqlQualityStore
) -> None:
    opened: list[object] = []
    store.latest_scans("web", [DAY])
    event.listen(store._engine, "connect", lambda connection, _: opened.append(connection))
    with store.kept_open(), store.kept_open():
        for number in range(3):
            store.append_scan("web", make_scan(DAY, make_row(events=number + 1)), (), NOW)
            assert len(SqlQualityStore(store_url).scans("web", DAY, DAY)) == number + 1
        with pytest.raises((StoreError, OverflowError)):
            store.append_scan("web", make_scan(DAY, make_row(events=2**70)), (), NOW)
        assert store.append_scan("web", make_scan(DAY, make_row(events=9)), (), NOW).revision == 4
    store.close()
    assert len(opened) <= 1
    assert store.verify().findings == ()


def test_a_store_that_is_not_there_is_not_made_by_keeping_it_open(tmp_path: Path) -> None:
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(StoreError, match="must exist"), store.kept_open():
        pass
    assert not list(tmp_path.iterdir())


def test_a_reason_is_read_back_exactly(store: SqlQualityStore) -> None:
    for text in ODD_TEXTS:
        store.append_scan("web", UnreadableDay(DAY, "SOURCE_UNREADABLE", text), (), NOW)
        assert store.latest_scans("web", [DAY])[DAY].unreadable_reason == text
    assert store.verify().findings == ()


def test_aggregates_are_those_of_the_latest_revision(store: SqlQualityStore) -> None:
    store.append_scan("web", make_scan(), (), NOW)
    late = make_scan(DAY, make_row(events=150), make_row(hour=3))
    store.append_scan("web", late, (), LATER)
    assert store.aggregates("web", DAY).totals() == late.aggregates.totals()
    store.append_scan("web", UNREADABLE, (), LATER)
    assert store.aggregates("web", DAY) == DayAggregates()
    assert store.aggregates("web", NEXT_DAY) == DayAggregates()


def test_sources_days_and_names_that_look_like_sql_never_mix(store: SqlQualityStore) -> None:
    sources = ["web", "app", "web' OR 1=1 --", ""]
    for number, source in enumerate(sources):
        store.append_scan(source, make_scan(DAY, make_row(events=number + 1)), (), NOW)
        store.append_incident_action(make_action(source=source, note=str(number)))
    scans = [store.scans(source, DAY, DAY) for source in sources]
    assert [[scan.total_events for scan in of_source] for of_source in scans] == [[1], [2], [3], [4]]
    assert [[action.note for action in store.incident_actions(source)] for source in sources] == [
        ["0"],
        ["1"],
        ["2"],
        ["3"],
    ]


def test_scans_are_all_revisions_within_the_range_by_day_and_revision(store: SqlQualityStore) -> None:
    days = [DAY + timedelta(days=n) for n in range(6)]
    for number, day in enumerate(reversed(days)):
        store.append_scan("web", make_scan(day, make_row(events=10 + number)), (), NOW)
    for total in range(90, 100):
        store.append_scan("web", make_scan(days[1], make_row(events=total)), (), LATER)
    store.append_scan("web", replace(UNREADABLE, day=days[2]), (), LATER)
    store.append_scan("app", make_scan(days[2]), (), NOW)
    scans = store.scans("web", days[1], days[3])
    assert [(scan.day, scan.revision, scan.total_events) for scan in scans] == [
        (days[1], 1, 14),
        *((days[1], 2 + n, 90 + n) for n in range(10)),
        (days[2], 1, 13),
        (days[2], 2, None),
        (days[3], 1, 12),
    ]
    assert {scan.scanned_at for scan in scans if scan.revision == 1} == {NOW}
    assert {scan.scanned_at for scan in scans if scan.revision > 1} == {LATER}
    assert store.scans("web", days[3], days[1]) == store.scans("none", DAY, days[5]) == []


def test_a_full_scan_is_read_back_exactly(store: SqlQualityStore) -> None:
    stored = store.append_scan("web", make_full_scan(), SAMPLE, NOW)
    assert (stored.missing_critical, stored.duplicates, stored.arrivals) == ({"user_id": 1}, DUPLICATES, ARRIVALS)
    assert stored.scanned_at == NOW
    assert store.scans("web", DAY, DAY) == [replace(stored, is_new=False)]
    assert store.latest_scans("web", [DAY]) == {DAY: replace(stored, is_new=False)}
    assert store.slices("web", DAY, DAY) == {DAY: SLICES}
    assert store.append_scan("web", make_full_scan(), SAMPLE, LATER) == replace(stored, is_new=False)
    assert store.verify().findings == ()


def test_the_hours_of_a_day_are_read_back_exactly(store: SqlQualityStore) -> None:
    row = spread(make_row(hour=1, events=7, errors=2, missing_version=7), make_row(hour=4, events=3, missing_version=3))
    stored = store.append_scan("web", make_scan(DAY, row, make_row(hour=2, event_name="order", events=5)), (), NOW)
    assert stored.hours == HourTotals((0, 7, 5, 0, 3), (0, 2, 0, 0, 0), (0, 7, 0, 0, 3))
    assert store.scans("web", DAY, DAY)[0].hours == stored.hours
    unreadable = store.append_scan("web", UnreadableDay(DAY, "FILE_CORRUPT", "The file is broken."), (), NOW)
    assert unreadable.hours is None


def make_rated_reading(paid: int = 7, paid_of_a_slice: int = 5) -> DayScan:
    """A scan with two rates, one of which is a share of some events only."""
    names = ("paid", "paid.of", "kept")
    rows = (
        spread(
            make_row(missing_critical=(0,), rate_counts=(paid, 20, 1)),
            make_row(hour=13, missing_critical=(0,), rate_counts=(0, 3, 0)),
            rate_names=names,
        ),
        make_row(event_name="screen.view", missing_critical=(1,), rate_counts=(0, 0, 2)),
    )
    slices = {
        part: counts._replace(rate_counts=(paid_of_a_slice, number, 0))
        for number, (part, counts) in enumerate(SLICES.items())
    }
    return make_full_scan(aggregates=DayAggregates(rows, ("user_id",), names), slices=slices)


def test_the_counts_of_rates_are_read_back_exactly(store: SqlQualityStore) -> None:
    scan = make_rated_reading()
    stored = store.append_scan("web", scan, SAMPLE, NOW)
    assert stored.rate_counts == {"paid": 7, "paid.of": 23, "kept": 3}
    assert store.scans("web", DAY, DAY) == [replace(stored, is_new=False)]
    assert store.aggregates("web", DAY) == scan.aggregates
    assert store.slices("web", DAY, DAY)[DAY] == scan.slices


def test_without_rates_nothing_is_counted_for_any(store: SqlQualityStore) -> None:
    assert store.append_scan("web", make_full_scan(), SAMPLE, NOW).rate_counts is None


@pytest.mark.parametrize("changed", [make_rated_reading(paid=8), make_rated_reading(paid_of_a_slice=6)])
def test_any_other_count_of_a_rate_adds_one_revision(store: SqlQualityStore, changed: DayScan) -> None:
    store.append_scan("web", make_rated_reading(), SAMPLE, NOW)
    assert store.append_scan("web", changed, SAMPLE, NOW).revision == 2


def test_what_was_not_counted_is_null_and_what_was_counted_as_nothing_is_zero(store: SqlQualityStore) -> None:
    plain = store.append_scan("web", make_scan(), (), NOW)
    assert (plain.missing_critical, plain.duplicates, plain.arrivals) == ({}, None, None)
    nothing = make_full_scan(NEXT_DAY, duplicates=Duplicates(0, 0), arrivals=Arrivals((), 0, 0, 0, 0))
    store.append_scan("web", nothing, (), NOW)
    stored = store.latest_scans("web", [NEXT_DAY])[NEXT_DAY]
    assert (stored.duplicates, stored.arrivals) == (Duplicates(0, 0), Arrivals((), 0, 0, 0, 0))
    unreadable = store.append_scan("web", UNREADABLE, (), NOW)
    assert (unreadable.missing_critical, unreadable.duplicates, unreadable.arrivals) == (None, None, None)
    assert store.latest_scans("web", [DAY]) == {DAY: replace(unreadable, is_new=False)}


@pytest.mark.parametrize(
    "changed",
    [
        {"duplicates": None},
        {"duplicates": replace(DUPLICATES, compared_events=99)},
        {"duplicates": replace(DUPLICATES, duplicate_events=5)},
        {"arrivals": None},
        {"arrivals": replace(ARRIVALS, by_hour=(90, 8, 0, 1, 1))},
        {"arrivals": replace(ARRIVALS, observed_events=0)},
        {"arrivals": replace(ARRIVALS, future_events=0)},
        {"arrivals": replace(ARRIVALS, stale_events=0)},
        {"arrivals": replace(ARRIVALS, undated_events=0)},
        {"slices": {}},
        {"slices": SLICES | {Slice("platform", None): SliceCounts(30, 2, 1)}},
        {"slices": SLICES | {Slice("platform", None): SliceCounts(30, 3, 0)}},
        {"slices": SLICES | {Slice("platform", None): SliceCounts(31, 2, 0)}},
        {"slices": SLICES | {Slice("platform", ""): SliceCounts(0, 0, 0)}},
        {"slices": SLICES | {Slice("country", None): SliceCounts(0, 0, 0)}},
        {"slices": SLICES | {Slice("platform", None, "hour", None): SliceCounts(0, 0, 0)}},
        {"slices": dict(list(SLICES.items())[1:])},
    ],
    ids=str,
)
def test_any_other_slice_duplicate_or_arrival_adds_one_revision(
    store: SqlQualityStore, changed: dict[str, Any]
) -> None:
    store.append_scan("web", make_full_scan(), SAMPLE, NOW)
    assert store.append_scan("web", make_full_scan(**changed), SAMPLE, LATER).revision == 2
    assert store.slices("web", DAY, DAY).get(DAY, {}) == changed.get("slices", SLICES)
    assert store.verify().findings == ()


def test_the_same_slices_in_another_order_add_nothing(store: SqlQualityStore) -> None:
    tied = {Slice("platform", name, "hour", hour): SliceCounts(5, 0, 0) for name in (None, "", "a") for hour in "12"}
    store.append_scan("web", make_full_scan(slices=SLICES | tied), SAMPLE, NOW)
    again = make_full_scan(slices=dict(reversed((SLICES | tied).items())))
    assert not store.append_scan("web", again, SAMPLE, LATER).is_new


@pytest.mark.parametrize(("minimum", "kept"), [(0, 9), (1, 8), (29, 5), (30, 5), (31, 4), (100, 1), (101, 0)])
def test_slices_of_fewer_events_are_left_out(store: SqlQualityStore, minimum: int, kept: int) -> None:
    store.append_scan("web", make_full_scan(), SAMPLE, NOW)
    (found,) = store.slices("web", DAY, DAY, minimum).values()
    assert found == {part: counts for part, counts in SLICES.items() if counts.events >= minimum}
    assert len(found) == kept


def test_slices_are_those_of_the_latest_scan_of_each_day_in_the_range(store: SqlQualityStore) -> None:
    days = [DAY + timedelta(days=n) for n in range(6)]
    few = {Slice("event_name", "page.view"): SliceCounts(5, 0, 0)}
    for day in days:
        store.append_scan("web", make_full_scan(day), SAMPLE, NOW)
        store.append_scan("app", make_full_scan(day, slices={}), SAMPLE, NOW)
    for duplicated in range(5, 16):
        changed = make_full_scan(days[1], slices=few, duplicates=Duplicates(100, duplicated))
        store.append_scan("web", changed, SAMPLE, LATER)
    store.append_scan("web", replace(UNREADABLE, day=days[2]), (), LATER)
    assert store.slices("web", days[1], days[4]) == {days[1]: few, days[3]: SLICES, days[4]: SLICES}
    assert store.slices("app", days[0], days[5]) == store.slices("web", days[4], days[1]) == {}


def read_names(store: SqlQualityStore, source: str, day: date, *names: str | None) -> None:
    """Store a scan of a day with an event of each of ``names``, and slices that name no signal."""
    by_name = {Slice("event_name", name): SliceCounts(1, 0, 0) for name in names}
    by_platform = {
        Slice("service_version", "no signal"): SliceCounts(1, 0, 0),
        Slice("event_name", "no signal", "hour", "3"): SliceCounts(1, 0, 0),
    }
    rows = [make_row(event_name=name) for name in names]
    store.append_scan(source, make_scan(day, *rows, slices=by_name | by_platform), (), NOW)


def test_a_signal_was_first_seen_on_its_earliest_day(store: SqlQualityStore) -> None:
    read_names(store, "web", NEXT_DAY, "old", "new", None)
    read_names(store, "web", DAY, "old")
    read_names(store, "web", DAY, "old", "odd")
    read_names(store, "app", DATE_NEVER_READ, "old")
    assert store.signals_first_seen("web") == {"old": DAY, "odd": DAY, "new": NEXT_DAY}
    assert store.signals_first_seen("none") == {}


def test_a_signal_of_any_name_was_seen_even_if_its_day_was_read_otherwise_later(store: SqlQualityStore) -> None:
    odd = "\x1f\u2028'\";␀0\0😀" + "x" * 10_000
    read_names(store, "web", DATE_NEVER_READ, odd, None)
    read_names(store, "web", DAY, "old", odd, "")
    read_names(store, "web", DAY, "old")
    read_names(store, "app", DAY - timedelta(days=9), "old")
    store.append_scan("web", replace(UNREADABLE, day=DAY), (), NOW)
    assert store.signals_first_seen("web") == {"old": DAY, "": DAY, odd: min(DAY, DATE_NEVER_READ)}


def test_latest_scans_are_of_exactly_the_days_asked_for(store: SqlQualityStore) -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day in days:
        store.append_scan("web", make_scan(day), (), NOW)
    assert store.latest_scans("web", iter([days[0], days[3]])).keys() == {days[0], days[3]}
    assert store.latest_scans("web", []) == {}


def test_a_snapshot_is_read_back_exactly(store: SqlQualityStore) -> None:
    snapshot = make_snapshot(
        source="it's 🛰️", error_rate_percent=100 / 3, volume_deviation_percent=-1e-300, expected_events=0.1 + 0.2
    )
    stored, is_new = store.append_snapshot(snapshot, VERDICTS)
    assert is_new
    assert stored.revision == 1
    assert stored == replace(snapshot, revision=1, verdicts_hash=stored.verdicts_hash, content_hash=stored.content_hash)
    assert store.snapshots("it's 🛰️", DAY, DAY) == [stored]
    assert store.snapshots("it's 🛰️", DAY, DAY)[0].status is DayStatus.UNHEALTHY
    assert store.snapshots("it's 🛰️", DAY, DAY)[0].computed_at.tzinfo is not None


def test_an_unknown_day_is_read_back_with_nothing_but_its_reason(store: SqlQualityStore) -> None:
    nothing: dict[str, Any] = {field.name: None for field in fields(DayFigures)}
    snapshot = make_snapshot(**nothing | {"unreadable_reason_code": "FILE_BROKEN", "unreadable_reason": "…"})
    stored, _ = store.append_snapshot(snapshot, VERDICTS)
    assert store.snapshots("web", DAY, DAY) == [stored]
    assert stored.status is DayStatus.UNKNOWN
    assert stored.has_error_spike is stored.total_events is None


def test_the_same_snapshot_taken_later_adds_nothing(store: SqlQualityStore) -> None:
    first, _ = store.append_snapshot(make_snapshot(), VERDICTS)
    assert store.append_snapshot(replace(make_snapshot(), computed_at=LATER), VERDICTS) == (first, False)


def test_the_run_that_computed_a_snapshot_first_is_kept_and_another_one_that_finds_the_same_adds_nothing(
    store: SqlQualityStore,
) -> None:
    first, _ = store.append_snapshot(replace(make_snapshot(), run_id="run-1"), VERDICTS)
    assert first.run_id == "run-1"
    for run_id in ("run-1", "run-2", None):
        assert store.append_snapshot(replace(make_snapshot(), run_id=run_id), VERDICTS) == (first, False)
    second, _ = store.append_snapshot(replace(make_snapshot(total_events=1), run_id="run-2"), VERDICTS)
    assert [snapshot.run_id for snapshot in store.revisions("web", DAY)] == ["run-1", "run-2"]
    assert store.snapshots("web", DAY, DAY) == [second]


def test_every_field_of_a_snapshot_has_its_column() -> None:
    assert {field.name for field in fields(TelemetryIntegritySnapshot)} == {
        column.name for column in integrity_snapshot.columns if column.name != "sequence"
    }


def test_every_number_of_a_snapshot_is_read_back_exactly(store: SqlQualityStore) -> None:
    snapshot = make_snapshot(
        expected_low_events=0.1 + 0.2,
        expected_high_events=1e300,
        is_volume_unusual=True,
        compared_events=2**40,
        duplicate_events=7,
        duplicate_percent=100 / 3,
        critical_missing_percent=0.0,
        late_percent=1.5,
        arrived_events=2**41,
        impossible_timestamp_percent=100 / 7,
        unreadable_time_events=3,
        unreadable_time_percent=1.25,
        invalid_timestamp_percent=2.5,
        completeness_percent=99.5,
        is_provisional=True,
    )
    stored, _ = store.append_snapshot(snapshot, VERDICTS)
    assert replace(snapshot, revision=1, verdicts_hash=stored.verdicts_hash, content_hash=stored.content_hash) == stored
    assert store.snapshots("web", DAY, DAY) == store.revisions("web", DAY) == [stored]


def test_verdicts_are_read_back_exactly_per_day_and_revision_in_their_order(store: SqlQualityStore) -> None:
    store.append_snapshot(make_snapshot(NEXT_DAY), VERDICTS[:1])
    for total in range(12):
        store.append_snapshot(make_snapshot(total_events=total), VERDICTS if total % 2 else VERDICTS[::-1])
    store.append_snapshot(make_snapshot(source="app"), VERDICTS[1:])
    found = store.verdicts("web", DAY, NEXT_DAY)
    assert found == {DAY: {n: VERDICTS[::-1] if n % 2 else VERDICTS for n in range(1, 13)}, NEXT_DAY: {1: VERDICTS[:1]}}
    assert [list(revisions) for revisions in found.values()] == [list(range(1, 13)), [1]]
    assert store.verdicts("web", NEXT_DAY, NEXT_DAY) == {NEXT_DAY: {1: VERDICTS[:1]}}
    assert store.verdicts("web", NEXT_DAY, DAY) == {}
    assert not any("changed" in finding.sentence for finding in store.verify().findings)


def test_judged_days_are_those_of_the_current_snapshots_oldest_first(store: SqlQualityStore) -> None:
    third = NEXT_DAY + timedelta(days=1)
    store.append_snapshot(make_snapshot(NEXT_DAY), VERDICTS)
    for total in range(12):
        store.append_snapshot(make_snapshot(total_events=total), VERDICTS)
    store.append_snapshot(replace(make_snapshot(third), status=DayStatus.DEGRADED), VERDICTS)
    store.append_snapshot(make_snapshot(DATE_NEVER_READ, source="app"), VERDICTS)
    assert store.judged_days("web") == [
        JudgedDay(DAY, 12, is_healthy=True),
        JudgedDay(NEXT_DAY, 1, is_healthy=True),
        JudgedDay(third, 1, is_healthy=False),
    ]
    assert store.judged_days("none") == []


def test_failed_verdicts_are_those_that_failed_or_say_that_the_day_could_not_be_read(store: SqlQualityStore) -> None:
    unread = Verdict("activity", Level.CRITICAL, Outcome.UNKNOWN, "DAY_UNREADABLE", None, None, "It is broken.")
    known: dict[date, list[tuple[Verdict, ...]]] = {
        DAY: [(JUDGED, *VERDICTS), VERDICTS[1:], (*VERDICTS[1:], JUDGED)],
        NEXT_DAY: [(VERDICTS[1], unread)],
    }
    for day, revisions in known.items():
        for total, verdicts in enumerate(revisions):
            store.append_snapshot(make_snapshot(day, total_events=total), verdicts)
            store.append_snapshot(make_snapshot(day, source="app", total_events=total), verdicts)
    found = {DAY: {1: (JUDGED, VERDICTS[0]), 3: (JUDGED,)}, NEXT_DAY: {1: (unread,)}}
    assert store.failed_verdicts("web", DAY, NEXT_DAY) == found
    assert store.failed_verdicts("web", date.min, DAY) == {DAY: found[DAY]}
    assert store.failed_verdicts("web", NEXT_DAY, date.max) == {NEXT_DAY: found[NEXT_DAY]}
    assert store.failed_verdicts("none", date.min, date.max) == {}


def test_a_snapshot_without_verdicts_says_so_in_its_hash(store: SqlQualityStore) -> None:
    stored, _ = store.append_snapshot(make_snapshot(), ())
    assert stored.verdicts_hash is not None
    assert store.verdicts("web", DAY, DAY) == {}
    assert store.append_snapshot(make_snapshot(), ()) == (stored, False)
    assert store.append_snapshot(make_snapshot(), VERDICTS)[1]


JUDGED = Verdict("volume", Level.INFO, Outcome.FAILED, "VOLUME_LOW", -40.0, 30.0, "Too few.", CONTRIBUTORS)


@pytest.mark.parametrize(
    "changed",
    [
        {"guardrail": "leak"},
        {"level": Level.WARNING},
        {"outcome": Outcome.PASSED},
        {"reason_code": "VOLUME_HIGH"},
        {"value": -41.0},
        {"value": None},
        {"threshold": 31.0},
        {"threshold": None},
        {"contributors": ()},
        {"contributors": CONTRIBUTORS[:1]},
        {"contributors": CONTRIBUTORS[::-1]},
        {"contributors": (replace(CONTRIBUTORS[0], segment=Segment()), CONTRIBUTORS[1])},
        {
            "contributors": (
                replace(CONTRIBUTORS[0], segment=replace(CONTRIBUTORS[0].segment, hours=None)),
                CONTRIBUTORS[1],
            )
        },
        {"contributors": (replace(CONTRIBUTORS[0], expected=1.0), CONTRIBUTORS[1])},
        {"contributors": (replace(CONTRIBUTORS[0], found=1.0), CONTRIBUTORS[1])},
        {"contributors": (replace(CONTRIBUTORS[0], share_percent=None), CONTRIBUTORS[1])},
        {"contributors": (replace(CONTRIBUTORS[0], since=None), CONTRIBUTORS[1])},
    ],
    ids=str,
)
def test_a_verdict_that_says_something_else_adds_one_revision(store: SqlQualityStore, changed: dict[str, Any]) -> None:
    store.append_snapshot(make_snapshot(), (JUDGED,))
    other = replace(JUDGED, **changed)
    second, is_new = store.append_snapshot(make_snapshot(), (other,))
    assert (second.revision, is_new) == (2, True)
    assert store.verdicts("web", DAY, DAY) == {DAY: {1: (JUDGED,), 2: (other,)}}


@pytest.mark.parametrize("verdicts", [(), (JUDGED, JUDGED), (VERDICTS[1], JUDGED), (JUDGED, VERDICTS[1])], ids=len)
def test_more_fewer_or_reordered_verdicts_add_one_revision(
    store: SqlQualityStore, verdicts: tuple[Verdict, ...]
) -> None:
    store.append_snapshot(make_snapshot(), (JUDGED,))
    assert store.append_snapshot(make_snapshot(), verdicts)[1]
    assert store.append_snapshot(make_snapshot(), verdicts[::-1])[1] is (len(set(verdicts)) > 1)


def test_the_same_verdict_in_other_words_or_whole_numbers_adds_nothing(store: SqlQualityStore) -> None:
    first, _ = store.append_snapshot(make_snapshot(), (JUDGED,))
    again = replace(
        JUDGED, sentence="In other words.", value=-40, contributors=(CONTRIBUTORS[0], Contributor(Segment(), 1000.0, 0))
    )
    assert store.append_snapshot(replace(make_snapshot(), computed_at=LATER), (again,)) == (first, False)
    assert store.verdicts("web", DAY, DAY) == {DAY: {1: (JUDGED,)}}


def test_revisions_are_all_snapshots_of_a_day_in_order(store: SqlQualityStore) -> None:
    stored = [store.append_snapshot(make_snapshot(total_events=total), VERDICTS)[0] for total in range(12)]
    store.append_snapshot(make_snapshot(NEXT_DAY), VERDICTS)
    store.append_snapshot(make_snapshot(source="app"), VERDICTS)
    assert store.revisions("web", DAY) == stored
    assert store.revisions("web", DATE_NEVER_READ) == []


def test_marks_are_read_back_exactly_oldest_first_even_if_repeated(store: SqlQualityStore) -> None:
    said = [
        make_mark(),
        make_mark(mark=None, note="", until=DAY, marked_at=LATER),
        make_mark(mark=Mark.ACCEPTED, by=ODD_TEXTS[0], note=ODD_TEXTS[1]),
        make_mark(),
    ]
    for marked in said:
        store.append_marked_days(marked)
    store.append_marked_days(make_mark(source="app", mark=Mark.SPECIAL))
    assert store.marked_days("web") == said
    assert store.marked_days("app") == [make_mark(source="app", mark=Mark.SPECIAL)]
    assert store.marked_days("none") == []
    assert store.verify().findings == ()


def test_incident_actions_are_read_back_exactly_oldest_first_even_if_repeated(store: SqlQualityStore) -> None:
    actions = [
        make_action(),
        make_action(day=DATE_NEVER_READ, action=Action.CONFIRM, until=None, note="", acted_at=LATER),
        make_action(root_cause=ODD_TEXTS[1], by=ODD_TEXTS[0], action=Action.DISMISS, acted_at=NOW),
        make_action(action=Action.ACCEPT, accepted=ACCEPTED_FAILURES),
        make_action(),
    ]
    for action in actions:
        store.append_incident_action(action)
    store.append_incident_action(make_action(source="app"))
    assert store.incident_actions("web") == actions
    assert store.incident_actions("app") == [make_action(source="app")]
    assert store.incident_actions("none") == []
    assert store.verify().findings == ()


@pytest.mark.parametrize(
    "changed",
    [
        make_snapshot(total_events=999),
        make_snapshot(error_rate_percent=0.1),
        make_snapshot(expected_events=None),
        make_snapshot(policy=policy_of(error_rate_percent=7)),
        replace(make_snapshot(), scan_hash="1" * 64),
        replace(make_snapshot(), status=DayStatus.DEGRADED),
    ],
    ids=["total", "rate", "expected", "policy", "scan", "status"],
)
def test_changed_numbers_or_another_policy_add_one_revision_and_going_back_another(
    store: SqlQualityStore, changed: Any
) -> None:
    first, _ = store.append_snapshot(make_snapshot(), VERDICTS)
    second, is_new = store.append_snapshot(changed, VERDICTS)
    assert (second.revision, is_new, second.previous_hash) == (2, True, first.content_hash)
    third, is_new = store.append_snapshot(make_snapshot(), VERDICTS)
    assert (third.revision, is_new) == (3, True)
    assert store.snapshots("web", DAY, DAY) == [third]


def test_the_chain_runs_through_all_sources_and_days(store: SqlQualityStore) -> None:
    first, _ = store.append_snapshot(make_snapshot(), VERDICTS)
    second, _ = store.append_snapshot(make_snapshot(NEXT_DAY, source="app"), VERDICTS)
    assert first.previous_hash is None
    assert second.previous_hash == first.content_hash


def test_a_snapshot_of_an_older_scan_than_the_stored_one_is_not_appended(store: SqlQualityStore) -> None:
    newest, _ = store.append_snapshot(make_snapshot(scan_revision=3), VERDICTS)
    assert store.append_snapshot(make_snapshot(scan_revision=2, total_events=1), VERDICTS) == (newest, False)
    assert store.append_snapshot(make_snapshot(scan_revision=3, total_events=1), VERDICTS)[1]
    assert store.append_snapshot(make_snapshot(scan_revision=4, total_events=2), VERDICTS)[1]


def test_current_snapshots_are_the_latest_revision_of_each_day_oldest_first(store: SqlQualityStore) -> None:
    store.append_snapshot(make_snapshot(NEXT_DAY), VERDICTS)
    for total in range(12):
        store.append_snapshot(make_snapshot(total_events=total + 1), VERDICTS)
    store.append_snapshot(make_snapshot(source="app"), VERDICTS)
    current = store.snapshots("web", DAY, NEXT_DAY)
    assert [(snapshot.day, snapshot.revision) for snapshot in current] == [(DAY, 12), (NEXT_DAY, 1)]
    assert store.snapshots("web", NEXT_DAY, NEXT_DAY) == current[1:]
    assert store.snapshots("web", NEXT_DAY, DAY) == []


def test_a_store_is_read_back_by_another_process_and_after_closing(store_url: str, store: SqlQualityStore) -> None:
    stored = store.append_scan("web", make_scan(), SAMPLE, NOW)
    store.close()
    assert store.latest_scans("web", [DAY]) == {DAY: replace(stored, is_new=False)}
    again = SqlQualityStore(store_url)
    assert again.latest_scans("web", [DAY]) == {DAY: replace(stored, is_new=False)}


def test_a_failed_append_leaves_nothing_behind(store_url: str, store: SqlQualityStore) -> None:
    twice = (make_row(), make_row(hour=None))
    with pytest.raises((StoreError, TypeError)):
        store.append_scan("web", make_full_scan(aggregates=DayAggregates(twice)), SAMPLE, NOW)
    with pytest.raises((StoreError, TypeError)):
        store.append_scan("web", make_full_scan(slices={Slice(None, "a"): SliceCounts(1, 0, 0)}), SAMPLE, NOW)  # type: ignore[arg-type]
    with pytest.raises((StoreError, TypeError)):
        store.append_snapshot(make_snapshot(), (JUDGED, replace(JUDGED, guardrail=None)))  # type: ignore[arg-type]
    tables = (
        "day_scan",
        "event_aggregate",
        "event_sample",
        "event_slice",
        "integrity_snapshot",
        "guardrail_verdict",
    )
    assert [count(store_url, table) for table in tables] == [0] * 6
    assert store.append_scan("web", make_scan(), SAMPLE, datetime(2026, 1, 1, tzinfo=UTC)).revision == 1


def ask_everything(store: SqlQualityStore) -> list[Any]:
    return [
        lambda: store.append_scan("web", make_scan(), (), NOW),
        lambda: store.latest_scans("web", [DAY]),
        lambda: store.aggregates("web", DAY),
        lambda: store.scans("web", DAY, DAY),
        lambda: store.slices("web", DAY, DAY),
        lambda: store.signals_first_seen("web"),
        lambda: store.append_snapshot(make_snapshot(), VERDICTS),
        lambda: store.snapshots("web", DAY, DAY),
        lambda: store.revisions("web", DAY),
        lambda: store.verdicts("web", DAY, DAY),
        lambda: store.judged_days("web"),
        lambda: store.failed_verdicts("web", DAY, DAY),
        lambda: store.append_incident_action(make_action()),
        lambda: store.incident_actions("web"),
        lambda: store.undispatched_verdicts("web", "log"),
        lambda: store.settled_levels(make_alert(), "log"),
        lambda: store.claim_alert(make_alert(), "log", NOW, LEASE),
        lambda: store.settle_alerts([make_alert()], "log", Settlement.DISPATCHED, NOW),
        store.verify,
    ]


def test_a_store_that_does_not_exist_says_so_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    for ask in ask_everything(SqlQualityStore(f"sqlite:///{path}")):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(caught.value) == f"The store {path} must exist, but does not; run telemetry-quality migrate."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("found", "prepare"), [("none", "DROP TABLE alembic_version"), ("0001", None)])
def test_a_store_that_was_not_migrated_says_so(tmp_path: Path, found: str, prepare: str | None) -> None:
    path = tmp_path / "quality.db"
    migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute(prepare or f"UPDATE alembic_version SET version_num = '{found}'")
    connection.commit()
    connection.close()
    for ask in ask_everything(SqlQualityStore(f"sqlite:///{path}")):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(caught.value) == (
            f"The store {path} must have schema {SCHEMA_REVISION}, but has {found}; run telemetry-quality migrate."
        )


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "quality.db"
    path.write_bytes(b"no database, just words\n" * 400)
    for ask in ask_everything(SqlQualityStore(f"sqlite:///{path}")):
        with pytest.raises(StoreError, match=r"quality.db must be .*file is not a database"):
            ask()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://admin:hunter2@host",
        "postgresql+psycopg2://admin:hunter2@host/db",
        "mysql://admin:hunter2@host/db",
        "sqlite://",
        "hunter2",
        "",
        "://hunter2",
    ],
)
def test_a_url_that_is_not_a_sqlite_file_is_refused_without_repeating_a_password(url: str) -> None:
    for ask in (SqlQualityStore, migrate):
        with pytest.raises(StoreError, match="store requires the form sqlite:///FILE or postgresql:") as caught:
            ask(url)
        assert "hunter2" not in str(caught.value)
