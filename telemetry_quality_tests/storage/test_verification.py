"""Verification finds whatever was changed, added or removed behind the program's back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import JSON

from telemetry_quality.core.events import Cardinality, DayAggregates, DayScan, UnreadableDay
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.storage.staff.changes import Actor
from telemetry_quality.storage.staff.sign_ins import SignInOutcome
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import APPEND_ONLY, CHAINED, metadata
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality_tests.builders import DAY, NOW, dispatch_alerts, make_row, make_snapshot, make_store, spread
from telemetry_quality_tests.storage.examples import (
    ACCEPTED_FAILURES,
    SLICES,
    VERDICTS,
    make_action,
    make_delivery,
    make_forecast,
    make_full_scan,
    make_mark,
    make_running_hour,
    make_sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.storage.verification import Verification

FIGURES: dict[str, Any] = {
    "verified_events": 1,
    "verified_percent": 2.5,
    "critical_missing_percent": 2.5,
    "late_percent": 2.5,
    "arrived_events": 40,
    "impossible_timestamp_percent": 2.5,
    "unreadable_time_events": 1,
    "unreadable_time_percent": 2.5,
    "invalid_timestamp_percent": 2.5,
    "completeness_percent": 2.5,
    "unreadable_reason_code": "FILE_CORRUPT",
    "unreadable_reason": "The file is cut off.",
}
"""What a snapshot lacks by default; no real snapshot has both numbers and a reason why there are none."""
FLAGS: dict[str, Any] = dict.fromkeys(
    ("has_volume_anomaly", "has_version_anomaly", "has_error_spike", "is_zero_activity"), False
)
DAYS = [DAY + timedelta(days=n) for n in range(3)]
CHAINED_NAMES = [table.name for table in CHAINED]
PARTS = {
    "event_aggregate": "day_scan",
    "event_sample": "day_scan",
    "event_slice": "day_scan",
    "guardrail_verdict": "integrity_snapshot",
}
"""Tables whose rows are bound to the chain by a hash in another table."""
SURROGATE_KEYS = {(table, "id") for table in PARTS}
"""Row numbers without meaning or order: their rows are distinguished by their content."""


@pytest.fixture(scope="module")
def written_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days, each with two of every detail, a snapshot, an alert, a claim and what people did; one more unread."""
    folder = tmp_path_factory.mktemp("written")
    store, staff = make_store(folder), StaffStore(f"sqlite:///{folder / 'quality.db'}")
    for number, day in enumerate(DAYS):
        rows = (
            spread(
                make_row(missing_critical=(1,), events=7 + number, rate_counts=(5,)),
                make_row(hour=13, missing_critical=(0,), errors=1, rate_counts=(4,)),
                rate_names=("paid",),
            ),
            make_row(event_name="screen.view", hour=13, missing_critical=(0,), rate_counts=(0,)),
        )
        sample = (SampleVerdict("s1"), SampleVerdict("s2", ("UNKNOWN_SIGNAL",)))
        slices = {part: counts._replace(rate_counts=(3,)) for part, counts in list(SLICES.items())[-2:]}
        full = make_full_scan(day, aggregates=DayAggregates(rows, ("user_id",), ("paid",)), slices=slices)
        full = replace(full, source_version=f"{number}", cardinality=Cardinality(1, 1, 1))
        scan = store.append_scan("web", full, sample, NOW, verified_events=1, counting_rules="{}")
        snapshot = make_snapshot(day, total_events=number, **FIGURES)
        snapshot = replace(snapshot, scan_hash=scan.figures_hash, run_id=f"run-{number}", **FLAGS)
        stored, _ = store.append_snapshot(snapshot, VERDICTS[:2])
        dispatch_alerts(store, stored, VERDICTS[:2])
        store.append_incident_action(
            make_action(day=day, action=Action.ACCEPT, accepted=ACCEPTED_FAILURES, assignee="g")
        )
        store.append_delivery(make_delivery(at=NOW + timedelta(minutes=number)))
        store.append_marked_days(make_mark(day=day))
        store.append_forecast(make_forecast(day=day))
        unreadable = {"unreadable_reason_code": "NO_FILES", "unreadable_reason": "None."}
        hour = make_running_hour(day=day, looked_at=NOW + timedelta(minutes=number), **unreadable)
        store.append_running_hours([hour])
        staff.record(make_sign_in(at=NOW + timedelta(minutes=number)))
        staff.add_account(f"ada{number}", None, NOW, actor=Actor("eve", "::1"))
    store.append_scan("web", UnreadableDay(DAYS[-1] + timedelta(days=1), "NO_FILES", "None."), (), NOW)
    staff.close()
    return folder / "quality.db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the copy to tamper with is; it is another copy in each test."""
    return tmp_path_factory.mktemp("tampered")


@pytest.fixture(scope="module")
def opened_store(folder: Path) -> SqlQualityStore:
    """Opened for all tests, because compiling its queries takes longer than running them."""
    return SqlQualityStore(f"sqlite:///{folder / 'quality.db'}")


@pytest.fixture
def store(folder: Path, opened_store: SqlQualityStore, written_store: Path) -> SqlQualityStore:
    """A copy of ``written_store`` to tamper with."""
    shutil.copyfile(written_store, folder / "quality.db")
    return opened_store


@contextmanager
def behind_the_back_of(folder: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection with the triggers dropped; they are restored afterwards."""
    connection = sqlite3.connect(folder / "quality.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


def tables_found(verification: Verification) -> set[str]:
    return {finding.table for finding in verification.findings}


def test_a_store_nobody_touched_has_no_findings(store: SqlQualityStore) -> None:
    verification = store.verify()
    assert verification.findings == ()
    assert verification.rows == 3 + 4 + 6 + 6 + 6 + 3 + 6 + 3 + 3 + 3 + 3 + 3 + 3 + 3 + 3
    assert str(verification.anchor).startswith(
        "account_change=3,alert=3,alert_claim=3,day_mark=3,day_scan=4,delivery=3,forecast=3,incident_action=3,"
        "integrity_snapshot=3,running_hour=3,sign_in=3:"
    )


def test_an_empty_store_has_no_findings_and_no_head(tmp_path: Path) -> None:
    verification = make_store(tmp_path).verify()
    assert (verification.rows, verification.findings) == (0, ())


def test_dropping_and_restoring_the_triggers_alone_leaves_no_finding(folder: Path, store: SqlQualityStore) -> None:
    """Ensures that the tests below find the edit itself and not how it was made."""
    with behind_the_back_of(folder):
        pass
    assert store.verify().findings == ()


EDITABLE = [
    (table.name, column.name)
    for table in APPEND_ONLY
    for column in table.columns
    if (table.name, column.name) not in SURROGATE_KEYS
]


FIRST_ROWS = [
    ("min", table, column) for table in CHAINED_NAMES for column in ("sequence", "previous_hash", "content_hash")
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "table", "column"), [*FIRST_ROWS, *(("max", *each) for each in EDITABLE)], ids=lambda part: part
)
def test_an_edit_of_any_column_of_any_table_is_found(
    folder: Path, store: SqlQualityStore, row: str, table: str, column: str
) -> None:
    where = f"rowid = (SELECT {row}(rowid) FROM {table})"
    with behind_the_back_of(folder) as connection:
        (before,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        after = other_value(table, column, before)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [after])
        assert connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchall() != [(before,)]
    assert store.verify().findings


OTHER_VALUES: dict[str, str | float] = {
    "sequence": 1000,
    "position": 1000,
    "day": "2025-12-31",
    "scanned_at": "2025-12-31 23:59:59.000000",
    "computed_at": "2025-12-31 23:59:59.000000",
    "settled_at": "2025-12-31 23:59:59.000000",
    "claimed_at": "2025-12-31 23:59:59.000000",
    "marked_at": "2025-12-31 23:59:59.000000",
    "acted_at": "2025-12-31 23:59:59.000000",
    "at": "2025-12-31 23:59:59.000000",
    "until": "2025-12-31",
}


def other_value(table: str, column: str, value: str | float | None) -> str | float:
    """Another value that the column may hold."""
    if isinstance(metadata.tables[table].columns[column].type, JSON):
        return '["other"]'
    if column in OTHER_VALUES:
        return OTHER_VALUES[column]
    if column.startswith(("has_", "is_")):
        return int(not value)
    return value + "x" if isinstance(value, str) else (value or 0) + 1


NULLABLE = [
    (table.name, column.name)
    for table in APPEND_ONLY
    for column in table.columns
    if column.nullable and not column.primary_key
]


@pytest.mark.parametrize(("table", "column"), NULLABLE)
def test_a_value_edited_away_is_found(folder: Path, store: SqlQualityStore, table: str, column: str) -> None:
    with behind_the_back_of(folder) as connection:
        first = f"SELECT min(rowid) FROM {table} WHERE {column} IS NOT NULL"
        edited = connection.execute(f"UPDATE {table} SET {column} = NULL WHERE rowid = ({first})")
        assert edited.rowcount == 1
    assert store.verify().findings


def test_verdicts_that_were_swapped_or_moved_to_another_day_are_found(folder: Path, store: SqlQualityStore) -> None:
    with behind_the_back_of(folder) as connection:
        for old, new in ((0, 9), (1, 0), (9, 1)):
            connection.execute(
                f"UPDATE guardrail_verdict SET position = {new} WHERE position = {old} AND day = '{DAYS[1]}'"
            )
    (finding,) = store.verify().findings
    assert finding.sentence == f"The verdicts of web {DAYS[1]} revision 1 were changed after they were written."


def test_a_mark_is_named_by_what_was_said_of_which_day(folder: Path, store: SqlQualityStore) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE day_mark SET marked_by = 'nobody' WHERE sequence = 2")
    (finding,) = store.verify().findings
    assert finding.sentence == f"web {DAYS[1]} mark bad was changed after it was written."


def test_an_action_is_named_by_what_was_decided_on_what(folder: Path, store: SqlQualityStore) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE incident_action SET acted_by = 'nobody' WHERE sequence = 2")
    (finding,) = store.verify().findings
    assert finding.sentence == f"web {DAYS[1]} accept platform=ios was changed after it was written."


def test_a_failure_edited_into_a_success_is_found_and_named_by_who_and_when(
    folder: Path, store: SqlQualityStore
) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE sign_in SET outcome = 'signed_in' WHERE sequence = 2")
    (finding,) = store.verify().findings
    assert (finding.table, finding.row) == ("sign_in", "2026-06-01 12:01:00 ada@example.org signed_in")
    assert finding.sentence == f"{finding.row} was changed after it was written."


def test_a_name_that_a_stranger_typed_does_not_reach_the_terminal_that_verifies(
    folder: Path, store: SqlQualityStore
) -> None:
    staff = StaffStore(f"sqlite:///{folder / 'quality.db'}")
    staff.record(make_sign_in(account_name="\x1b[2Jall\nis well", outcome=SignInOutcome.UNKNOWN_ACCOUNT))
    staff.close()
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE sign_in SET address = '::1' WHERE sequence = 4")
    (finding,) = store.verify().findings
    assert finding.row == "2026-06-01 12:00:00 �[2jall�is well unknown_account"
    assert finding.sentence.isprintable()


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("table", CHAINED_NAMES)
def test_a_deleted_row_is_found_whether_first_middle_or_last(
    folder: Path, store: SqlQualityStore, table: str, number: int
) -> None:
    if table == "day_scan" and number == 3:
        number = 4
    with behind_the_back_of(folder) as connection:
        assert connection.execute(f"DELETE FROM {table} WHERE sequence = {number}").rowcount == 1
    assert table in tables_found(store.verify())


@pytest.mark.parametrize("table", CHAINED_NAMES)
def test_a_table_emptied_altogether_is_found(folder: Path, store: SqlQualityStore, table: str) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute(f"DELETE FROM {table}")
    assert table in tables_found(store.verify())


@pytest.mark.parametrize("table", CHAINED_NAMES)
def test_an_added_copy_of_a_row_is_found(folder: Path, store: SqlQualityStore, table: str) -> None:
    names = ", ".join(column.name for column in metadata.tables[table].columns if column.name != "sequence")
    values = names.replace("revision", "revision + 1", 1)
    with behind_the_back_of(folder) as connection:
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE sequence = 1")
    assert table in tables_found(store.verify())


@pytest.mark.parametrize("table", CHAINED_NAMES)
def test_two_swapped_rows_are_found(folder: Path, store: SqlQualityStore, table: str) -> None:
    with behind_the_back_of(folder) as connection:
        for old, new in ((1, 99), (2, 1), (99, 2)):
            connection.execute(f"UPDATE {table} SET sequence = {new} WHERE sequence = {old}")
    assert table in tables_found(store.verify())


@pytest.mark.parametrize("table", PARTS)
@pytest.mark.parametrize("which", ["rowid = 1", "rowid = 3", "rowid = 6", "day = '2026-03-11'", "TRUE"])
def test_a_deleted_part_of_a_scan_or_snapshot_is_found(
    folder: Path, store: SqlQualityStore, table: str, which: str
) -> None:
    with behind_the_back_of(folder) as connection:
        assert connection.execute(f"DELETE FROM {table} WHERE {which}").rowcount
    assert PARTS[table] in tables_found(store.verify())


@pytest.mark.parametrize("table", PARTS)
@pytest.mark.parametrize(
    ("change", "is_orphan"),
    [
        ({"position": "position + 10", "hour": "hour + 10"}, False),
        ({"position": "position + 10", "revision": "2"}, True),
        ({"source": "'app'"}, True),
        ({"day": "'2025-01-01'"}, True),
    ],
    ids=["same scan", "other revision", "other source", "other day"],
)
def test_an_added_part_of_a_scan_or_snapshot_is_found(
    folder: Path, store: SqlQualityStore, table: str, change: dict[str, str], is_orphan: bool
) -> None:
    names = [column.name for column in metadata.tables[table].columns if column.name != "id"]
    values = [change.get(name, name) for name in names]
    with behind_the_back_of(folder) as connection:
        connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table} WHERE id = 1"
        )
    assert tables_found(store.verify()) == {table if is_orphan else PARTS[table]}


def test_a_scan_replaced_by_another_valid_one_no_longer_supports_its_snapshot(
    folder: Path, store: SqlQualityStore
) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE integrity_snapshot SET scan_revision = 2 WHERE sequence = 2")
    sentences = [finding.sentence for finding in store.verify().findings]
    assert "The scan behind web 2026-03-11 revision 1 is missing or differs from the one it was made from." in sentences


def test_json_that_says_the_same_in_other_words_is_found(folder: Path, store: SqlQualityStore) -> None:
    """A reader that takes the first of two equal keys would not say what the hash covers."""
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE day_scan SET missing_critical = '{\"user_id\": 9, ' || substr(missing_critical, 2)")
    assert any("cannot be read in missing_critical" in finding.sentence for finding in store.verify().findings)


TRIGGERS = [name for table in APPEND_ONLY for name in sorted(expected_triggers("sqlite", table))]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_dropped_trigger_is_found(folder: Path, store: SqlQualityStore, trigger: str) -> None:
    connection = sqlite3.connect(folder / "quality.db")
    connection.execute(f"DROP TRIGGER {trigger}")
    connection.close()
    (finding,) = store.verify().findings
    assert finding.row == trigger
    assert finding.sentence == f"The trigger {trigger} is gone or changed: {finding.table} is no longer append-only."


def test_a_trigger_that_no_longer_refuses_is_found(folder: Path, store: SqlQualityStore) -> None:
    connection = sqlite3.connect(folder / "quality.db")
    connection.execute("DROP TRIGGER day_scan_no_update")
    connection.execute("CREATE TRIGGER day_scan_no_update BEFORE UPDATE ON day_scan WHEN 0 BEGIN SELECT 1; END")
    connection.close()
    assert [finding.row for finding in store.verify().findings] == ["day_scan_no_update"]


def test_a_view_that_shows_other_revisions_is_found(folder: Path, store: SqlQualityStore) -> None:
    connection = sqlite3.connect(folder / "quality.db")
    connection.execute("DROP VIEW current_snapshot")
    connection.execute("CREATE VIEW current_snapshot AS SELECT * FROM integrity_snapshot WHERE revision = 1")
    connection.close()
    assert [finding.table for finding in store.verify().findings] == ["current_snapshot"]


def test_critical_fields_are_read_by_name_whatever_order_their_json_is_in(folder: Path, store: SqlQualityStore) -> None:
    rows = (make_row(hour=0, missing_critical=(1, 2)), make_row(hour=1, missing_critical=(3, 4)))
    scan = DayScan(DAY, DayAggregates(rows, ("a", "b")))
    store.append_scan("other", scan, (), NOW)
    connection = sqlite3.connect(folder / "quality.db")
    (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'event_aggregate_no_update'").fetchone()
    connection.execute("DROP TRIGGER event_aggregate_no_update")
    connection.execute(
        "UPDATE event_aggregate SET missing_critical = '{\"b\": 4, \"a\": 3}' WHERE source = 'other' AND hour = 1"
    )
    connection.execute(text)
    connection.commit()
    connection.close()
    assert store.aggregates("other", DAY).missing_critical() == {"a": 4, "b": 6}


def test_a_clock_of_another_zone_and_whole_numbers_verify(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    berlin = NOW.astimezone(ZoneInfo("Europe/Berlin"))
    store.append_scan("web", DayScan(DAY, DayAggregates()), (), berlin)
    snapshot = replace(make_snapshot(expected_events=1000), computed_at=berlin)
    store.append_snapshot(snapshot, VERDICTS)
    tampering = [finding for finding in store.verify().findings if "changed after" in finding.sentence]
    assert tampering == []


def test_a_finding_names_its_row_as_a_person_would(folder: Path, store: SqlQualityStore) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE alert SET sentence = 'Nothing to see.' WHERE sequence = 2")
    (finding,) = store.verify().findings
    assert (finding.table, finding.row) == ("alert", "web 2026-03-11 revision 1")
    assert finding.sentence == "web 2026-03-11 revision 1 was changed after it was written."


def test_an_edit_whose_own_hash_was_made_to_fit_breaks_the_chain(folder: Path, store: SqlQualityStore) -> None:
    with behind_the_back_of(folder) as connection:
        connection.execute("UPDATE integrity_snapshot SET content_hash = 'made to fit' WHERE sequence = 1")
    sentences = [finding.sentence for finding in store.verify().findings]
    assert f"web {DAYS[1]} revision 1 does not follow the row before it." in sentences


@pytest.mark.slow
def test_a_store_with_many_revisions_has_no_findings(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for number in range(12):
        for source in ("web", "app"):
            rows = (make_row(events=number, event_name=None), make_row(event_name=f"n{number}"))
            store.append_scan(source, DayScan(DAY, DayAggregates(rows)), (SampleVerdict(None, ("A",)),), NOW)
    assert store.verify().findings == ()
