"""A reader cannot change the store, does not disturb it, and notices what others do to it."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, delete, event, insert, text, update

from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.incidents import UNREADABLE, Action, incidents_of
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import open_read_only_engine, transaction
from telemetry_quality.storage.reader import JournalRow, StoreReader
from telemetry_quality.storage.rows import action_row
from telemetry_quality.storage.stored_days import MOST_BREAKDOWN_ROWS, BreakdownRow, SampledVerdict, StoredDay
from telemetry_quality.storage.tables import SCHEMA_REVISION, incident_action, integrity_snapshot, staff_account
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan, make_snapshot, make_store
from telemetry_quality_tests.storage.examples import VERDICTS, make_action, make_full_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from telemetry_quality.storage.store import SqlQualityStore

NEXT_DAY = DAY + timedelta(days=1)
SAMPLE = (SampleVerdict("s1"), SampleVerdict(None, ("MISSING_EVENT_ID", "MISSING_CRITICAL_FIELD:user_id")))
FAILED = Verdict("error_rate", Level.CRITICAL, Outcome.FAILED, "ERROR_RATE_HIGH", 50.0, 5.0, "Half are errors.")
NOTHING_KNOWN = Verdict("activity", Level.CRITICAL, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, "It is broken.")


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


@pytest.fixture
def store(tmp_path: Path) -> SqlQualityStore:
    return make_store(tmp_path)


@pytest.fixture
def reader(tmp_path: Path, store: SqlQualityStore) -> Iterator[StoreReader]:
    reader = StoreReader(url_of(tmp_path))
    yield reader
    reader.close()


def ask_everything(reader: StoreReader) -> list[Callable[[], Any]]:
    return [
        reader.journal,
        lambda: reader.content_hash(1),
        reader.last_actions,
        lambda: reader.incidents("web"),
        lambda: reader.day("web", DAY),
        lambda: reader.charted_days("web", DAY, DAY),
        reader.snapshots,
    ]


@contextmanager
def executed() -> Iterator[list[str]]:
    """The statements that are executed in the block."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def fill(store: SqlQualityStore, source: str, days: int, signals: int, revisions: int = 1) -> None:
    """So many days that all fail, each with a scan and an incident action."""
    for offset in range(days):
        day = DAY + timedelta(days=offset)
        rows = [make_row(event_name=f"signal {n}", service_version=f"{n}") for n in range(signals)]
        sample = [SampleVerdict(f"s{n}") for n in range(signals)]
        for revision in range(revisions):
            store.append_scan(source, make_scan(day, *rows, make_row(hour=revision)), sample, NOW)
            store.append_snapshot(make_snapshot(day, source=source, total_events=revision + 1), (FAILED, *VERDICTS))
        store.append_incident_action(make_action(source=source, day=day))


# What a reader cannot do


@pytest.mark.parametrize(
    "statement",
    [
        insert(incident_action).values(**action_row(make_action()), content_hash=""),
        update(staff_account).values(name="mallory"),
        delete(staff_account),
        text("CREATE TABLE mine (id INTEGER)"),
        text("DROP TRIGGER alert_no_update"),
        text("PRAGMA user_version = 7"),
    ],
    ids=["insert", "update", "delete", "create", "drop", "pragma"],
)
def test_the_database_refuses_a_reader_every_write_even_if_it_asks_to_be_let(
    tmp_path: Path, store: SqlQualityStore, statement: Any
) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    before = (tmp_path / "quality.db").read_bytes()
    engine = open_read_only_engine(url_of(tmp_path))

    def write() -> None:
        with transaction(engine, writes=True) as connection:
            connection.execute(text("PRAGMA query_only = OFF"))
            connection.execute(statement)

    with pytest.raises(StoreError, match="that can be read, but it says: attempt to write a readonly database"):
        write()
    engine.dispose()
    assert (tmp_path / "quality.db").read_bytes() == before


def test_a_reader_cannot_even_make_a_table_for_itself(tmp_path: Path, store: SqlQualityStore) -> None:
    store.close()
    engine = open_read_only_engine(url_of(tmp_path))

    def write() -> None:
        with transaction(engine, writes=False) as connection:
            connection.execute(text("CREATE TEMP TABLE mine (id INTEGER)"))

    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        write()
    engine.dispose()


def test_asking_leaves_the_store_as_it_was(tmp_path: Path, store: SqlQualityStore, reader: StoreReader) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    before = (tmp_path / "quality.db").read_bytes()
    for ask in ask_everything(reader):
        ask()
    reader.version()
    assert (tmp_path / "quality.db").read_bytes() == before


# Next to writers


def test_a_reader_between_its_queries_keeps_no_writer_waiting(tmp_path: Path, store: SqlQualityStore) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    engine = open_read_only_engine(url_of(tmp_path))
    with transaction(engine, writes=False) as connection:
        assert len(connection.execute(integrity_snapshot.select()).all()) == 1
        # A blocked writer would wait for a minute and then fail.
        store.append_snapshot(make_snapshot(NEXT_DAY), VERDICTS)
        assert len(connection.execute(integrity_snapshot.select()).all()) == 1
    engine.dispose()


def test_a_reader_answers_during_a_writer_s_transaction(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader
) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    writer = sqlite3.connect(tmp_path / "quality.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE alembic_version SET version_num = 'half-way'")
    version = reader.version()
    assert [row.day for row in reader.journal()] == [DAY]
    assert [ask() for ask in ask_everything(reader)]
    writer.execute("ROLLBACK")
    writer.close()
    assert reader.version() == version


def test_all_parts_of_an_answer_see_one_moment(store: SqlQualityStore, reader: StoreReader) -> None:
    fill(store, "web", 1, 1)
    before = reader.day("web", DAY)
    is_late: list[bool] = []

    def append_between(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if not is_late and "integrity_snapshot" in statement:
            is_late.append(True)
            fill(store, "web", 1, 3, revisions=2)

    event.listen(Engine, "after_cursor_execute", append_between)
    try:
        during = reader.day("web", DAY)
    finally:
        event.remove(Engine, "after_cursor_execute", append_between)
    assert is_late
    assert during == before
    assert len(reader.day("web", DAY).scans) > 1


def test_many_threads_ask_one_reader_while_one_appends(store: SqlQualityStore, reader: StoreReader) -> None:
    fill(store, "web", 2, 2)

    def ask(number: int) -> list[int]:
        return [row.sequence for row in reader.journal()] if number % 2 else [len(reader.incidents("web"))]

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask, number) for number in range(60)]
        fill(store, "app", 10, 1)
        found = [answer.result() for answer in answers]
    assert {tuple(answer) for answer in found[::2]} == {(1,)}
    assert all(answer == list(range(1, len(answer) + 1)) for answer in found[1::2])


# What a reader notices


def test_the_version_changes_with_every_commit_and_with_nothing_else(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    seen = [reader.version()]
    for write in (
        lambda: store.append_scan("web", make_scan(), SAMPLE, NOW),
        lambda: store.append_snapshot(make_snapshot(), VERDICTS),
        lambda: store.append_incident_action(make_action()),
    ):
        write()
        with ThreadPoolExecutor(1) as other_thread:
            seen.append(other_thread.submit(reader.version).result())
        for ask in ask_everything(reader):
            ask()
        assert reader.version() == seen[-1]
    assert len(set(seen)) == len(seen)


def test_a_version_is_never_seen_again_after_closing(store: SqlQualityStore, reader: StoreReader) -> None:
    before = reader.version()
    reader.close()
    assert reader.version() != before
    assert reader.journal() == []


def replace_store(folder: Path, source: str) -> None:
    """Replace the store in ``folder`` with another one, as restoring a backup does."""
    (folder / "other").mkdir()
    other = make_store(folder / "other")
    other.append_snapshot(make_snapshot(source=source), VERDICTS)
    other.close()
    for name in ("quality.db-wal", "quality.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "other" / "quality.db").replace(folder / "quality.db")


def test_a_replaced_store_is_noticed_and_read_from_then_on(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader
) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    version, content_hash = reader.version(), reader.content_hash(1)
    assert [row.source for row in reader.journal()] == ["web"]
    replace_store(tmp_path, "app")
    assert reader.version() != version
    assert reader.content_hash(1) not in {content_hash, None}
    assert [row.source for row in reader.journal()] == ["app"]
    assert reader.day("web", DAY) == StoredDay("web", DAY)


def test_a_store_replaced_by_an_older_one_is_noticed_too(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader
) -> None:
    assert reader.journal() == []
    replace_store(tmp_path, "app")
    with sqlite3.connect(tmp_path / "quality.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    for ask in ask_everything(reader):
        with pytest.raises(StoreError, match="must have schema"):
            ask()


def test_a_store_that_is_gone_says_so_is_not_created_and_is_read_again_once_it_is_back(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader
) -> None:
    file, kept = tmp_path / "quality.db", tmp_path / "kept.db"
    for moment in ("before the first question", "after it"):
        file.rename(kept)
        for ask in (*ask_everything(reader), reader.version):
            with pytest.raises(StoreError) as caught:
                ask()
            shown = f"The store {file} must exist, but does not; run telemetry-quality migrate."
            assert str(caught.value) == shown, moment
        assert not file.exists()
        kept.rename(file)
        assert reader.journal() == []
        assert reader.version()


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        ("0001", "run telemetry-quality migrate"),
        (None, "run telemetry-quality migrate"),
        ("9999", "install the telemetry-quality version that made it"),
    ],
)
def test_a_store_of_another_schema_says_so_until_it_is_migrated(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader, found: str | None, remedy: str
) -> None:
    def set_schema(version: str | None) -> None:
        with sqlite3.connect(tmp_path / "quality.db") as connection:
            connection.execute("DELETE FROM alembic_version")
            connection.execute("INSERT INTO alembic_version SELECT :it WHERE :it IS NOT NULL", {"it": version})
        connection.close()

    set_schema(found)
    for ask in ask_everything(reader):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(caught.value) == (
            f"The store {tmp_path / 'quality.db'} must have schema {SCHEMA_REVISION}, "
            f"but has {found or 'none'}; {remedy}."
        )
    set_schema(SCHEMA_REVISION)
    assert reader.journal() == []


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "quality.db").write_bytes(b"no database, just words\n" * 400)
    reader = StoreReader(url_of(tmp_path))
    for ask in (*ask_everything(reader), reader.version):
        with pytest.raises(StoreError, match=r"quality.db must be a database that can be read, but it says: file is"):
            ask()
    reader.close()


def test_a_damaged_database_says_so(tmp_path: Path, store: SqlQualityStore) -> None:
    fill(store, "web", 2, 100)
    store.close()
    file = tmp_path / "quality.db"
    pages = file.read_bytes()
    file.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))
    reader = StoreReader(url_of(tmp_path))
    for ask in ask_everything(reader):
        with pytest.raises(StoreError, match=r"must be a database that can be read, but it says: .*malformed"):
            ask()
    reader.close()


@pytest.mark.parametrize(
    ("column", "value"), [("day", "the day before"), ("computed_at", "noon"), ("status", "splendid")]
)
def test_a_value_that_the_program_never_writes_is_a_store_error(
    tmp_path: Path, store: SqlQualityStore, reader: StoreReader, column: str, value: str
) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    with sqlite3.connect(tmp_path / "quality.db") as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(integrity_snapshot)")]
        changed = ", ".join(
            "9" if name in {"sequence", "revision"} else "?" if name == column else name for name in names
        )
        connection.execute(f"INSERT INTO integrity_snapshot SELECT {changed} FROM integrity_snapshot", [value])
    connection.close()
    with pytest.raises(StoreError, match=f"that can be read, but it says: .*{value}"):
        reader.snapshots()


@pytest.mark.parametrize("url", ["mysql://admin:hunter2@host/db", "sqlite://", "hunter2"])
def test_a_url_that_is_not_a_sqlite_file_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(StoreError, match="store requires the form sqlite:///FILE or postgresql:") as caught:
        StoreReader(url)
    assert "hunter2" not in str(caught.value)


def test_a_store_whose_path_is_full_of_special_characters_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "it's 100 % #1 🛰️"
    folder.mkdir()
    make_store(folder).append_snapshot(make_snapshot(), VERDICTS)
    reader = StoreReader(url_of(folder))
    assert len(reader.journal()) == 1
    assert reader.version()
    reader.close()


# What a reader costs


def test_no_call_needs_more_queries_on_a_large_store_than_on_a_small_one(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    def queries() -> list[int]:
        counts = []
        for ask in ask_everything(reader):
            ask()
            with executed() as statements:
                ask()
            counts.append(len([statement for statement in statements if statement != "BEGIN"]))
        return counts

    fill(store, "web", 1, 1)
    small = queries()
    fill(store, "web", 9, MOST_BREAKDOWN_ROWS + 5, revisions=2)
    fill(store, "app", 9, 1)
    assert queries() == small == [1, 1, 1, 5, 5, 2, 1]


# What a reader returns


def test_the_journal_shows_every_revision_in_order_and_only_those_after_a_given_one(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    stored = [
        store.append_snapshot(make_snapshot(day, source=source, total_events=total), VERDICTS)[0]
        for day, source, total in ((NEXT_DAY, "web", 1), (DAY, "app", 2), (DAY, "web", 3), (NEXT_DAY, "web", 4))
    ]
    stored.append(store.append_snapshot(replace(make_snapshot(), run_id="run 1", total_events=5), VERDICTS)[0])
    nothing: dict[str, Any] = dict.fromkeys(DayFigures.__dataclass_fields__)
    stored.append(store.append_snapshot(make_snapshot(**nothing | {"unreadable_reason_code": "GONE"}), VERDICTS)[0])
    rows = reader.journal()
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    for row, snapshot in zip(rows, stored, strict=True):
        assert row._asdict() == {"sequence": row.sequence} | {
            name: getattr(snapshot, name) for name in JournalRow._fields if name != "sequence"
        }
    assert [row.revision for row in rows] == [1, 1, 1, 2, 2, 3]
    assert rows[0].computed_at.tzinfo is not None
    assert (rows[4].run_id, rows[5].total_events, rows[5].status) == ("run 1", None, "unknown")
    assert reader.journal(after=4) == rows[4:]
    assert reader.journal(after=6) == reader.journal(after=7) == []


def test_equal_texts_of_the_journal_share_one_object(store: SqlQualityStore, reader: StoreReader) -> None:
    for offset in range(3):
        store.append_snapshot(replace(make_snapshot(DAY + timedelta(days=offset)), run_id="run 1"), VERDICTS)
    for row, next_row in pairwise(reader.journal()):
        assert row.policy is next_row.policy
        assert row.source is next_row.source
        assert row.run_id is next_row.run_id


def test_the_content_hash_is_that_of_the_snapshot(store: SqlQualityStore, reader: StoreReader) -> None:
    stored, _ = store.append_snapshot(make_snapshot(), VERDICTS)
    assert reader.content_hash(1) == stored.content_hash
    assert reader.content_hash(2) is None


def test_the_last_actions_change_with_each_action_of_their_source(store: SqlQualityStore, reader: StoreReader) -> None:
    assert reader.last_actions() == {}
    store.append_incident_action(make_action())
    first = reader.last_actions()
    assert list(first) == ["web"]
    store.append_incident_action(make_action(source="app"))
    assert reader.last_actions()["web"] == first["web"]
    store.append_incident_action(make_action())
    last = reader.last_actions()
    assert last.keys() == {"app", "web"}
    assert last["web"] != first["web"]


def test_incidents_are_those_of_the_store_with_their_actions(store: SqlQualityStore, reader: StoreReader) -> None:
    verdicts: Sequence[tuple[Verdict, ...]] = [(FAILED,), (), (NOTHING_KNOWN,), (FAILED, *VERDICTS), VERDICTS[1:]]
    for offset, day_verdicts in enumerate(verdicts):
        store.append_snapshot(make_snapshot(DAY + timedelta(days=offset)), day_verdicts)
        store.append_snapshot(make_snapshot(DAY + timedelta(days=offset), source="app"), day_verdicts[::-1])
    store.append_snapshot(make_snapshot(total_events=7), (FAILED,))
    store.append_incident_action(make_action(action=Action.CONFIRM, until=DAY, root_cause="everywhere"))
    found = reader.incidents("web")
    assert found == incidents_of(store, "web")
    assert [(incident.first_day, incident.root_cause) for incident in found][1] == (DAY + timedelta(days=2), UNREADABLE)
    assert found[0].is_confirmed
    assert found[0].failures[0].revision == 2
    assert reader.incidents("nobody") == []


def test_a_healed_day_is_in_no_incident_although_its_old_verdicts_are_kept(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    store.append_snapshot(make_snapshot(), (FAILED,))
    assert len(reader.incidents("web")) == 1
    store.append_snapshot(make_snapshot(total_events=7), (replace(FAILED, outcome=Outcome.PASSED),))
    assert reader.incidents("web") == []


def test_a_day_is_reported_whole(store: SqlQualityStore, reader: StoreReader) -> None:
    first = store.append_scan("web", make_scan(), SAMPLE[::-1], NOW)
    second = store.append_scan("web", make_full_scan(), SAMPLE, NOW)
    revisions = [
        store.append_snapshot(make_snapshot(total_events=n), verdicts)[0] for n, verdicts in ((1, VERDICTS), (2, ()))
    ]
    fill(store, "app", 1, 5)
    store.append_scan("web", make_scan(NEXT_DAY, make_row(event_name="other")), SAMPLE, NOW)
    day = reader.day("web", DAY)
    assert day.revisions == tuple(revisions)
    assert day.verdicts == {1: VERDICTS}
    assert day.scans == (replace(first, is_new=False), replace(second, is_new=False))
    assert day.by_signal == (BreakdownRow("page.view", 200, 0, 0, 0, 0),)
    assert day.by_hour == (BreakdownRow(12, 100, 0, 0, 0, 0), BreakdownRow(13, 100, 0, 0, 0, 0))
    assert day.sample == (
        SampledVerdict(0, "s1", passed=True, reason_codes=()),
        SampledVerdict(1, None, passed=False, reason_codes=SAMPLE[1].reason_codes),
    )


def test_breakdowns_add_up_to_the_aggregates_and_separate_missing_names_from_empty_ones(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    rows = [
        make_row(hour=hour, event_name=name, service_version=version, events=10 * n + hour, errors=n, late_events=1)
        for hour in (0, 24, 3)
        for n, (name, version) in enumerate((("a", "1"), (None, "2"), ("", None), ("(null)", "1")), 1)
    ]
    scan = make_scan(DAY, *(row._replace(missing_version=2, error_unknown_events=1) for row in rows))
    store.append_scan("web", scan, (), NOW)
    day = reader.day("web", DAY)
    assert [part.value for part in day.by_signal] == ["(null)", "", None, "a"]
    assert [part.value for part in day.by_version] == ["1", None, "2"]
    by_hour = {
        hour: (totals.events, totals.errors, totals.missing_version, totals.late_events, totals.error_unknown_events)
        for hour, totals in scan.aggregates.by_hour().items()
    }
    assert {part.value: part[1:] for part in day.by_hour} == by_hour
    assert [part.value for part in day.by_hour] == [0, 3, 24]
    totals = scan.aggregates.totals()
    for parts in (day.by_signal, day.by_version, day.by_hour):
        assert sum(part.events for part in parts) == totals.events
        assert sum(part.errors for part in parts) == totals.errors


@pytest.mark.parametrize("signals", [MOST_BREAKDOWN_ROWS - 1, MOST_BREAKDOWN_ROWS, MOST_BREAKDOWN_ROWS + 1])
def test_of_many_signals_and_versions_the_busiest_are_listed_and_the_others_counted(
    store: SqlQualityStore, reader: StoreReader, signals: int
) -> None:
    rows = [make_row(event_name=f"s{n}", service_version=f"v{n % (signals - 1)}", events=n + 1) for n in range(signals)]
    store.append_scan("web", make_scan(DAY, *rows), (), NOW)
    day = reader.day("web", DAY)
    listed = min(signals, MOST_BREAKDOWN_ROWS)
    assert [part.value for part in day.by_signal] == [f"s{n}" for n in range(signals - 1, signals - 1 - listed, -1)]
    assert day.more_signals == signals - listed
    assert len(day.by_version) + day.more_versions == signals - 1
    assert sum(part.events for part in day.by_hour) == sum(range(1, signals + 1))


def test_an_unreadable_day_has_a_reason_and_no_breakdowns(store: SqlQualityStore, reader: StoreReader) -> None:
    store.append_scan("web", make_scan(), SAMPLE, NOW)
    store.append_scan("web", UnreadableDay(DAY, "FILE_BROKEN", "It is cut off."), (), NOW)
    day = reader.day("web", DAY)
    assert [scan.unreadable_reason_code for scan in day.scans] == [None, "FILE_BROKEN"]
    assert (day.by_signal, day.by_version, day.by_hour, day.sample) == ((), (), (), ())


def test_a_day_nobody_read_is_empty(reader: StoreReader) -> None:
    assert reader.day("web", DAY) == StoredDay("web", DAY)


@pytest.fixture
def keys(store: SqlQualityStore) -> list[tuple[date, str]]:
    """Days and sources with a stored snapshot, in order; one day has two revisions."""
    keys = [(DAY + timedelta(days=offset), source) for offset in range(4) for source in ("app", "web", "é")]
    for day, source in keys[::-1]:
        status = DayStatus.DEGRADED if source == "app" else DayStatus.HEALTHY
        store.append_snapshot(replace(make_snapshot(day, source=source), status=status), VERDICTS)
    store.append_snapshot(make_snapshot(NEXT_DAY, total_events=1), VERDICTS)
    return keys


def test_pages_of_snapshots_put_together_are_all_current_ones_by_day_and_source(
    store: SqlQualityStore, reader: StoreReader, keys: list[tuple[date, str]]
) -> None:
    for limit in (1, 5, 12, 13):
        found = reader.snapshots(limit=limit)
        while page := reader.snapshots(limit=limit, after=(found[-1].day, found[-1].source)):
            assert len(page) <= limit
            found += page
        assert [(snapshot.day, snapshot.source) for snapshot in found] == keys, limit
    for source in ("app", "web", "é"):
        assert [snapshot for snapshot in found if snapshot.source == source] == store.snapshots(
            source, date.min, date.max
        )


def test_snapshots_can_be_asked_for_by_source_status_and_day(reader: StoreReader, keys: list[tuple[date, str]]) -> None:
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"sources": ["web"]}, [1, 4, 7, 10]),
        ({"sources": ["web", "é"], "first": DAY + timedelta(days=2)}, [7, 8, 10, 11]),
        ({"statuses": ["degraded"]}, [0, 3, 6, 9]),
        ({"statuses": ["degraded", "healthy"], "first": NEXT_DAY, "last": NEXT_DAY}, [3, 4, 5]),
        ({"statuses": ["unknown"]}, []),
        ({"last": DAY}, [0, 1, 2]),
        ({"after": (NEXT_DAY, "web"), "limit": 2}, [5, 6]),
        ({"after": (NEXT_DAY, "b"), "sources": ["app"]}, [6, 9]),
    ]
    for wanted, positions in expected:
        found = [(snapshot.day, snapshot.source) for snapshot in reader.snapshots(**wanted)]
        assert found == [keys[n] for n in positions], wanted


def test_what_is_read_in_one_moment_belongs_together_and_takes_one_transaction(
    store: SqlQualityStore, reader: StoreReader
) -> None:
    store.append_scan("web", make_scan(), SAMPLE, NOW)
    reader.day("web", DAY)
    with executed() as statements, reader.one_moment():
        assert len(reader.day("web", DAY).scans) == 1
        store.append_scan("web", make_scan(DAY, make_row(events=7)), SAMPLE, NOW)
        assert len(reader.day("web", DAY).scans) == 1
        reader.hours_by_day("web", DAY, DAY)
    assert statements.count("BEGIN") == 1
    assert len(reader.day("web", DAY).scans) == 2
