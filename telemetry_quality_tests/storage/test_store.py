"""The store appends revisions, reads back exactly what was written, and says in one sentence what is wrong."""

from __future__ import annotations

import sqlite3
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.alerts import Alert, alerts_of
from telemetry_quality.core.events import DayAggregates, DayReading, UnreadableDay
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.policies import Policy
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.core.snapshots import DayFigures, DayStatus
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_reading, make_row, make_snapshot, make_store

if TYPE_CHECKING:
    from pathlib import Path

LATER = NOW + timedelta(hours=1)
NEXT_DAY = DAY + timedelta(days=1)
UNREADABLE = UnreadableDay(DAY, "FILE_BROKEN", "Every file must be readable, but one — “x.parquet” — is not.")
SAMPLE = (SampleVerdict("s1"), SampleVerdict(None, ("MISSING_EVENT_ID", "MISSING_CRITICAL_FIELD:user_id")))
ODD_TEXTS = ['it\'s "odd"; DROP TABLE alert; --', "🛰️\n\t\x00", "x" * 10_000, "", " ", "e\u0301"]


@pytest.fixture
def store(tmp_path: Path) -> SqlQualityStore:
    return make_store(tmp_path)


def count(folder: Path, table: str) -> int:
    connection = sqlite3.connect(folder / "quality.db")
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def test_the_same_reading_twice_adds_nothing(tmp_path: Path, store: SqlQualityStore) -> None:
    first = store.append_reading("web", make_reading(), SAMPLE, NOW)
    second = store.append_reading("web", make_reading(), SAMPLE, LATER)
    assert (first.revision, first.is_new) == (1, True)
    assert second == replace(first, is_new=False)
    assert [count(tmp_path, table) for table in ("day_reading", "event_aggregate", "event_sample")] == [1, 1, 2]


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
    store.append_reading("web", make_reading(), SAMPLE, NOW)
    stored = store.append_reading("web", make_reading(DAY, make_row(**changed)), SAMPLE, LATER)
    assert (stored.revision, stored.is_new) == (2, True)


@pytest.mark.parametrize(
    "sample",
    [(), SAMPLE[:1], SAMPLE[::-1], (SAMPLE[0], SampleVerdict(None, ("MISSING_EVENT_ID",))), (SAMPLE[0], SAMPLE[0])],
)
def test_any_other_sample_adds_one_revision(store: SqlQualityStore, sample: tuple[SampleVerdict, ...]) -> None:
    store.append_reading("web", make_reading(), SAMPLE, NOW)
    assert store.append_reading("web", make_reading(), sample, LATER).revision == 2


def test_a_day_that_becomes_unreadable_and_comes_back_adds_one_revision_each_time(store: SqlQualityStore) -> None:
    readings: list[DayReading | UnreadableDay] = [
        make_reading(),
        UNREADABLE,
        UNREADABLE,
        make_reading(),
        make_reading(),
    ]
    stored = [store.append_reading("web", reading, (), NOW) for reading in readings]
    assert [(one.revision, one.is_new) for one in stored] == [(1, True), (2, True), (2, False), (3, True), (3, False)]
    assert stored[0].figures_hash == stored[3].figures_hash != stored[1].figures_hash


def test_another_reason_for_being_unreadable_adds_one_revision(store: SqlQualityStore) -> None:
    store.append_reading("web", UNREADABLE, (), NOW)
    assert store.append_reading("web", replace(UNREADABLE, reason_code="NO_FILES"), (), NOW).revision == 2


def test_an_empty_day_an_unreadable_day_and_a_day_never_read_are_three_answers(store: SqlQualityStore) -> None:
    empty = store.append_reading("web", DayReading(DAY, DayAggregates()), (), NOW)
    unreadable = store.append_reading("web", replace(UNREADABLE, day=NEXT_DAY), (), NOW)
    assert (empty.total_events, empty.unreadable_reason_code) == (0, None)
    assert (unreadable.total_events, unreadable.unreadable_reason_code) == (None, "FILE_BROKEN")
    assert unreadable.error_events is unreadable.sample_size is unreadable.late_events is None
    assert store.latest_readings("web", [DAY, NEXT_DAY, DATE_NEVER_READ]).keys() == {DAY, NEXT_DAY}
    assert empty.figures_hash != unreadable.figures_hash


DATE_NEVER_READ = date(2026, 1, 1)


def test_a_reading_is_read_back_exactly(store: SqlQualityStore) -> None:
    rows = [
        make_row(hour=n, event_name=name, service_version=version, missing_critical=(n, 2**40), events=2**40)
        for n, (name, version) in enumerate([*zip(ODD_TEXTS, ODD_TEXTS[::-1], strict=True), (None, "1"), ("a", None)])
    ]
    aggregates = DayAggregates(tuple(sorted(rows, key=lambda row: row.order)), ("user_id", 'it\'s "odd"'))
    stored = store.append_reading("web", DayReading(DAY, aggregates), SAMPLE, NOW)
    assert store.aggregates("web", DAY) == aggregates
    assert store.latest_readings("web", [DAY]) == {DAY: replace(stored, is_new=False)}
    assert (stored.total_events, stored.sample_size, stored.sample_passed) == (8 * 2**40, 2, 1)
    assert store.verify().findings == ()


def test_a_reason_is_read_back_exactly(store: SqlQualityStore) -> None:
    for text in ODD_TEXTS:
        store.append_reading("web", UnreadableDay(DAY, "SOURCE_UNREADABLE", text), (), NOW)
        assert store.latest_readings("web", [DAY])[DAY].unreadable_reason == text
    assert store.verify().findings == ()


def test_aggregates_are_those_of_the_latest_revision(store: SqlQualityStore) -> None:
    store.append_reading("web", make_reading(), (), NOW)
    late = make_reading(DAY, make_row(events=150), make_row(hour=3))
    store.append_reading("web", late, (), LATER)
    assert store.aggregates("web", DAY).totals() == late.aggregates.totals()
    store.append_reading("web", UNREADABLE, (), LATER)
    assert store.aggregates("web", DAY) == DayAggregates()
    assert store.aggregates("web", NEXT_DAY) == DayAggregates()


def test_sources_days_and_names_that_look_like_sql_never_mix(store: SqlQualityStore) -> None:
    sources = ["web", "app", "web' OR 1=1 --", ""]
    for number, source in enumerate(sources):
        store.append_reading(source, make_reading(DAY, make_row(events=number + 1)), (), NOW)
    assert [store.daily_totals(source, DAY, DAY) for source in sources] == [{DAY: n + 1} for n in range(4)]


def test_daily_totals_are_of_readable_days_within_the_range_latest_revision_first(store: SqlQualityStore) -> None:
    days = [DAY + timedelta(days=n) for n in range(6)]
    for number, day in enumerate(days):
        store.append_reading("web", make_reading(day, make_row(events=10 + number)), (), NOW)
    store.append_reading("web", make_reading(days[1], make_row(events=99)), (), LATER)
    store.append_reading("web", replace(UNREADABLE, day=days[2]), (), LATER)
    store.append_reading("web", DayReading(days[3], DayAggregates()), (), LATER)
    assert store.daily_totals("web", days[1], days[4]) == {days[1]: 99, days[3]: 0, days[4]: 14}


def test_a_signal_was_first_seen_on_its_earliest_day(store: SqlQualityStore) -> None:
    def read(day: date, *names: str | None) -> None:
        store.append_reading("web", make_reading(day, *(make_row(event_name=name) for name in names)), (), NOW)

    read(NEXT_DAY, "old", "new", None)
    read(DAY, "old")
    read(DAY, "old", "odd")
    store.append_reading("app", make_reading(DATE_NEVER_READ), (), NOW)
    assert store.signals_first_seen("web") == {"old": DAY, "odd": DAY, "new": NEXT_DAY}
    assert store.signals_first_seen("none") == {}


def test_latest_readings_are_of_exactly_the_days_asked_for(store: SqlQualityStore) -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day in days:
        store.append_reading("web", make_reading(day), (), NOW)
    assert store.latest_readings("web", iter([days[0], days[3]])).keys() == {days[0], days[3]}
    assert store.latest_readings("web", []) == {}


def test_a_snapshot_is_read_back_exactly(store: SqlQualityStore) -> None:
    snapshot = make_snapshot(
        source="it's 🛰️", error_rate_percent=100 / 3, volume_deviation_percent=-1e-300, expected_events=0.1 + 0.2
    )
    stored, is_new = store.append_snapshot(snapshot)
    assert is_new
    assert stored.revision == 1
    assert stored == replace(snapshot, revision=1, content_hash=stored.content_hash)
    assert store.snapshots("it's 🛰️", DAY, DAY) == [stored]
    assert store.snapshots("it's 🛰️", DAY, DAY)[0].status is DayStatus.UNHEALTHY
    assert store.snapshots("it's 🛰️", DAY, DAY)[0].computed_at.tzinfo is not None


def test_an_unknown_day_is_read_back_with_nothing_but_its_reason(store: SqlQualityStore) -> None:
    nothing: dict[str, Any] = {field.name: None for field in fields(DayFigures)}
    snapshot = make_snapshot(**nothing | {"unreadable_reason_code": "FILE_BROKEN", "unreadable_reason": "…"})
    stored, _ = store.append_snapshot(snapshot)
    assert store.snapshots("web", DAY, DAY) == [stored]
    assert stored.status is DayStatus.UNKNOWN
    assert stored.has_error_spike is stored.total_events is None


def test_the_same_snapshot_taken_later_adds_nothing(store: SqlQualityStore) -> None:
    first, _ = store.append_snapshot(make_snapshot())
    assert store.append_snapshot(replace(make_snapshot(), computed_at=LATER)) == (first, False)


@pytest.mark.parametrize(
    "changed",
    [
        make_snapshot(total_events=999),
        make_snapshot(error_rate_percent=0.1),
        make_snapshot(expected_events=None),
        make_snapshot(policy=Policy(error_rate_percent=7)),
        replace(make_snapshot(), reading_hash="1" * 64),
        replace(make_snapshot(), status=DayStatus.DEGRADED),
    ],
    ids=["total", "rate", "expected", "policy", "reading", "status"],
)
def test_changed_numbers_or_another_policy_add_one_revision_and_going_back_another(
    store: SqlQualityStore, changed: Any
) -> None:
    first, _ = store.append_snapshot(make_snapshot())
    second, is_new = store.append_snapshot(changed)
    assert (second.revision, is_new, second.previous_hash) == (2, True, first.content_hash)
    third, is_new = store.append_snapshot(make_snapshot())
    assert (third.revision, is_new) == (3, True)
    assert store.snapshots("web", DAY, DAY) == [third]


def test_the_chain_runs_through_all_sources_and_days(store: SqlQualityStore) -> None:
    first, _ = store.append_snapshot(make_snapshot())
    second, _ = store.append_snapshot(make_snapshot(NEXT_DAY, source="app"))
    assert first.previous_hash is None
    assert second.previous_hash == first.content_hash


def test_a_snapshot_of_an_older_reading_than_the_stored_one_is_not_appended(store: SqlQualityStore) -> None:
    newest, _ = store.append_snapshot(make_snapshot(reading_revision=3))
    assert store.append_snapshot(make_snapshot(reading_revision=2, total_events=1)) == (newest, False)
    assert store.append_snapshot(make_snapshot(reading_revision=3, total_events=1))[1]
    assert store.append_snapshot(make_snapshot(reading_revision=4, total_events=2))[1]


def test_current_snapshots_are_the_latest_revision_of_each_day_oldest_first(store: SqlQualityStore) -> None:
    store.append_snapshot(make_snapshot(NEXT_DAY))
    for total in range(12):
        store.append_snapshot(make_snapshot(total_events=total + 1))
    store.append_snapshot(make_snapshot(source="app"))
    current = store.snapshots("web", DAY, NEXT_DAY)
    assert [(one.day, one.revision) for one in current] == [(DAY, 12), (NEXT_DAY, 1)]
    assert store.snapshots("web", NEXT_DAY, NEXT_DAY) == current[1:]
    assert store.snapshots("web", NEXT_DAY, DAY) == []


def make_alert(**overrides: Any) -> Alert:
    fields: dict[str, Any] = {
        "source": "web",
        "day": DAY,
        "guardrail": "error_rate",
        "revision": 1,
        "level": Level.CRITICAL,
        "reason_code": "ERROR_RATE_ABOVE_LIMIT",
        "sentence": ODD_TEXTS[0],
    }
    return Alert(**fields | overrides)


def test_an_alert_is_kept_once(tmp_path: Path, store: SqlQualityStore) -> None:
    one, other = make_alert(), make_alert(guardrail="volume", level=Level.INFO)
    assert store.new_alerts([one, other, one]) == [one, other]
    store.append_alerts([one, one], NOW)
    assert store.new_alerts([other, one, other]) == [other]
    store.append_alerts(iter([one, other]), LATER)
    assert store.new_alerts([one, other]) == []
    assert count(tmp_path, "alert") == 2
    assert store.verify().findings == ()


@pytest.mark.parametrize("changed", [{"source": "app"}, {"day": NEXT_DAY}, {"guardrail": "volume"}, {"revision": 2}])
def test_an_alert_of_another_source_day_guardrail_or_revision_is_another_alert(
    store: SqlQualityStore, changed: dict[str, Any]
) -> None:
    store.append_alerts([make_alert()], NOW)
    assert store.new_alerts([make_alert(**changed)]) == [make_alert(**changed)]


def test_an_alert_with_another_sentence_is_the_same_alert(store: SqlQualityStore) -> None:
    store.append_alerts([make_alert()], NOW)
    assert store.new_alerts([make_alert(sentence="in other words")]) == []


def test_alerts_of_a_stored_snapshot_can_be_kept(store: SqlQualityStore) -> None:
    snapshot, _ = store.append_snapshot(make_snapshot(error_rate_percent=50.0))
    alerts = alerts_of(snapshot, Policy())
    assert alerts
    store.append_alerts(alerts, NOW)
    assert store.new_alerts(alerts) == []


def test_a_store_is_read_back_by_another_process_and_after_closing(tmp_path: Path, store: SqlQualityStore) -> None:
    stored = store.append_reading("web", make_reading(), SAMPLE, NOW)
    store.close()
    assert store.latest_readings("web", [DAY]) == {DAY: replace(stored, is_new=False)}
    again = SqlQualityStore(f"sqlite:///{tmp_path / 'quality.db'}")
    assert again.latest_readings("web", [DAY]) == {DAY: replace(stored, is_new=False)}


def test_a_failed_append_leaves_nothing_behind(tmp_path: Path, store: SqlQualityStore) -> None:
    twice = (make_row(), make_row(hour=None))
    with pytest.raises((StoreError, TypeError)):
        store.append_reading("web", DayReading(DAY, DayAggregates(twice)), SAMPLE, NOW)
    assert [count(tmp_path, table) for table in ("day_reading", "event_aggregate", "event_sample")] == [0, 0, 0]
    assert store.append_reading("web", make_reading(), SAMPLE, datetime(2026, 1, 1, tzinfo=UTC)).revision == 1


def ask_everything(store: SqlQualityStore) -> list[Any]:
    return [
        lambda: store.append_reading("web", make_reading(), (), NOW),
        lambda: store.latest_readings("web", [DAY]),
        lambda: store.aggregates("web", DAY),
        lambda: store.daily_totals("web", DAY, DAY),
        lambda: store.signals_first_seen("web"),
        lambda: store.append_snapshot(make_snapshot()),
        lambda: store.snapshots("web", DAY, DAY),
        lambda: store.new_alerts([make_alert()]),
        lambda: store.append_alerts([make_alert()], NOW),
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
            f"The store {path} must have schema 0002, but has {found}; run telemetry-quality migrate."
        )


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "quality.db"
    path.write_bytes(b"no database, just words\n" * 400)
    for ask in ask_everything(SqlQualityStore(f"sqlite:///{path}")):
        with pytest.raises(StoreError, match=r"quality.db must be .*file is not a database"):
            ask()


@pytest.mark.parametrize(
    "url",
    ["postgresql://admin:hunter2@host/db", "mysql://admin:hunter2@host/db", "sqlite://", "hunter2", "", "://hunter2"],
)
def test_a_url_that_is_no_sqlite_file_is_refused_without_repeating_a_password(url: str) -> None:
    for ask in (SqlQualityStore, migrate):
        with pytest.raises(StoreError, match="store requires the form sqlite:///FILE") as caught:
            ask(url)
        assert "hunter2" not in str(caught.value)
