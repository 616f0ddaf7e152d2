from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.alerts import Settlement
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.running.model import HourCounts
from telemetry_quality.dashboard.index import LogQuery
from telemetry_quality.dashboard.state import LONGEST_REST, MOST_CACHED, RESTS, TROUBLE, StateKeeper
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import make_snapshot, make_store, make_verdicts
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    HOURS_MISSING,
    MORNING,
    TODAY,
    YESTERDAY,
    make_running_hours,
    make_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from telemetry_quality.core.counting import CountedDays
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.storage.reader import JournalRow
    from telemetry_quality.storage.running_days import RunningDays, RunningPosition

BROKEN: dict[str, Any] = {"error_events": 500, "error_rate_percent": 50.0}


def keep(store: SqlQualityStore, day: date = YESTERDAY, source: str = "web", **figures: Any) -> None:
    """Append the snapshot of ``make_figures(**figures)`` with its verdicts."""
    store.append_snapshot(make_snapshot(day, source=source, **figures), make_verdicts(**figures))


@dataclass
class Clock:
    """A clock that shows the time it was set to."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Watched:
    """A reader of a real store whose calls are counted and may be slow, fail or wait.

    Attributes:
        trouble: An error to raise instead of any result.
        at_journal: Called before the journal is read.
    """

    reader: StoreReader
    calls: list[tuple[object, ...]] = field(default_factory=list)
    trouble: str | None = None
    at_journal: Callable[[], object] = lambda: None

    def _noted(self, *call: object) -> None:
        self.calls.append(call)
        if self.trouble is not None:
            raise StoreError(self.trouble)

    def version(self) -> Hashable:
        self._noted("version")
        return self.reader.version()

    def journal(self, after: int = 0) -> list[JournalRow]:
        self._noted("journal", after)
        self.at_journal()
        return self.reader.journal(after)

    def content_hash(self, sequence: int) -> str | None:
        self._noted("content_hash", sequence)
        return self.reader.content_hash(sequence)

    def counted_days(self, source: str) -> list[CountedDays]:
        return self.reader.counted_days(source)

    def last_marks(self) -> dict[str, str]:
        self._noted("last_marks")
        return self.reader.last_marks()

    def marked_days(self, source: str) -> list[MarkedDays]:
        self._noted("marked_days", source)
        return self.reader.marked_days(source)

    def running_days(self, after: RunningPosition | None = None) -> RunningDays:
        self._noted("running_days", after)
        return self.reader.running_days(after)

    def last_actions(self) -> dict[str, str]:
        self._noted("last_actions")
        return self.reader.last_actions()

    def incidents(self, source: str) -> list[Incident]:
        self._noted("incidents", source)
        return self.reader.incidents(source)

    def asked(self, name: str) -> list[object]:
        """The calls of that name since the last time."""
        found = [call[-1] for call in self.calls if call[0] == name]
        self.calls.clear()
        return found


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty, closed store; migrating takes longer than most of these tests."""
    folder = tmp_path_factory.mktemp("empty")
    make_store(folder).close()
    return folder / "quality.db"


@pytest.fixture
def store(tmp_path: Path, empty_file: Path) -> Iterator[SqlQualityStore]:
    shutil.copy(empty_file, tmp_path)
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'quality.db'}")
    yield store
    store.close()


@pytest.fixture
def watched(tmp_path: Path, store: SqlQualityStore) -> Iterator[Watched]:
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    yield Watched(reader)
    reader.close()


def make_keeper(watched: Watched, clock: Callable[[], datetime] | None = None) -> StateKeeper:
    return StateKeeper(watched, clock or Clock())  # type: ignore[arg-type]


def test_a_state_shows_the_content_of_the_store(store: SqlQualityStore, watched: Watched) -> None:
    keep(store, BEFORE)
    keep(store, **BROKEN)
    state = make_keeper(watched).state()
    assert (state.trouble, state.has_been_read, state.read_at) == (None, True, MORNING)
    assert [row.status for row in state.index.window("web", BEFORE, YESTERDAY) if row] == ["healthy", "unhealthy"]
    assert [incident.key for incident in state.incidents["web"]] == [f"web/{YESTERDAY}"]


def test_an_unchanged_store_is_not_read_again(store: SqlQualityStore, watched: Watched) -> None:
    keep(store)
    keeper = make_keeper(watched)
    state = keeper.state()
    watched.calls.clear()
    assert keeper.state() is state
    assert watched.calls == [("version",)]


def test_only_new_rows_and_the_incidents_of_their_sources_are_read(store: SqlQualityStore, watched: Watched) -> None:
    keep(store, source="shop")
    keep(store, source="web")
    keeper = make_keeper(watched)
    before = keeper.state()
    watched.calls.clear()
    keep(store, TODAY, "web", **BROKEN)
    after = keeper.state()
    assert [call for call in watched.calls if call[0] in {"journal", "incidents"}] == [
        ("journal", 2),
        ("incidents", "web"),
    ]
    assert after.version != before.version
    assert after.index.page(LogQuery()).total == 3
    assert before.index.page(LogQuery()).total == 2


def test_a_later_revision_replaces_the_one_before(store: SqlQualityStore, watched: Watched) -> None:
    keep(store)
    keeper = make_keeper(watched)
    keeper.state()
    keep(store, **BROKEN)
    page = keeper.state().index.page(LogQuery())
    assert [(row.revision, row.status) for row in page.rows] == [(2, "unhealthy")]


def test_an_action_on_an_incident_changes_the_state_without_any_new_row(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store, source="shop", **BROKEN)
    keep(store, **BROKEN)
    keeper = make_keeper(watched)
    before = keeper.state()
    store.append_incident_action(before.incidents["web"][0].decide(Action.ACKNOWLEDGE, "ada", MORNING))
    watched.calls.clear()
    after = keeper.state()
    assert watched.asked("incidents") == ["web"]
    assert after.incidents["web"][0].acknowledged_by == "ada"
    assert after.version != before.version


def test_a_look_alone_changes_the_state_with_the_incidents_of_its_source(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store, source="shop")
    keep(store, source="web")
    store.append_running_hours(make_running_hours(3, source="shop"))
    keeper = make_keeper(watched)
    before = keeper.state()
    watched.calls.clear()
    store.append_running_hours(make_running_hours(4, verdicts=(HOURS_MISSING,)))
    after = keeper.state()
    assert watched.asked("incidents") == ["web"]
    assert after.version != before.version
    assert {source: len(hours) for source, hours in before.running.items()} == {"shop": 3}
    assert {source: len(hours) for source, hours in after.running.items()} == {"shop": 3, "web": 4}
    assert [incident.days for incident in after.incidents["web"]] == [(TODAY,)]
    assert after.cached("web", "key", lambda: "new") == "new"
    assert keeper.state() is after


def test_a_state_holds_the_latest_revisions_of_the_last_day_that_was_looked_at(
    store: SqlQualityStore, watched: Watched
) -> None:
    store.append_running_hours(make_running_hours(24, YESTERDAY))
    store.append_running_hours(make_running_hours(2))
    store.append_running_hours(make_running_hours(2, counts=HourCounts(101, 1, 0, 0)))
    hours = make_keeper(watched).state().running["web"]
    assert [(hour.day, hour.hour, hour.revision) for hour in hours] == [(TODAY, 0, 1), (TODAY, 1, 2)]


def test_running_hours_of_a_store_that_replaces_another_are_read_from_the_beginning(
    store: SqlQualityStore, watched: Watched, tmp_path: Path
) -> None:
    store.append_running_hours(make_running_hours(2, source="old"))
    keeper = make_keeper(watched)
    assert keeper.state().running.keys() == {"old"}
    (tmp_path / "other").mkdir()
    other = make_store(tmp_path / "other")
    other.append_running_hours(make_running_hours(3, source="new"))
    other.close()
    store.close()
    watched.reader.close()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"quality.db{end}").unlink(missing_ok=True)
    shutil.move(tmp_path / "other" / "quality.db", tmp_path / "quality.db")
    assert keeper.state().running.keys() == {"new"}


def test_a_commit_that_changes_nothing_shown_does_not_change_the_version(
    tmp_path: Path, store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)
    keeper = make_keeper(watched)
    state = keeper.state()
    store.settle_alerts([], "log", Settlement.DISPATCHED, MORNING)
    with sqlite3.connect(tmp_path / "quality.db") as other:
        other.execute("CREATE TABLE beside_it (id INTEGER)")
    assert keeper.state() is state


def test_every_process_that_reads_the_same_store_shows_the_same_version(
    store: SqlQualityStore, watched: Watched, tmp_path: Path
) -> None:
    first = make_keeper(watched)
    first.state()
    for number in range(3):
        keep(store, BEFORE - timedelta(days=number), **BROKEN)
        first.state()
    store.append_incident_action(first.state().incidents["web"][0].decide(Action.CONFIRM, "ada", MORNING))
    other = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    assert StateKeeper(other, Clock()).state().version == first.state().version
    other.close()


def test_a_store_that_replaces_another_is_read_from_its_beginning(
    store: SqlQualityStore, watched: Watched, tmp_path: Path
) -> None:
    keep(store, BEFORE, "old")
    keep(store, YESTERDAY, "old")
    keeper = make_keeper(watched)
    assert keeper.state().index.sources == ("old",)
    (tmp_path / "other").mkdir()
    other = make_store(tmp_path / "other")
    for number in range(4):
        keep(other, BEFORE - timedelta(days=number), "new")
    other.close()
    store.close()
    watched.reader.close()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"quality.db{end}").unlink(missing_ok=True)
    shutil.move(tmp_path / "other" / "quality.db", tmp_path / "quality.db")
    state = keeper.state()
    assert state.index.sources == ("new",)
    assert len(state.index) == 4
    assert set(state.incidents) == {"new"}


def test_the_last_state_remains_with_its_trouble_while_the_store_cannot_be_read(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)
    clock = Clock()
    keeper = make_keeper(watched, clock)
    well = keeper.state()
    clock.now = checked_at = MORNING + timedelta(minutes=5)
    keeper.state()
    clock.now += timedelta(minutes=5)
    watched.trouble = "The store is gone."
    troubled = keeper.state()
    assert troubled.trouble == TROUBLE
    assert troubled.index is well.index
    assert troubled.has_been_read
    assert troubled.read_at == checked_at, "until then it was known to be current"
    assert troubled.version != well.version, "open pages must learn of the trouble"
    assert keeper.state() is troubled
    watched.trouble = None
    again = keeper.state()
    assert (again.trouble, again.version) == (None, well.version)


def test_a_store_that_never_could_be_read_gives_an_empty_state_that_says_so(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)
    watched.trouble = "The store is gone."
    keeper = make_keeper(watched)
    state = keeper.state()
    assert (state.trouble, state.has_been_read, len(state.index)) == (TROUBLE, False, 0)
    watched.trouble = None
    assert len(keeper.state().index) == 1


def test_a_file_that_does_not_exist_is_shown_and_read_as_soon_as_it_does(tmp_path: Path) -> None:
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    keeper = StateKeeper(reader, Clock())
    assert keeper.state().trouble is not None
    store = make_store(tmp_path)
    keep(store)
    assert len(keeper.state().index) == 1
    store.close()
    reader.close()


def test_a_refresh_that_fails_halfway_is_completed_by_the_next(store: SqlQualityStore, watched: Watched) -> None:
    keep(store)
    keeper = make_keeper(watched)
    keeper.state()
    keep(store, TODAY)

    def fail() -> None:
        raise StoreError("The disk is full.")

    watched.at_journal = fail
    assert keeper.state().trouble == TROUBLE
    watched.at_journal = lambda: None
    state = keeper.state()
    assert (state.trouble, len(state.index)) == (None, 2)


def test_an_internal_error_is_not_reported_as_trouble_of_the_store_and_leaves_no_lock(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)

    def crash() -> None:
        raise ZeroDivisionError

    watched.at_journal = crash
    keeper = make_keeper(watched)
    with pytest.raises(ZeroDivisionError):
        keeper.state()
    watched.at_journal = lambda: None
    assert len(keeper.state().index) == 1


def rested(watched: Watched, store: SqlQualityStore, took: timedelta, rest: timedelta) -> bool:
    """Whether the store is checked again ``rest`` after a refresh that took ``took``."""
    keep(store)
    clock = Clock()

    def pass_time() -> None:
        clock.now += took

    watched.at_journal = pass_time
    keeper = make_keeper(watched, clock)
    keeper.state()
    keep(store, TODAY)
    clock.now += rest
    return len(keeper.state().index) == 2


SECOND, MOMENT = timedelta(seconds=1), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("took", "rest", "is_read"),
    [
        (SECOND, RESTS * SECOND - MOMENT, False),
        (SECOND, RESTS * SECOND, True),
        (SECOND, RESTS * SECOND + MOMENT, True),
        (timedelta(minutes=10), LONGEST_REST - MOMENT, False),
        (timedelta(minutes=10), LONGEST_REST, True),
        (SECOND, -timedelta(hours=1), True),
    ],
)
def test_a_refresh_is_followed_by_a_pause_of_five_times_its_duration(
    store: SqlQualityStore, watched: Watched, took: timedelta, rest: timedelta, is_read: bool
) -> None:
    assert rested(watched, store, took, rest) is is_read


def test_while_a_thread_reads_the_store_the_others_use_the_previous_state(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)
    keeper = make_keeper(watched)
    before = keeper.state()
    keep(store, TODAY)
    has_begun, may_end = Event(), Event()

    def wait() -> None:
        has_begun.set()
        assert may_end.wait(timeout=10)

    watched.at_journal = wait
    with ThreadPoolExecutor(1) as threads:
        scan = threads.submit(keeper.state)
        assert has_begun.wait(timeout=10)
        assert keeper.state() is before
        may_end.set()
        assert len(scan.result().index) == 2


def test_threads_wait_until_the_store_has_been_read_for_the_first_time(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store)
    keeper = make_keeper(watched)
    has_begun, may_end = Event(), Event()

    def wait() -> None:
        has_begun.set()
        assert may_end.wait(timeout=10)

    watched.at_journal = wait
    with ThreadPoolExecutor(4) as threads:
        states = [threads.submit(keeper.state) for _ in range(4)]
        assert has_begun.wait(timeout=10)
        may_end.set()
        assert {len(state.result().index) for state in states} == {1}
    assert len(watched.asked("journal")) == 1


def test_many_threads_and_a_writer_see_states_that_only_ever_grow(store: SqlQualityStore, watched: Watched) -> None:
    keeper = make_keeper(watched)

    def look(_: int) -> list[int]:
        return [keeper.state().index.last_sequence for _ in range(30)]

    with ThreadPoolExecutor(4) as threads:
        seen = [threads.submit(look, number) for number in range(4)]
        for number in range(12):
            keep(store, BEFORE - timedelta(days=number))
        assert all(result.result() == sorted(result.result()) for result in seen)
    assert len(keeper.state().index) == 12


def test_cached_values_of_a_source_are_passed_on_until_the_source_changes(
    store: SqlQualityStore, watched: Watched
) -> None:
    keep(store, source="app")
    keep(store, source="web")
    keeper = make_keeper(watched)
    made = count()
    before = [keeper.state().cached(source, "key", made.__next__) for source in ("app", "web")]
    assert [keeper.state().cached(source, "key", made.__next__) for source in ("app", "web")] == before
    keep(store, TODAY, source="web")
    after = [keeper.state().cached(source, "key", made.__next__) for source in ("app", "web")]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_the_number_of_cached_values_per_source_is_limited() -> None:
    state = make_state(cache={"web": {}})
    for number in range(10 * MOST_CACHED):
        assert state.cached("web", number, partial(int, number)) == number
    assert 1 <= len(state.cache["web"]) <= MOST_CACHED


def test_an_expected_update_is_loaded_without_a_pause(store: SqlQualityStore, watched: Watched) -> None:
    keep(store)
    clock = Clock()
    keeper = make_keeper(watched, clock)

    def take_two_seconds() -> None:
        clock.now += timedelta(seconds=2)

    watched.at_journal = take_two_seconds
    keeper.state()
    keep(store, TODAY)
    assert len(keeper.state().index) == 1, "it pauses"
    keeper.expect_update()
    assert len(keeper.state().index) == 2
